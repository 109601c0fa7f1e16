"""What changes while the model is read; real changes, at a moment that the test chooses."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.builders import Halfway, Model, On, expect, findings, statement_of
from verifier_cli.runs import Settings
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHANGED = (Reason.MODEL_UNREADABLE, Code.CHANGED_WHILE_READ)
MIB = 1 << 20
BIG = bytes(range(256)) * 4096 * 5  # five times the read buffer


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A big file that is read last, in chunks, and others that are read before it."""
    return Model(tmp_path, {"big": BIG, "small": b"small", "sub/one": b"1", "sub/two": b"2"})


@pytest.fixture
def signed(model: Model) -> Model:
    return model.sign_with_key()


def overwrite_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"evil")


def overwrite_tail(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"evil")


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"evil")


def truncate(path: Path) -> None:
    os.truncate(path, 1)


def replace(path: Path) -> None:
    """Another file with the same bytes takes its name: then who knows which one was read?"""
    other = path.with_name("other")
    shutil.copy2(path, other)
    other.rename(path)


def touch(path: Path) -> None:
    os.utime(path)


def remove(path: Path) -> None:
    path.unlink()


def turn_into_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def turn_into_link(path: Path) -> None:
    moved = path.parents[1] / "moved"
    path.rename(moved)
    path.symlink_to(moved)


WRITES = [overwrite_head, overwrite_tail, append, truncate, touch]
SWAPS = [replace, remove, turn_into_fifo, turn_into_link]


@pytest.mark.parametrize("act", WRITES)
@pytest.mark.parametrize("name", ["big", "small"])
def test_a_file_written_to_while_hashing(
    signed: Model, act: Callable[[Path], None], name: str
) -> None:
    """`big` is partly read by then, `small` wholly."""
    progress = Halfway(lambda: act(signed.path / name))
    expect(signed, *CHANGED, name, progress=progress)
    assert progress.acted


@pytest.mark.parametrize("act", SWAPS)
@pytest.mark.parametrize("name", ["big", "small"])
def test_a_file_swapped_while_hashing(
    signed: Model, act: Callable[[Path], None], name: str
) -> None:
    progress = Halfway(lambda: act(signed.path / name))
    expect(signed, *CHANGED, name, also=[(Code.CHANGED_WHILE_READ, "")], progress=progress)
    assert progress.acted


def test_a_change_that_was_taken_back(signed: Model) -> None:
    def act() -> None:
        overwrite_head(signed.path / "big")
        signed.write("big", BIG)

    report = expect(signed, *CHANGED, "big", progress=Halfway(act))
    assert report.models[0].files == 3


def test_a_change_whose_times_were_put_back(signed: Model) -> None:
    def act() -> None:
        before = (signed.path / "big").stat()
        overwrite_head(signed.path / "big")
        os.utime(signed.path / "big", ns=(before.st_atime_ns, before.st_mtime_ns))

    expect(signed, *CHANGED, "big", progress=Halfway(act))


@pytest.mark.parametrize("name", ["new", "sub/new"])
def test_a_file_added_while_hashing(signed: Model, name: str) -> None:
    where = name.rpartition("/")[0]
    progress = Halfway(lambda: signed.write(name, b"evil"))
    expect(signed, *CHANGED, where, progress=progress)


def test_a_directory_added_while_hashing(signed: Model) -> None:
    expect(signed, *CHANGED, "", progress=Halfway(lambda: signed.write("new/file", b"")))


def test_a_file_added_and_taken_away_while_hashing(signed: Model) -> None:
    progress = Halfway(lambda: signed.write("new", b"evil").unlink())
    expect(signed, *CHANGED, "", progress=progress)


def test_a_directory_swapped_while_hashing(signed: Model) -> None:
    def swap() -> None:
        other = signed.path.parent / "other"
        shutil.copytree(signed.path / "sub", other)
        (other / "one").write_bytes(b"!")
        (signed.path / "sub").rename(signed.path.parent / "old")
        other.rename(signed.path / "sub")

    report = signed.verify(progress=Halfway(swap))
    assert report.reason is Reason.MODEL_UNREADABLE
    changed = {finding.path for finding in findings(report, Code.CHANGED_WHILE_READ)}
    assert {"", "sub"} <= changed


