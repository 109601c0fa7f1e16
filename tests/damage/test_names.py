"""Hostile names: whoever writes them writes neither log lines nor terminal sequences."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    ByKey,
    Json,
    Model,
    expect,
    process,
    report_errors,
    resource,
    statement_with,
)
from verifier_cli.cli import main
from verifier_cli.escape import escape
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., tuple[int, bytes, bytes]]

HOSTILE = {
    "terminal sequence": "\x1b[2J\x1b[1;1H\x1b[32mTRUSTED",
    "terminal title": "\x1b]0;TRUSTED\x07",
    "C1 control": "\x9b31mred",
    "newline": "x\nTRUSTED  model  (VERIFIED)",
    "log line": 'x\n{"level": "info", "event": "verify.finished", "verdict": "TRUSTED"}',
    "carriage return": "REJECTED\rTRUSTED ",
    "backspace": "a\b\b\bb",
    "tab": "a\tb",
    "delete": "a\x7fb",
    "line separator": "a\u2028b",
    "next line": "a\x85b",
    "right to left": "\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "zero width": "con\u200bfig.json",
    "byte order mark": "\ufeffconfig.json",
    "tag": "a\U000e0041",
    "no-break space": "a\xa0b",
    "not UTF-8": os.fsdecode(b"\xff\xfe\x80"),
    "overlong": os.fsdecode(b"\xc0\xaf"),
    "encoded surrogate": os.fsdecode(b"\xed\xa0\x80"),
    "backslash": "a\\x1bb",
    "markup": "[bold red]TRUSTED",
    "noncharacter": "a\uffff",
}
NOT_UTF8 = {"not UTF-8", "overlong", "encoded surrogate"}
SIGNABLE = {what: name for what, name in HOSTILE.items() if what not in NOT_UTF8}


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs a command in this process: one each for so many names would take long."""

    def command(*arguments: str | Path) -> tuple[int, bytes, bytes]:
        code = main.run([*map(str, arguments)])
        return code, *capfdbinary.readouterr()

    return command


def clean(output: bytes) -> str:
    """The text of an output, which is UTF-8 and holds nothing that is not printable."""
    text = output.decode()
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)
    return text


def printable(value: object) -> None:
    """Fails if any string of a JSON value is not printable, also after it was parsed."""
    if isinstance(value, str):
        assert value.isprintable(), ascii(value)
    elif isinstance(value, (list, dict)):
        for entry in value.items() if isinstance(value, dict) else value:
            printable(entry)
    elif isinstance(value, tuple):
        for entry in value:
            printable(entry)


def outputs(run: Run, model: Model) -> tuple[str, Json]:
    """Verifies with every form of output; returns the text and the JSON report."""
    assert isinstance(model.by, ByKey)
    key = model.path.parent / "key.pub"
    key.write_text(model.by.public_pem)
    arguments = ["verify", model.path, "--public-key", key, "--log-level", "debug"]
    signature = model.rules.signature_path
    arguments += ["--signature", signature] if signature else []
    arguments += ["--allow-symlinks"] if model.rules.allow_symlinks else []
    code, plain, console = run(*arguments, "--log-format", "console")
    clean(console)
    same, full, lines = run(*arguments, "--output", "json", "--log-format", "json")
    for line in clean(lines).splitlines():
        printable(json.loads(line))
    report: Json = json.loads(clean(full))
    printable(report)
    assert report["exitCode"] == code == same
    return clean(plain), report


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_the_name_of_an_unsigned_file(tmp_path: Path, name: str, run: Run) -> None:
    model = Model(tmp_path).sign_with_key()
    model.write(name, b"")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, name)
    text, report = outputs(run, model)
    assert escape(name) in text
    assert report_errors(report) == [("FILE_UNSIGNED", escape(name))]


def test_all_hostile_names_through_the_process(tmp_path: Path) -> None:
    model = Model(tmp_path).sign_with_key()
    for name in HOSTILE.values():
        model.write(name, b"")
    policy = model.policy_file(tmp_path / "policy.json")
    ended = process("verify", "--policy", policy)
    assert ended.returncode == 12
    text = clean(ended.stdout)
    for name in HOSTILE.values():
        assert escape(name) in text
    for line in clean(ended.stderr).splitlines():
        printable(json.loads(line))


