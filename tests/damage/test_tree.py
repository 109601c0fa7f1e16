"""What can have happened to a model's files since they were signed."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from tests.builders import FILES, Model, expect, findings, resource, statement_with
from verifier_cli.model.progress import Progress
from verifier_cli.verdict import Code, Reason, Severity

if TYPE_CHECKING:
    from pathlib import Path

MODIFIED = (Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED)
GIB = 1 << 30


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).sign_with_key()


def test_an_untouched_model_is_trusted(model: Model) -> None:
    report = expect(model, Reason.VERIFIED)
    assert (report.models[0].files, report.models[0].bytes) == (3, 19 + 163840 + 800)
    assert not findings(report)


@pytest.mark.parametrize("name", ["config.json", "weights.bin", "sub/adapter.bin"])
@pytest.mark.parametrize("place", [0, -1])
def test_one_bit_flipped(model: Model, name: str, place: int) -> None:
    data = bytearray((model.path / name).read_bytes())
    data[place] ^= 1
    model.write(name, bytes(data))
    report = expect(model, *MODIFIED, name)
    (finding,) = findings(report)
    assert finding.expected != finding.actual
    assert len(finding.expected or "") == len(finding.actual or "") == 64


@pytest.mark.parametrize("name", ["config.json", "weights.bin"])
def test_a_byte_appended(model: Model, name: str) -> None:
    with (model.path / name).open("ab") as file:
        file.write(b"\0")
    expect(model, *MODIFIED, name)


@pytest.mark.parametrize("name", ["config.json", "weights.bin"])
def test_the_last_byte_cut_off(model: Model, name: str) -> None:
    path = model.path / name
    os.truncate(path, path.stat().st_size - 1)
    expect(model, *MODIFIED, name)


def test_a_file_emptied(model: Model) -> None:
    model.write("config.json", b"")
    expect(model, *MODIFIED, "config.json")


def test_two_files_swapped(tmp_path: Path) -> None:
    model = Model(tmp_path, {"a": b"one", "b": b"two"}).sign_with_key()
    model.write("a", b"two")
    model.write("b", b"one")
    expect(model, *MODIFIED, "a", also=[(Code.FILE_MODIFIED, "b")])


def test_a_file_deleted(model: Model) -> None:
    (model.path / "weights.bin").unlink()
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "weights.bin")


def test_the_only_file_of_a_directory_deleted(model: Model) -> None:
    (model.path / "sub/adapter.bin").unlink()
    report = expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "sub/adapter.bin")
    assert findings(report, Code.EMPTY_DIRECTORY)


def test_a_directory_deleted(model: Model) -> None:
    (model.path / "sub/adapter.bin").unlink()
    (model.path / "sub").rmdir()
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "sub/adapter.bin")


def test_everything_deleted(model: Model) -> None:
    model.allow(signature_path=str(model.signature.rename(model.path.parent / "model.sig")))
    shutil.rmtree(model.path)
    model.path.mkdir()
    report = expect(
        model, Reason.CONTENT_MISMATCH, also=[(Code.FILE_MISSING, name) for name in FILES]
    )
    assert len(findings(report)) == len(FILES)


def test_a_file_renamed(model: Model) -> None:
    (model.path / "weights.bin").rename(model.path / "Weights.bin")
    expect(
        model,
        Reason.CONTENT_MISMATCH,
        Code.FILE_MISSING,
        "weights.bin",
        also=[(Code.FILE_UNSIGNED, "Weights.bin")],
    )


def test_a_file_became_a_directory(model: Model) -> None:
    (model.path / "config.json").unlink()
    (model.path / "config.json").mkdir()
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "config.json")


def test_a_directory_became_a_file(model: Model) -> None:
    (model.path / "sub/adapter.bin").unlink()
    (model.path / "sub").rmdir()
    model.write("sub", b"adapter\n" * 100)
    expect(
        model,
        Reason.CONTENT_MISMATCH,
        Code.FILE_MISSING,
        "sub/adapter.bin",
        also=[(Code.FILE_UNSIGNED, "sub")],
    )


@pytest.mark.parametrize(
    "name", ["new.py", "sub/new.py", "a/b/c/new.py", ".hidden", "model.sig.bak", "..evil", "..data"]
)
@pytest.mark.parametrize("data", [b"import os", b""])
def test_an_unsigned_file(model: Model, name: str, data: bytes) -> None:
    model.write(name, data)
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, name)


def test_an_unsigned_empty_directory_is_a_note(model: Model) -> None:
    (model.path / "cache").mkdir()
    report = expect(model, Reason.VERIFIED)
    (note,) = findings(report)
    assert (note.code, note.path) == (Code.EMPTY_DIRECTORY, "cache")
    assert note.code.severity is Severity.NOTE


def test_an_empty_model(tmp_path: Path) -> None:
    model = Model(tmp_path, {}).resign(statement_with([]))
    expect(model, Reason.POLICY_VIOLATION, Code.NO_FILE_SIGNED)


def test_a_signature_for_no_file_over_a_model_with_files(tmp_path: Path) -> None:
    model = Model(tmp_path).resign(statement_with([])).allow(ignore_unsigned_files=True)
    expect(model, Reason.POLICY_VIOLATION, Code.NO_FILE_SIGNED)


def test_a_fifo(model: Model) -> None:
    os.mkfifo(model.path / "sub/pipe")
    expect(model, Reason.POLICY_VIOLATION, Code.SPECIAL_FILE, "sub/pipe")


def test_a_fifo_in_the_place_of_a_signed_file(model: Model) -> None:
    (model.path / "config.json").unlink()
    os.mkfifo(model.path / "config.json")
    expect(model, Reason.POLICY_VIOLATION, Code.SPECIAL_FILE, "config.json")


def test_a_socket(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.path)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    expect(model, Reason.POLICY_VIOLATION, Code.SPECIAL_FILE, "socket")


@pytest.mark.root
@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK])
def test_a_device(model: Model, kind: int) -> None:
    try:
        os.mknod(model.path / "device", kind | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this user may not make device nodes")
    expect(model, Reason.POLICY_VIOLATION, Code.SPECIAL_FILE, "device")


def test_special_files_are_not_tolerated_as_unsigned_files_are(model: Model) -> None:
    os.mkfifo(model.path / "pipe")
    model.allow(ignore_unsigned_files=True)
    expect(model, Reason.POLICY_VIOLATION, Code.SPECIAL_FILE, "pipe")


def test_a_huge_unsigned_file_is_refused_without_being_read(model: Model) -> None:
    os.truncate(model.write("huge", b""), 10 * GIB)
    progress = Progress()
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "huge", progress=progress)
    assert progress.total == progress.done == 19 + 163840 + 800


def test_a_name_longer_than_any_path(model: Model) -> None:
    """Made step by step, for no call of the system takes such a path."""
    here = os.open(model.path, os.O_RDONLY)
    for _ in range(21):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    report = model.verify()
    assert report.reason is Reason.MODEL_UNREADABLE
    assert {f.code for f in findings(report) if f.code.reason} == {Code.TOO_LARGE}


def test_deeper_than_is_looked_at(model: Model) -> None:
    deep = "/".join("d" * 101)
    model.write(f"{deep}/file", b"")
    expect(model, Reason.MODEL_UNREADABLE, Code.TOO_LARGE, deep)


def test_as_deep_as_is_looked_at(tmp_path: Path) -> None:
    name = "/".join("d" * 100) + "/file"
    model = Model(tmp_path, {name: b"x"}).sign_with_key()
    expect(model, Reason.VERIFIED)


def test_unsigned_files_are_tolerated_if_the_policy_says_so(model: Model) -> None:
    model.write("new.py", b"")
    model.write("sub/other.py", b"")
    report = expect(model.allow(ignore_unsigned_files=True), Reason.VERIFIED)
    (note,) = findings(report)
    assert (note.code, note.code.severity) == (Code.UNSIGNED_TOLERATED, Severity.NOTE)
    assert "2" in note.detail
    assert "new.py" in note.detail


@pytest.mark.parametrize("code", [Code.FILE_MODIFIED, Code.FILE_MISSING])
def test_tolerance_is_for_unsigned_files_alone(model: Model, code: Code) -> None:
    model.write("new.py", b"")
    if code is Code.FILE_MODIFIED:
        model.write("config.json", b"{}")
    else:
        (model.path / "config.json").unlink()
    model.allow(ignore_unsigned_files=True)
    expect(model, Reason.CONTENT_MISMATCH, code, "config.json")


def test_a_volume_full_of_unsigned_files_does_not_fill_the_report(model: Model) -> None:
    for number in range(1003):
        model.write(f"new/{number}", b"")
    report = model.verify()
    assert report.reason is Reason.CONTENT_MISMATCH
    assert len(findings(report)) <= 1001
    assert {finding.code for finding in findings(report)} == {Code.FILE_UNSIGNED}
    assert any("3 more" in finding.detail for finding in findings(report))


def test_every_damage_is_named(model: Model) -> None:
    model.write("config.json", b"{}")
    model.write("new.py", b"")
    (model.path / "weights.bin").unlink()
    os.mkfifo(model.path / "pipe")
    expect(
        model,
        Reason.CONTENT_MISMATCH,
        Code.FILE_MODIFIED,
        "config.json",
        also=[
            (Code.FILE_UNSIGNED, "new.py"),
            (Code.FILE_MISSING, "weights.bin"),
            (Code.SPECIAL_FILE, "pipe"),
        ],
    )


def test_a_signed_name_that_is_no_file_here(tmp_path: Path) -> None:
    model = Model(tmp_path, {"a": b"x"})
    model.resign(statement_with([resource("a", b"x"), resource("a/b", b"x")]))
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "a/b")
