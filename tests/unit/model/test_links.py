"""Links are followed by hand, and none leads out of the model."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from verifier_cli.model.links import Broken, Target, resolve
from verifier_cli.model.root import BLOBS, MODEL, Root
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    (path / "d/e").mkdir(parents=True)
    (path / "f").write_bytes(b"1")
    (path / "d/g").write_bytes(b"2")
    (tmp_path / "secret").write_bytes(b"3")
    (tmp_path / "mm").mkdir()
    (tmp_path / "mm/f").touch()
    return path


def follow(model: Path, target: str, *, directory: str = "") -> Target | Broken:
    (model / directory / "link").symlink_to(target)
    with Root(str(model)) as root:
        return resolve(root, directory, "link")


@pytest.mark.parametrize(
    ("directory", "target", "path"),
    [
        ("", "f", "f"),
        ("", "./f", "f"),
        ("", "d/g", "d/g"),
        ("", "d//g", "d/g"),
        ("", "d/e/../g", "d/g"),
        ("", "d/../f", "f"),
        ("d", "../f", "f"),
        ("d", "g", "d/g"),
        ("d/e", "../../d/g", "d/g"),
    ],
)
def test_a_file_in_the_model(model: Path, directory: str, target: str, path: str) -> None:
    found = follow(model, target, directory=directory)
    assert isinstance(found, Target)
    assert (found.base, found.path) == (MODEL, path)
    assert stat.S_ISREG(found.mode)


@pytest.mark.parametrize(("target", "path"), [("d", "d"), ("d/", "d"), (".", ""), ("d/..", "")])
def test_a_directory_in_the_model(model: Path, target: str, path: str) -> None:
    found = follow(model, target)
    assert isinstance(found, Target)
    assert found.path == path
    assert stat.S_ISDIR(found.mode)


def test_links_on_the_way(model: Path) -> None:
    (model / "to-d").symlink_to("d")
    (model / "d/to-f").symlink_to("../f")
    found = follow(model, "to-d/to-f")
    assert isinstance(found, Target)
    assert found.path == "f"


def test_dots_count_from_where_a_link_leads(model: Path) -> None:
    (model / "to-e").symlink_to("d/e")
    found = follow(model, "to-e/../g")
    assert isinstance(found, Target)
    assert found.path == "d/g"


def test_an_absolute_target_in_the_model(model: Path) -> None:
    found = follow(model, f"{model}/d/g", directory="d/e")
    assert isinstance(found, Target)
    assert found.path == "d/g"


def test_an_absolute_target_that_is_the_model(model: Path) -> None:
    found = follow(model, str(model))
    assert isinstance(found, Target)
    assert found.path == ""


@pytest.mark.parametrize(
    "target",
    [
        "..",
        "../secret",
        "../m/f",
        "../../x",
        "d/../../secret",
        "/",
        "/etc/passwd",
        "../blobs/x",
        "../../blobs/x",
    ],
)
def test_what_leads_out(model: Path, target: str) -> None:
    found = follow(model, target)
    assert isinstance(found, Broken)
    assert found.code is Code.SYMLINK_ESCAPES


def test_an_absolute_target_beside_the_model(model: Path) -> None:
    for index, target in enumerate((f"{model}m/f", f"{model}/../secret", str(model.parent))):
        (model / f"l{index}").symlink_to(target)
        with Root(str(model)) as root:
            found = resolve(root, "", f"l{index}")
        assert isinstance(found, Broken), target
        assert found.code is Code.SYMLINK_ESCAPES


@pytest.mark.parametrize("target", ["nowhere", "d/nowhere", "f/x", "f/", "f/../f", "nowhere/../f"])
def test_what_leads_nowhere(model: Path, target: str) -> None:
    found = follow(model, target)
    assert isinstance(found, Broken)
    assert found.code is Code.SYMLINK_DANGLING


def test_a_link_to_itself(model: Path) -> None:
    found = follow(model, "link")
    assert isinstance(found, Broken)
    assert found.code is Code.SYMLINK_CYCLE


def test_a_circle(model: Path) -> None:
    (model / "b").symlink_to("c")
    (model / "c").symlink_to("b")
    found = follow(model, "b")
    assert isinstance(found, Broken)
    assert found.code is Code.SYMLINK_CYCLE


def chain(model: Path, length: int) -> Target | Broken:
    (model / "l0").symlink_to("f")
    for index in range(1, length):
        (model / f"l{index}").symlink_to(f"l{index - 1}")
    with Root(str(model)) as root:
        return resolve(root, "", f"l{length - 1}")


def test_as_many_links_as_the_system_follows(model: Path) -> None:
    assert isinstance(chain(model, 40), Target)


def test_one_link_more(model: Path) -> None:
    assert isinstance(chain(model, 41), Broken)


def test_what_grows_without_end(model: Path) -> None:
    found = follow(model, "link/link/link")
    assert isinstance(found, Broken)
    assert found.code is Code.SYMLINK_CYCLE


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "models--x/snapshots/0123"
    (path / "sub").mkdir(parents=True)
    blobs = tmp_path / "models--x/blobs"
    blobs.mkdir()
    (blobs / "blob").write_bytes(b"1")
    (blobs / "directory").mkdir()
    (blobs / "link").symlink_to("blob")
    os.mkfifo(blobs / "fifo")
    return path


def test_a_blob_beside_a_snapshot(snapshot: Path) -> None:
    found = follow(snapshot, "../../blobs/blob")
    assert isinstance(found, Target)
    assert (found.base, found.path) == (BLOBS, "blob")
    assert stat.S_ISREG(found.mode)


def test_a_blob_seen_from_a_sub_directory(snapshot: Path) -> None:
    found = follow(snapshot, "../../../blobs/blob", directory="sub")
    assert isinstance(found, Target)
    assert (found.base, found.path) == (BLOBS, "blob")


def test_a_special_blob_is_named_as_what_it_is(snapshot: Path) -> None:
    found = follow(snapshot, "../../blobs/fifo")
    assert isinstance(found, Target)
    assert stat.S_ISFIFO(found.mode)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("../../blobs/absent", Code.SYMLINK_DANGLING),
        ("../../blobs/directory", Code.SYMLINK_ESCAPES),
        ("../../blobs/link", Code.SYMLINK_ESCAPES),
        ("../../blobs/directory/x", Code.SYMLINK_ESCAPES),
        ("../../blobs/", Code.SYMLINK_ESCAPES),
        ("../../blobs/.", Code.SYMLINK_ESCAPES),
        ("../../blobs/..", Code.SYMLINK_ESCAPES),
        ("../../blobs", Code.SYMLINK_ESCAPES),
        ("../../refs/main", Code.SYMLINK_ESCAPES),
        ("../blobs/blob", Code.SYMLINK_ESCAPES),
        ("../../../blobs/blob", Code.SYMLINK_ESCAPES),
    ],
)
def test_nothing_else_beside_a_snapshot(snapshot: Path, target: str, code: Code) -> None:
    found = follow(snapshot, target)
    assert isinstance(found, Broken)
    assert found.code is code


def test_blobs_that_are_not_there(snapshot: Path) -> None:
    (snapshot / "../../blobs").resolve().rename(snapshot.parent.parent / "gone")
    found = follow(snapshot, "../../blobs/blob")
    assert isinstance(found, Broken)
    assert found.code is Code.SYMLINK_DANGLING