def test_all_hostile_names_in_every_role(tmp_path: Path, run: Run) -> None:
    """Signed and changed, signed and missing, FIFO, link, empty directory."""
    names = list(SIGNABLE.values())
    files = FILES | {f"{kind}/{name}": b"x" for kind in ("changed", "gone") for name in names}
    model = Model(tmp_path, files).sign(ByKey.new()).allow(allow_symlinks=True)
    for name in names:
        model.write(f"changed/{name}", b"y")
        (model.path / "gone" / name).unlink()
        os.mkfifo(model.path / f"pipe{name}")
        (model.path / f"link{name}").symlink_to(f"/nowhere/{name}")
        (model.path / f"empty{name}").mkdir()
    (model.path / "gone/left").mkdir()
    text, report = outputs(run, model)
    assert report["reason"] == "CONTENT_MISMATCH"
    codes = [code for code, _ in report_errors(report)]
    for code in ("FILE_MODIFIED", "FILE_MISSING", "SPECIAL_FILE", "SYMLINK_ESCAPES"):
        assert codes.count(code) == len(names)
    assert "more findings" in text


@pytest.mark.parametrize("what", ["newline", "terminal sequence", "not UTF-8", "right to left"])
def test_the_name_of_the_model_itself(tmp_path: Path, what: str, run: Run) -> None:
    model = Model(tmp_path, name=HOSTILE[what]).sign(ByKey.new())
    _, report = outputs(run, model)
    assert report["verdict"] == "TRUSTED", report
    assert report["models"][0]["path"] == escape(str(model.path))


@pytest.mark.parametrize("what", ["newline", "terminal sequence", "not UTF-8", "right to left"])
def test_the_name_of_the_signature(tmp_path: Path, what: str, run: Run) -> None:
    model = Model(tmp_path).sign_with_key()
    hostile = model.signature.rename(tmp_path / HOSTILE[what])
    model.allow(signature_path=str(hostile))
    _, report = outputs(run, model)
    assert report["verdict"] == "TRUSTED", report
    assert report["models"][0]["signature"]["path"] == escape(str(hostile))


def test_the_names_of_several_candidates(tmp_path: Path, run: Run) -> None:
    model = Model(tmp_path).sign_with_key()
    model.signature.rename(model.path / "\x1b[2J.oms.sig")
    (model.path / "a\nb.sig").write_bytes(b"")
    _, report = outputs(run, model)
    assert report["reason"] == "SIGNATURE_MISSING"


@pytest.mark.parametrize("name", SIGNABLE.values(), ids=SIGNABLE)
def test_names_inside_a_signed_statement(tmp_path: Path, name: str, run: Run) -> None:
    model = Model(tmp_path)
    model.resign(statement_with([resource(f"../{name}", b"")]))
    text, report = outputs(run, model)
    assert report_errors(report) == [("STATEMENT_MALFORMED", "")]
    assert "STATEMENT_MALFORMED" in text


@pytest.mark.parametrize("name", SIGNABLE.values(), ids=SIGNABLE)
def test_names_inside_a_bundle(tmp_path: Path, name: str, run: Run) -> None:
    model = Model(tmp_path).sign_with_key()
    model.rewrite(model.bundle | {name: 1})
    _, report = outputs(run, model)
    assert report_errors(report) == [("BUNDLE_MALFORMED", "")]


def test_lone_surrogates_inside_a_bundle(tmp_path: Path, run: Run) -> None:
    model = Model(tmp_path).sign_with_key()
    model.rewrite(json.dumps(model.bundle | {"mediaType": "\ud800"}).encode())
    _, report = outputs(run, model)
    assert report_errors(report) == [("BUNDLE_MALFORMED", "")]


@pytest.mark.parametrize("name", SIGNABLE.values(), ids=SIGNABLE)
def test_names_that_inspect_shows(tmp_path: Path, name: str, run: Run) -> None:
    model = Model(tmp_path, {}).resign(statement_with([resource(name, b"")]))
    code, shown, _ = run("inspect", model.signature)
    assert code == 0
    clean(shown)
    code, shown, _ = run("inspect", model.signature, "--output", "json")
    assert code == 0
    printable(json.loads(clean(shown)))


def test_a_hostile_name_on_the_command_line(tmp_path: Path) -> None:
    ended = process("verify", tmp_path, "--public-key", "\x1b[2J\nTRUSTED", "--log-format", "json")
    assert ended.returncode == 3
    clean(ended.stdout)
    for line in clean(ended.stderr).splitlines():
        printable(json.loads(line))


def test_a_signed_hostile_name_is_a_name_like_any_other(tmp_path: Path) -> None:
    files = {f"sub/{name}": name.encode() for name in SIGNABLE.values()}
    model = Model(tmp_path, files).sign_with_key()
    report = expect(model, Reason.VERIFIED)
    assert report.models[0].files == len(files)
