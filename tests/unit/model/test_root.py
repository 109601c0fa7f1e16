"""A model is opened once; nothing that is swapped later leads out of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.descriptors import descriptors
from verifier_cli.model.root import (
    BLOBS,
    MODEL,
    Root,
    open_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def entries(directory: int) -> list[str]:
    return os.listdir(directory)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    (path / "a/b").mkdir(parents=True)
    (path / "a/b/f").write_bytes(b"1")
    return path


def test_a_directory(model: Path) -> None:
    with Root(str(model)) as root:
        assert root.path == str(model)
        assert root.file is None
        assert root.names == frozenset()
        here = root.open_directory(MODEL, "a/b")
        assert entries(here) == ["f"]
        os.close(here)
        here = root.open_directory(MODEL, "")
        assert entries(here) == ["a"]
        os.close(here)


def test_everything_is_closed(model: Path) -> None:
    before = descriptors()
    with Root(str(model)) as root:
        os.close(root.open_directory(MODEL, "a/b"))
        with pytest.raises(FileNotFoundError):
            root.open_directory(MODEL, "a/x/y")
        with pytest.raises(FileNotFoundError):
            root.open_directory(BLOBS, "")
    assert descriptors() == before


def test_a_single_file(model: Path) -> None:
    (model / "link").symlink_to("a/b/f")
    with Root(str(model / "link")) as root:
        assert root.path == str(model / "a/b")
        assert root.file == "f"
        assert root.names == {".", "f", "link"}


def test_the_models_own_path_may_be_a_link(model: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("m")
    with Root(str(tmp_path / "current")) as root:
        assert root.path == str(model)
        (tmp_path / "current").unlink()
        (tmp_path / "current").symlink_to("/")
        here = root.open_directory(MODEL, "")
        assert entries(here) == ["a"]
        os.close(here)


@pytest.mark.parametrize("name", ["absent", "a/b/f/x", "dangling", "loop"])
def test_what_is_not_there(model: Path, name: str) -> None:
    (model / "dangling").symlink_to("nowhere")
    (model / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"No such|Not a directory|Too many levels"):
        Root(str(model / name))


def test_a_directory_that_became_a_link_is_not_entered(model: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    with Root(str(model)) as root:
        (model / "a/b").rename(tmp_path / "moved")
        (model / "a/b").symlink_to(tmp_path / "outside")
        with pytest.raises(NotADirectoryError):
            root.open_directory(MODEL, "a/b")
        with pytest.raises(NotADirectoryError):
            root.open_directory(MODEL, "a/b/c")


def test_the_model_stays_open_though_its_path_is_swapped(model: Path, tmp_path: Path) -> None:
    with Root(str(model)) as root:
        model.rename(tmp_path / "old")
        model.mkdir()
        here = root.open_directory(MODEL, "")
        assert entries(here) == ["a"]
        os.close(here)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("m/model.sig", {"model.sig"}),
        ("m/a/model.sig", {"a/model.sig"}),
        ("m/a/../model.sig", {"model.sig"}),
        ("to-a/model.sig", {"a/model.sig"}),
        ("model.sig", set()),
        ("m.sig", set()),
        ("mm/model.sig", set()),
    ],
)
def test_whether_a_signature_lies_in_the_model(
    model: Path, tmp_path: Path, path: str, names: set[str]
) -> None:
    (tmp_path / "to-a").symlink_to("m/a")
    with Root(str(model)) as root:
        assert root.names_below(f"{tmp_path}/{path}") == names


def test_a_signature_that_is_a_link_in_the_model_is_an_entry_of_it(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "real.sig").touch()
    (model / "model.sig").symlink_to("../real.sig")
    with Root(str(model)) as root:
        assert root.names_below(str(model / "model.sig")) == {"model.sig"}


def test_relative_paths(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    with Root(".") as root:
        assert root.path == str(model)
        assert root.names_below("model.sig") == {"model.sig"}


def test_the_root_of_the_file_system() -> None:
    with Root("/") as root:
        assert root.path == "/"
        assert root.names_below("/model.sig") == {"model.sig"}


def test_a_snapshot_of_the_hugging_face_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--x/snapshots/0123"
    snapshot.mkdir(parents=True)
    blobs = tmp_path / "models--x/blobs"
    blobs.mkdir()
    (blobs / "f").touch()
    with Root(str(snapshot)) as root:
        assert root.is_snapshot
        here = root.open_directory(BLOBS, "")
        assert entries(here) == ["f"]
        os.close(here)
    with Root(str(blobs)) as root:
        assert not root.is_snapshot


def test_files_are_opened_without_following_and_without_blocking(model: Path) -> None:
    (model / "link").symlink_to("a/b/f")
    os.mkfifo(model / "fifo")
    with Root(str(model)) as root:
        here = root.open_directory(MODEL, "")
        try:
            with pytest.raises(OSError, match="symbolic links"):
                open_file(here, "link")
            os.close(open_file(here, "fifo"))
        finally:
            os.close(here)


def test_an_empty_path_is_not_the_current_directory(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model)
    with pytest.raises(FileNotFoundError):
        Root("")


def test_the_same_model_is_known_again(model: Path) -> None:
    with Root(str(model)) as one, Root(f"{model}/.") as again, Root(str(model / "a")) as other:
        assert one.identity == again.identity != other.identity
    with Root(str(model / "a/b")) as directory, Root(str(model / "a/b/f")) as file:
        assert directory.identity != file.identity


@pytest.mark.parametrize("target", ["/proc/self/cwd", "/proc/self/root", "/proc/thread-self/cwd"])
def test_a_link_into_proc_is_another_place_for_whoever_loads_the_model(
    model: Path, tmp_path: Path, target: str
) -> None:
    (tmp_path / "first").symlink_to(f"{target}{model}" if "root" in target else target)
    (tmp_path / "second").symlink_to("first")
    for name in ("first", "second", "second/../second"):
        with pytest.raises(OSError, match="leads through /proc"):
            Root(f"{tmp_path}/{name}")


def test_a_literal_path_through_proc_is_the_callers_own(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model)
    with Root("/proc/self/cwd/a") as root:
        assert root.path == f"{model}/a"


@pytest.mark.parametrize(
    "path", ["link", "link/../m/a", "./link/b/..", "deep/a", "m//a/./b/..", "circle/..", "none/.."]
)
def test_paths_are_resolved_as_the_system_does(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "link").symlink_to("m/a")
    (tmp_path / "deep").symlink_to(f"{tmp_path}/./link/../../m")
    (tmp_path / "circle").symlink_to("circle")
    monkeypatch.chdir(tmp_path)

    def resolved(resolve: Callable[[str], str]) -> str | int | None:
        try:
            return resolve(path)
        except OSError as error:
            return error.errno

    def opened(path: str) -> str:
        with Root(path) as root:
            return root.path

    expected = resolved(lambda each: os.path.realpath(each, strict=True))
    assert resolved(opened) == expected
    assert model.is_dir()
