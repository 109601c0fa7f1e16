"""Every exit code of the contract, reached by the real process."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    COMMAND,
    EXIT_CODES,
    FILES,
    ByCertificate,
    ByKey,
    Model,
    as_nobody,
    check,
    environment,
    findings,
    process,
    statement_of,
    statement_with,
    verdict_of,
)
from tests.damage.chains import DAY, LEAF, NOW, chain
from verifier_cli.cli import main
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Case:
    """A good model with its key in a file, to be spoilt."""

    def __init__(self, tmp_path: Path) -> None:
        self.model = Model(tmp_path).sign(ByKey.new())
        self.key = tmp_path / "key.pub"
        self.key.write_text(self.model.by.public_pem)  # type: ignore[attr-defined]
        self.arguments: list[str | Path] = [self.model.path, "--public-key", self.key]
        self.environment: dict[str, str] = {}


def good(_case: Case) -> None:
    pass


def usage(case: Case) -> None:
    case.arguments = ["--no-such-option"]


def config(case: Case) -> None:
    case.key.write_text("no key")


def malformed(case: Case) -> None:
    case.model.rewrite(b"{}")


def stranger(case: Case) -> None:
    case.key.write_text(ByKey.new().public_pem)


def modified(case: Case) -> None:
    case.model.write("config.json", b"other")


def unsigned(case: Case) -> None:
    case.model.signature.unlink()


def forbidden(case: Case) -> None:
    os.mkfifo(case.model.path / "pipe")


def absent(case: Case) -> None:
    case.arguments[0] = case.model.path / "nowhere"


def offline(case: Case) -> None:
    """No network to be had, and no way to try: the proxy is a closed port of this machine."""
    bundle = json.dumps(_keyless_bundle(case.model))
    case.model.rewrite(bundle.encode())
    case.arguments[1:] = ["--identity", "a@example.com", "--identity-provider", "https://x.example"]
    case.arguments.append("--online")
    case.environment |= dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9"
    )
    case.environment |= {"HOME": str(case.model.path / "nowhere"), "NO_PROXY": "", "no_proxy": ""}


def _keyless_bundle(model: Model) -> dict[str, object]:
    bundle = model.bundle
    bundle["verificationMaterial"] = {"certificate": {"rawBytes": "eA=="}, "tlogEntries": []}
    return bundle


def disputed(case: Case) -> None:
    """The reference engine accepts an expired certificate."""
    expired = chain(leaf=dataclasses.replace(LEAF, start=NOW - 3 * DAY, end=NOW - 2 * DAY))
    case.model.sign(ByCertificate(expired))
    case.key.write_text(expired.anchors())
    case.arguments[1:] = ["--certificate-chain", case.key, "--engine", "both"]


def endless(case: Case) -> None:
    os.truncate(case.model.write("huge", b""), 1 << 42)
    case.model.resign(statement_of(FILES | {"huge": b""}))
    case.arguments += ["--timeout", "1"]


CASES: list[tuple[str, Callable[[Case], None]]] = [
    ("VERIFIED", good),
    ("USAGE", usage),
    ("CONFIG", config),
    ("SIGNATURE_INVALID", malformed),
    ("SIGNER_UNTRUSTED", stranger),
    ("CONTENT_MISMATCH", modified),
    ("SIGNATURE_MISSING", unsigned),
    ("POLICY_VIOLATION", forbidden),
    ("MODEL_UNREADABLE", absent),
    ("TRUST_UNAVAILABLE", offline),
    ("ENGINES_DISAGREE", disputed),
    ("DEADLINE", endless),
]


@pytest.mark.parametrize(("reason", "spoil"), CASES, ids=[reason for reason, _ in CASES])
@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_the_exit_code_of_the_process(
    tmp_path: Path, reason: str, spoil: Callable[[Case], None], mode: str
) -> None:
    case = Case(tmp_path)
    spoil(case)
    arguments = [*case.arguments, "--output", "json", "--mode", mode]
    ended = process("verify", *arguments, **case.environment)
    code = EXIT_CODES[reason]
    excused = mode == "warn" and code in range(10, 30)
    assert ended.returncode == (0 if excused else code), ended.stderr
    assert b"Traceback" not in ended.stderr
    if reason == "USAGE":
        assert not ended.stdout
        return
    report = json.loads(ended.stdout)
    assert report["reason"] == reason
    assert report["exitCode"] == ended.returncode
    assert report["verdict"] == verdict_of(Reason[reason]).value
    assert report["mode"] == mode or reason == "CONFIG"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_the_exit_code_of_a_signal(tmp_path: Path, number: int, code: int, mode: str) -> None:
    case = Case(tmp_path)
    endless(case)
    case.arguments[-1] = "600"
    arguments = [*map(str, case.arguments), "--output", "json", "--mode", mode]
    with subprocess.Popen(
        [*COMMAND, "verify", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if b"tree.scanned" in line:
                break
        running.send_signal(number)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert b"Traceback" not in stderr
    assert json.loads(stdout)["exitCode"] == code
    assert json.loads(stdout)["verdict"] == "UNDETERMINED"


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_the_exit_code_of_a_bug(
    tmp_path: Path,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Something breaks that nobody thought of."""
    case = Case(tmp_path)

    def broken(*_: object) -> float:
        raise ZeroDivisionError

    arguments = ["verify", *map(str, case.arguments), "--mode", mode, "--output", "json"]
    assert main.run(arguments) == 0
    capfdbinary.readouterr()
    monkeypatch.setattr("verifier_cli.procedure.find_signature", broken)
    assert main.run(arguments) == EXIT_CODES["INTERNAL"]
    stdout, stderr = capfdbinary.readouterr()
    report = json.loads(stdout)
    assert (report["reason"], report["verdict"]) == ("INTERNAL", "UNDETERMINED")
    assert "ZeroDivisionError" in report["error"]
    assert b"Traceback" not in stdout + stderr
    assert main.run([*arguments, "--log-level", "debug"]) == EXIT_CODES["INTERNAL"]
    assert b"Traceback" in capfdbinary.readouterr().err


def test_all_rows_of_the_table_are_reached() -> None:
    signals_and_bugs = {"INTERRUPTED", "TERMINATED", "INTERNAL"}
    assert {reason for reason, _ in CASES} | signals_and_bugs == set(EXIT_CODES)


# Several damages at once, and what they come to.


def test_a_model_with_every_damage(tmp_path: Path) -> None:
    model = Model(tmp_path).sign(ByKey.new())
    stranger_to_all = ByKey.new().trusted()
    os.mkfifo(model.path / "pipe")
    check(model.verify(), Reason.POLICY_VIOLATION, (Code.SPECIAL_FILE, "pipe"))
    model.write("config.json", b"other")
    assert model.verify().reason is Reason.CONTENT_MISMATCH
    model.write("/".join("d" * 102), b"")
    assert model.verify().reason is Reason.MODEL_UNREADABLE
    right, model.signers = model.signers, (stranger_to_all,)
    assert model.verify().reason is Reason.SIGNER_UNTRUSTED
    model.signers = right
    model.resign(statement_with([]) | {"subject": []})
    assert model.verify().reason is Reason.SIGNATURE_INVALID
    model.signature.unlink()
    assert model.verify().reason is Reason.SIGNATURE_MISSING
    assert len(findings(model.verify())) == 1


def test_a_child_without_rights_reports_what_it_raises() -> None:
    """The tests rely on it: nothing that fails in the child may pass."""

    def fail() -> None:
        raise RuntimeError

    with pytest.raises((AssertionError, RuntimeError)):
        as_nobody(fail)
