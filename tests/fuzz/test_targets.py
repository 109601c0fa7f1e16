"""Every target runs over its seeds and over a few hundred changed inputs, always the same ones."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import engine
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
# Slower targets verify a whole model each time.
INPUTS = dict.fromkeys(TARGETS, 300)
# Some of their seeds are there to be refused: unsupported forms, other signers, no anchors.
MIXED = {
    "bundle",
    "certificates",
    "changed-certificate-bundle",
    "changed-key-bundle",
    "changed-key-payload",
    "changed-sigstore-bundle",
    "leaf",
    "statement",
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_accepted(name: str) -> None:
    target = TARGETS[name]
    accepted = [engine.attempt(target, seed) for seed in target.seeds()]
    assert accepted[0], "the first seed is the best there is"
    assert all(accepted) or name in MIXED


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_changed_inputs_do_no_harm(name: str) -> None:
    target = TARGETS[name]
    seeds, chance = target.seeds(), random.Random(name)  # noqa: S311  (the same every time)
    accepted = 0
    for number in range(INPUTS[name]):
        data = mutate(seeds[number % len(seeds)], seeds, chance)
        try:
            accepted += engine.attempt(target, data)
        except BaseException as error:
            error.add_note(f"target {name}, input {number}: {data[:2000]!r}")
            raise
    assert accepted < INPUTS[name], "nothing was refused: the mutations change nothing"


HOSTILE = {
    "empty": b"",
    "zero": b"\0",
    "not-utf8": b"\xff\xfe",
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "deep-lists": b"[" * 100_000,
    "deep-objects": b'{"a":' * 100_000,
    "deep-flow-yaml": b"a: " + b"[" * 20_000,
    "deep-block-yaml": b"".join(b" " * depth + b"a:\n" for depth in range(2000)),
    "wide-object": b"{%s}" % b",".join(b'"%d":1' % number for number in range(100_000)),
    "wide-object-with-a-key-twice": b'{%s,"99999":1}'
    % b",".join(b'"%d":1' % number for number in range(100_000)),
    "wide-yaml": b"".join(b"k%d: 1\n" % number for number in range(20_000)),
    "long-number": b'{"a": %s}' % (b"9" * 100_000),
    "long-number-yaml": b"a: " + b"9" * 100_000,
    "half-surrogate": rb'{"schema": "\ud800", "kind": "ModelValidation"}',
    "half-surrogate-yaml": rb'schema: "\ud800"',
    "half-surrogate-map": rb'{"kind": "ConfigMap", "data": {"policy.json": "\ud800"}}',
    "yaml-bool": b"!!bool x",
    "yaml-timestamp": b"!!timestamp x",
    "yaml-date": b"schema: !!timestamp 2001-01-01",
    "yaml-binary": b"schema: !!binary aGk=",
    "yaml-set": b"schema: !!set {a, b}",
    "yaml-merge": b"<<: {a: 1}\nkind: x",
    "yaml-tagged-merge": b"!!merge <<: {a: 1}",
    "yaml-complex-key": b"? [a, b]\n: c",
    "yaml-billion-laughs": b"a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]",
    "yaml-object": b"!!python/object/apply:os.getcwd []",
    "yaml-control": b"a: \x01",
    "yaml-directive": b"%YAML 9.9\n---\na: 1",
    "pem-of-nothing": b"-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n",
    "pem-certificate-of-nothing": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "pem-without-end": b"-----BEGIN PUBLIC KEY-----\n" * 20_000,
    "pem-spaces": b"-----BEGIN PUBLIC KEY-----" + b" " * 200_000,
    "der-of-endless-length": b"\x30\x84\xff\xff\xff\xff",
    "expression-that-backtracks": b'{"schema":"model-verify/policy/v1","models":[{"path":"/m"}],'
    b'"signers":[{"method":"sigstore","issuer":"https://i.example","identityRegexp":"%s"}]}'
    % (b"(" * 30 + b"a" + b"+)" * 30 + b"$"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", TARGETS)
def test_hostile_inputs_do_no_harm(name: str, hostile: str) -> None:
    accepted = engine.attempt(TARGETS[name], HOSTILE[hostile])
    # Such an expression is its author's own concern: it never meets what others wrote at length.
    assert not accepted or (hostile, name) in {
        ("expression-that-backtracks", "policy"),
        ("expression-that-backtracks", "manifest"),
    }


# --- the session itself ---------------------------------------------------------------------


def _session(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_session_counts_what_it_tried(tmp_path: Path) -> None:
    run = _session("--seconds", "1", "--target", "statement", "--crashes", str(tmp_path))
    assert run.returncode == 0, run
    line = run.stdout.splitlines()[-1]
    assert line.startswith("statement")
    assert int(line.split()[1]) > 100
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_session_saves_and_shows_what_crashes(tmp_path: Path) -> None:
    run = _session("--seconds", "5", "--target", "self-test", "--crashes", str(tmp_path))
    assert run.returncode == 1, run
    (saved,) = tmp_path.iterdir()
    assert b"crash" in saved.read_bytes()
    assert str(saved) in run.stdout
    assert "ZeroDivisionError" in run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "words"), [(b"hang", "Hang"), (b"memory", "MemoryError")])
def test_hangs_and_hunger_are_crashes(tmp_path: Path, kind: bytes, words: str) -> None:
    path = tmp_path / "input"
    path.write_bytes(kind)
    run = _session("--target", "self-test", "--replay", str(path), "--limit", "1")
    assert run.returncode == 1, run
    assert words in run.stdout + run.stderr