def test_a_directory_swapped_for_a_link_while_hashing(signed: Model) -> None:
    def swap() -> None:
        (signed.path / "sub").rename(signed.path.parent / "old")
        (signed.path / "sub").symlink_to("../old")

    report = signed.verify(progress=Halfway(swap))
    assert report.reason is Reason.MODEL_UNREADABLE
    changed = {finding.path for finding in findings(report, Code.CHANGED_WHILE_READ)}
    assert changed == {"", "sub", "sub/one", "sub/two"}


@pytest.mark.parametrize("act", SWAPS)
@pytest.mark.parametrize("name", ["big", "small"])
def test_a_file_swapped_after_the_walk(
    signed: Model, act: Callable[[Path], None], name: str
) -> None:
    observer = On("tree.scanned", lambda: act(signed.path / name))
    report = signed.verify(observer=observer)
    assert observer.acted
    assert report.reason is Reason.MODEL_UNREADABLE
    changed = {finding.path for finding in findings(report, Code.CHANGED_WHILE_READ)}
    # The copy has the same bytes, and nothing else was looked at yet.
    assert changed == ({""} if act is replace else {"", name})


@pytest.mark.parametrize("name", ["new", "sub/new"])
def test_a_file_added_after_the_walk(signed: Model, name: str) -> None:
    observer = On("tree.scanned", lambda: signed.write(name, b"evil"))
    expect(signed, *CHANGED, name.rpartition("/")[0], observer=observer)


@pytest.mark.parametrize("act", [overwrite_head, append, truncate])
@pytest.mark.parametrize("name", ["big", "small"])
def test_a_file_written_to_after_the_walk(
    signed: Model, act: Callable[[Path], None], name: str
) -> None:
    """It was not read yet, so it simply is another file."""
    observer = On("tree.scanned", lambda: act(signed.path / name))
    expect(signed, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, name, observer=observer)


def test_a_link_to_the_model_led_elsewhere_after_the_walk(signed: Model) -> None:
    """What was opened is what is looked at, whatever takes its name."""
    link = signed.path.parent / "current"
    link.symlink_to("model")
    signed.allow(path=str(link))

    def lead() -> None:
        link.unlink()
        link.symlink_to("/nowhere")

    observer = On("tree.scanned", lead)
    expect(signed, Reason.VERIFIED, observer=observer)
    assert observer.acted


@pytest.mark.parametrize("act", WRITES)
def test_a_shard_of_a_file_written_to_while_hashing(
    model: Model, act: Callable[[Path], None]
) -> None:
    files = {"big": BIG, "small": b"small", "sub/one": b"1", "sub/two": b"2"}
    model.resign(statement_of(files, shard_size=2 * MIB))
    progress = Halfway(lambda: act(model.path / "big"))
    expect(model, *CHANGED, "big", progress=progress)


@pytest.mark.parametrize("act", [overwrite_head, append, truncate])
def test_a_change_while_several_threads_hash(tmp_path: Path, act: Callable[[Path], None]) -> None:
    model = Model(tmp_path, {"one": BIG, "two": BIG}).sign_with_key()
    progress = Halfway(lambda: act(model.path / "two"))
    expect(model, *CHANGED, "two", progress=progress, settings=Settings(workers=2))


def test_a_single_file_written_to_while_hashing(tmp_path: Path) -> None:
    model = Model(tmp_path, {"model.gguf": BIG}).sign_with_key()
    model.allow(path=str(model.path / "model.gguf"), signature_path=str(model.signature))
    expect(model, Reason.VERIFIED)
    progress = Halfway(lambda: overwrite_head(model.path / "model.gguf"))
    expect(model, *CHANGED, "model.gguf", progress=progress)


def test_a_blob_written_to_while_hashing(tmp_path: Path) -> None:
    model = Model(tmp_path / "snapshots", {}, name="rev").allow(allow_symlinks=True)
    (tmp_path / "blobs").mkdir()
    blob = tmp_path / "blobs/abc"
    blob.write_bytes(BIG)
    os.utime(blob, (0, 0))
    (model.path / "weights").symlink_to("../../blobs/abc")
    model.resign(statement_of({"weights": BIG}))
    expect(model, *CHANGED, "weights", progress=Halfway(lambda: overwrite_head(blob)))


def test_a_link_led_elsewhere_while_hashing(model: Model) -> None:
    (model.path / "link").symlink_to("big")
    files = {"big": BIG, "link": BIG, "small": b"small", "sub/one": b"1", "sub/two": b"2"}
    model.allow(allow_symlinks=True).resign(statement_of(files))

    def lead() -> None:
        (model.path / "link").unlink()
        (model.path / "link").symlink_to("small")

    expect(model, *CHANGED, "", progress=Halfway(lead))
