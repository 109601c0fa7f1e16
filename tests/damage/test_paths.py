"""Where the model is, how its path is written, and where the caller stands."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.builders import FILES, ByKey, Model, expect, findings, resource, statement_with
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

GGUF = b"GGUF" * 50_000


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).sign_with_key()


def test_no_model_there(tmp_path: Path, model: Model) -> None:
    model.allow(path=str(tmp_path / "nothing"))
    expect(model, Reason.MODEL_UNREADABLE, Code.MODEL_NOT_FOUND)


@pytest.mark.parametrize("target", ["nothing", "loop"])
def test_a_link_to_no_model(tmp_path: Path, model: Model, target: str) -> None:
    (tmp_path / "loop").symlink_to(target)
    report = model.allow(path=str(tmp_path / "loop")).verify()
    assert report.reason is Reason.MODEL_UNREADABLE


def test_a_path_with_nul(model: Model) -> None:
    report = model.allow(path=f"{model.path}\0x").verify()
    assert report.reason is Reason.MODEL_UNREADABLE


@pytest.mark.parametrize("form", ["{}/", "{}//", "{}/.", "{}/sub/..", "{}/../model", "/{}"])
def test_other_ways_to_write_the_path(model: Model, form: str) -> None:
    expect(model.allow(path=form.format(model.path)), Reason.VERIFIED)


@pytest.mark.parametrize("cwd", ["model", "model/sub", ".", "/"])
def test_the_caller_may_stand_anywhere(
    tmp_path: Path, model: Model, cwd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / cwd)
    expect(model, Reason.VERIFIED)
    expect(model.allow(path=os.path.relpath(model.path)), Reason.VERIFIED)


@pytest.mark.parametrize("cwd", ["model", "model/sub", ".", "/"])
def test_an_unsigned_file_is_found_from_anywhere(
    tmp_path: Path, model: Model, cwd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.write("sub/.github/x", b"")
    monkeypatch.chdir(tmp_path / cwd)
    for path in (str(model.path), os.path.relpath(model.path)):
        model.allow(path=path)
        expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "sub/.github/x")


def test_files_of_the_caller_are_no_files_of_the_model(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model.path / "config.json").unlink()
    (tmp_path / "config.json").write_bytes(FILES["config.json"])
    monkeypatch.chdir(tmp_path)
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "config.json")


def test_a_signature_beside_the_model_is_found_from_inside(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.signature.rename(model.path.parent / "model.sig")
    expect(model, Reason.VERIFIED)
    monkeypatch.chdir(model.path)
    expect(model.allow(path="."), Reason.VERIFIED)


@pytest.mark.parametrize("chain", [("v3",), ("v2", "v3")])
def test_a_model_behind_a_link(tmp_path: Path, chain: tuple[str, ...]) -> None:
    model = Model(tmp_path, name="v3").sign_with_key()
    before = "current"
    for target in chain:
        (tmp_path / before).symlink_to(target)
        before = target
    model.allow(path=str(tmp_path / "current"))
    expect(model, Reason.VERIFIED)
    model.write("new", b"")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "new")


def test_a_model_below_a_linked_directory(tmp_path: Path) -> None:
    model = Model(tmp_path / "store").sign_with_key()
    (tmp_path / "link").symlink_to("store")
    expect(model.allow(path=str(tmp_path / "link/model")), Reason.VERIFIED)


def test_another_model_in_its_place(tmp_path: Path, model: Model) -> None:
    other = Model(tmp_path, {"config.json": b"other"}, name="other").sign_with_key()
    shutil.copy(other.signature, model.signature)
    report = model.verify()
    assert report.reason is Reason.SIGNER_UNTRUSTED
    model.signers = other.signers
    assert model.verify().reason is Reason.CONTENT_MISMATCH


class SingleFile(Model):
    """One file, signed as `name`, with the signature beside it."""

    def __init__(self, parent: Path, name: str = ".") -> None:
        super().__init__(parent, {"model.gguf": GGUF})
        self.file = self.path / "model.gguf"
        self.signature = self.path / "model.gguf.sig"
        self.allow(path=str(self.file)).resign(statement_with([resource(name, GGUF)]))


@pytest.mark.parametrize("name", [".", "model.gguf"])
def test_a_single_file(tmp_path: Path, name: str) -> None:
    report = expect(SingleFile(tmp_path, name), Reason.VERIFIED)
    assert (report.models[0].files, report.models[0].bytes) == (1, len(GGUF))


def test_a_single_file_signed_by_model_signing(tmp_path: Path) -> None:
    model = Model(tmp_path, {"model.gguf": GGUF})
    file, model.path = model.path / "model.gguf", model.path / "model.gguf"
    model.signature = file.with_name("model.gguf.sig")
    model.allow(path=str(file)).sign_with_key()
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize("name", ["other.gguf", "model.gguf.bak", "sub/model.gguf", "MODEL.GGUF"])
def test_a_single_file_signed_by_another_name(tmp_path: Path, name: str) -> None:
    model = SingleFile(tmp_path, name)
    report = model.verify()
    assert report.reason is Reason.CONTENT_MISMATCH
    assert [f.path for f in findings(report, Code.FILE_MISSING)] == [name]
    assert [f.path for f in findings(report, Code.FILE_UNSIGNED)] == ["model.gguf"]


@pytest.mark.parametrize("name", [".", "model.gguf"])
def test_a_fifo_in_the_place_of_a_single_file(tmp_path: Path, name: str) -> None:
    model = SingleFile(tmp_path, name)
    model.file.unlink()
    os.mkfifo(model.file)
    expect(model, Reason.POLICY_VIOLATION, Code.SPECIAL_FILE, "model.gguf")


def test_a_device_as_model(tmp_path: Path) -> None:
    model = SingleFile(tmp_path).allow(path="/dev/null")
    model.allow(signature_path=str(model.signature))
    assert (Code.SPECIAL_FILE, "null") in [(f.code, f.path) for f in findings(model.verify())]


@pytest.mark.parametrize("name", [".", "model.gguf"])
def test_a_changed_single_file(tmp_path: Path, name: str) -> None:
    model = SingleFile(tmp_path, name)
    model.file.write_bytes(GGUF[:-1] + b"!")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "model.gguf")


@pytest.mark.parametrize("name", [".", "model.gguf", "current.gguf"])
def test_a_single_file_behind_a_link(tmp_path: Path, name: str) -> None:
    model = SingleFile(tmp_path, name)
    (tmp_path / "current.gguf").symlink_to(model.file)
    model.allow(path=str(tmp_path / "current.gguf"), signature_path=str(model.signature))
    expect(model, Reason.VERIFIED)


def test_a_single_file_signed_together_with_others(tmp_path: Path) -> None:
    model = SingleFile(tmp_path)
    model.resign(statement_with([resource("a", b"a"), resource("model.gguf", GGUF)]))
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "a")


def test_a_signature_for_a_single_file_over_a_directory(tmp_path: Path) -> None:
    model = Model(tmp_path, {"model.gguf": GGUF}).resign(statement_with([resource(".", GGUF)]))
    expect(
        model,
        Reason.CONTENT_MISMATCH,
        Code.FILE_MISSING,
        ".",
        also=[(Code.FILE_UNSIGNED, "model.gguf")],
    )


def test_neighbours_of_a_single_file_are_not_the_model(tmp_path: Path) -> None:
    model = SingleFile(tmp_path)
    model.write("neighbour", b"")
    os.mkfifo(model.path / "pipe")
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize("damage", ["none", "no signature", "bad signature", "stranger"])
def test_nothing_is_left_open(tmp_path: Path, damage: str) -> None:
    model = Model(tmp_path).sign_with_key()
    expect(model, Reason.VERIFIED)
    if damage == "no signature":
        model.signature.unlink()
    elif damage == "bad signature":
        model.rewrite(b"{}")
    elif damage == "stranger":
        model.signers = (ByKey.new().trusted(),)
    before = os.listdir("/proc/self/fd")  # noqa: PTH208  (its entries vanish meanwhile)
    model.verify()
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208


def test_a_link_in_the_place_of_a_single_file_is_resolved_once(tmp_path: Path) -> None:
    model = SingleFile(tmp_path)
    model.file.unlink()
    model.file.symlink_to("/etc/hostname")
    report = model.verify()
    assert report.reason is Reason.CONTENT_MISMATCH
