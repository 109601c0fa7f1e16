"""What the walk says of every entry."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.unit.descriptors import descriptors
from tests.unit.signing import write_tree
from tests.unit.unprivileged import open_directory, unprivileged
from verifier_cli.model import walk
from verifier_cli.model.root import BLOBS, MODEL, Place, Root
from verifier_cli.model.walk import Walk, left_out
from verifier_cli.policy import ModelRules
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from pathlib import Path

    from verifier_cli.model.tree import Tree


def run(model: Path, *ignore: str, skip: str = "model.sig", follow: bool = False) -> Tree:
    with Root(str(model)) as root:
        return Walk(root, ignore=frozenset(ignore), skip=frozenset({skip}), follow=follow).run()


def files(tree: Tree) -> dict[str, Place]:
    found = dict(tree.files())
    assert len(found) == len(tree), "a name once"
    return found


def codes(tree: Tree) -> dict[str, Code]:
    found = {hazard.path: hazard.code for hazard in tree.hazards}
    assert len(found) == len(tree.hazards), "one finding an entry"
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    write_tree(path, {"a": b"1", "d/b": b"2", "d/e/c": b"3", "model.sig": b"", "d/model.sig": b""})
    return path


def test_files_and_directories(model: Path) -> None:
    tree = run(model)
    assert files(tree) == {
        "a": Place(MODEL, "", "a"),
        "d/b": Place(MODEL, "d", "b"),
        "d/e/c": Place(MODEL, "d/e", "c"),
        "d/model.sig": Place(MODEL, "d", "model.sig"),
    }
    assert set(tree.directories) == {(MODEL, ""), (MODEL, "d"), (MODEL, "d/e")}
    assert tree.hazards == []
    assert tree.ignored == []


def test_ignored_paths_are_exact_and_listed(model: Path) -> None:
    write_tree(model, {"da": b"", "x/d/b": b""})
    tree = run(model, "d", "absent")
    assert set(files(tree)) == {"a", "da", "x/d/b"}
    assert tree.ignored == ["d"]


@pytest.mark.parametrize(
    ("rules", "signed", "expected"),
    [
        (ModelRules("/m"), (), {".git", ".gitattributes", ".github", ".gitignore"}),
        (ModelRules("/m", ignore_git_paths=False), (), set()),
        (ModelRules("/m", ignore_paths=("x",), ignore_git_paths=False), ("y",), {"x", "y"}),
    ],
)
def test_what_is_left_out(rules: ModelRules, signed: tuple[str, ...], expected: set[str]) -> None:
    assert left_out(rules, signed) == expected


def test_gits_files_are_left_out_at_the_top_only(model: Path) -> None:
    write_tree(model, {".github/x": b"", "d/.github/x": b""})
    tree = run(model, *left_out(ModelRules("/m")))
    assert "d/.github/x" in files(tree)
    assert ".github/x" not in files(tree)
    assert tree.ignored == [".github"]


def test_an_empty_directory_is_a_note(model: Path) -> None:
    (model / "d/empty").mkdir()
    (model / "skipped").mkdir()
    (model / "skipped/model.sig").touch()
    tree = run(model, skip="skipped/model.sig")
    assert codes(tree) == {"d/empty": Code.EMPTY_DIRECTORY}


def test_an_empty_model_is_not_called_an_empty_directory(tmp_path: Path) -> None:
    assert run(tmp_path).hazards == []


def test_special_files(model: Path) -> None:
    os.mkfifo(model / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(model / "d/socket"))
        tree = run(model)
    assert codes(tree) == {"fifo": Code.SPECIAL_FILE, "d/socket": Code.SPECIAL_FILE}
    assert "fifo" not in files(tree)
    details = {hazard.path: hazard.detail for hazard in tree.hazards}
    assert "a FIFO" in details["fifo"]
    assert "a socket" in details["d/socket"]


@pytest.mark.parametrize(
    ("device", "kind"), [("/dev/null", "a character device"), ("/dev/fuse", "a character device")]
)
def test_a_link_to_a_device_leads_out(model: Path, device: str, kind: str) -> None:
    (model / "device").symlink_to(device)
    assert codes(run(model, follow=True)) == {"device": Code.SYMLINK_ESCAPES}
    assert kind


@pytest.mark.root
def test_a_device(model: Path) -> None:
    try:
        os.mknod(model / "device", 0o600 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no right to make device nodes")
    tree = run(model)
    assert codes(tree) == {"device": Code.SPECIAL_FILE}
    assert "a character device" in tree.hazards[0].detail


def test_a_special_file_behind_a_link(model: Path) -> None:
    os.mkfifo(model / "fifo")
    (model / "link").symlink_to("fifo")
    tree = run(model, follow=True)
    assert codes(tree) == {"fifo": Code.SPECIAL_FILE, "link": Code.SPECIAL_FILE}


def test_links_are_forbidden_unless_allowed(model: Path) -> None:
    (model / "file").symlink_to("a")
    (model / "directory").symlink_to("d")
    (model / "dangling").symlink_to("x")
    forbidden = Code.SYMLINK_FORBIDDEN
    assert codes(run(model)) == {
        "file": forbidden,
        "directory": forbidden,
        "dangling": forbidden,
    }


def test_links_that_are_allowed_have_their_own_names(model: Path) -> None:
    (model / "file").symlink_to("d/e/c")
    (model / "directory").symlink_to("d/e")
    tree = run(model, follow=True)
    assert files(tree)["file"] == Place(MODEL, "d/e", "c")
    assert files(tree)["directory/c"] == Place(MODEL, "d/e", "c")
    assert tree.hazards == []


@pytest.mark.parametrize("target", ["d", ".", "..", "../.."])
def test_a_directory_is_not_entered_from_within(model: Path, target: str) -> None:
    (model / "d/e/up").symlink_to(target)
    outside = {"d": Code.SYMLINK_DANGLING}
    expected = outside.get(target, Code.SYMLINK_CYCLE)
    assert codes(run(model, follow=True)) == {"d/e/up": expected}


def test_two_links_into_each_other_end(model: Path) -> None:
    (model / "p").mkdir()
    (model / "q").mkdir()
    (model / "p/to-q").symlink_to("../q")
    (model / "q/to-p").symlink_to("../p")
    found = codes(run(model, follow=True))
    assert set(found.values()) == {Code.SYMLINK_CYCLE}
    assert set(found) == {"p/to-q/to-p", "q/to-p/to-q"}


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/etc/passwd", Code.SYMLINK_ESCAPES),
        ("../x", Code.SYMLINK_ESCAPES),
        ("nowhere", Code.SYMLINK_DANGLING),
        ("link", Code.SYMLINK_CYCLE),
    ],
)
def test_broken_links(model: Path, target: str, code: Code) -> None:
    (model / "link").symlink_to(target)
    tree = run(model, follow=True)
    assert codes(tree) == {"link": code}
    assert "link" not in files(tree)


def test_an_ignored_link_is_not_looked_at(model: Path) -> None:
    (model / "link").symlink_to("/etc/passwd")
    tree = run(model, "link")
    assert tree.hazards == []
    assert tree.ignored == ["link"]


def test_a_blob_of_the_hugging_face_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots/01"
    write_tree(tmp_path, {"blobs/x": b"1"})
    snapshot.mkdir(parents=True)
    (snapshot / "f").symlink_to("../../blobs/x")
    assert files(run(snapshot, follow=True)) == {"f": Place(BLOBS, "", "x")}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    write_tree(
        path,
        {"..2026_01_02_03_04_05.678901234/f": b"1", "..2026_01_02_03_04_05.678901234/sub/g": b"2"},
    )
    (path / "..data").symlink_to("..2026_01_02_03_04_05.678901234")
    (path / "f").symlink_to("..data/f")
    (path / "sub").symlink_to("..data/sub")
    return path


def test_a_volume_that_the_kubelet_publishes(published: Path) -> None:
    tree = run(published, follow=True)
    assert set(files(tree)) == {"f", "sub/g"}
    assert tree.hazards == []
    assert sorted(tree.ignored) == ["..2026_01_02_03_04_05.678901234", "..data"]


@pytest.mark.parametrize(
    "target", [None, "..", "2026", "..2026_01_02_03_04_05.678901234/sub", "/var"]
)
def test_what_only_looks_like_such_a_volume(published: Path, target: str | None) -> None:
    (published / "..data").unlink()
    if target is not None:
        (published / "..data").symlink_to(target)
    assert "..2026_01_02_03_04_05.678901234/f" in files(run(published, follow=True))


def test_entries_with_dots_are_files_where_links_are_not_allowed(published: Path) -> None:
    assert "..2026_01_02_03_04_05.678901234/f" in files(run(published))


def test_dots_below_the_top_are_files(published: Path) -> None:
    write_tree(published, {"..2026_01_02_03_04_05.678901234/sub/..x": b""})
    assert "sub/..x" in files(run(published, follow=True))


def test_a_directory_that_cannot_be_listed() -> None:
    with open_directory() as model:
        write_tree(model, {"a": b"1", "closed/b": b"2", "d/closed/b": b"2"})
        for name in ("closed", "d/closed"):
            (model / name).chmod(0)
        with unprivileged():
            tree = run(model)
    assert codes(tree) == {"closed": Code.UNREADABLE, "d/closed": Code.UNREADABLE}
    assert "permission denied" in tree.hazards[0].detail
    assert set(files(tree)) == {"a"}


def test_a_directory_that_can_be_listed_but_not_entered() -> None:
    with open_directory() as model:
        write_tree(model, {"d/b": b"2"})
        (model / "d").chmod(0o444)
        with unprivileged():
            tree = run(model)
    # Its names are known; whether the files can be read turns out when they are.
    assert set(files(tree)) | set(codes(tree)) in ({"d/b"}, {"d"})


def test_a_link_through_a_directory_that_cannot_be_entered() -> None:
    with open_directory() as model:
        write_tree(model, {"closed/b": b"2"})
        (model / "link").symlink_to("closed/b")
        (model / "closed").chmod(0)
        with unprivileged():
            tree = run(model, follow=True)
    assert codes(tree)["link"] is Code.UNREADABLE


def test_a_single_file(model: Path) -> None:
    tree = run(model / "d/b")
    assert files(tree) == {"b": Place(MODEL, "", "b")}
    assert tree.directories == {}


def test_a_single_special_file(model: Path) -> None:
    os.mkfifo(model / "fifo")
    assert codes(run(model / "fifo")) == {"fifo": Code.SPECIAL_FILE}


def test_a_single_file_that_vanished(model: Path) -> None:
    with Root(str(model / "a")) as root:
        (model / "a").unlink()
        tree = Walk(root, ignore=frozenset(), skip=frozenset(), follow=False).run()
    assert codes(tree) == {"a": Code.CHANGED_WHILE_READ}


def test_a_directory_that_was_swapped_for_a_link(model: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    write_tree(tmp_path / "outside", {"secret": b"1"})

    class Swapping(Walk):
        """Swaps a directory between its being seen and its being entered."""

        def _descend(self, visit: walk._Visit, name: str, path: str) -> None:
            super()._descend(visit, name, path)
            if name == "d":
                (model / "d").rename(tmp_path / "moved")
                (model / "d").symlink_to(tmp_path / "outside")

    with Root(str(model)) as root:
        tree = Swapping(root, ignore=frozenset(), skip=frozenset(), follow=True).run()
    assert codes(tree) == {"d": Code.CHANGED_WHILE_READ}
    assert "d/secret" not in files(tree)


def test_more_entries_than_are_looked_at(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MAX_ENTRIES", 3)
    assert Code.TOO_LARGE in {hazard.code for hazard in run(model).hazards}
    monkeypatch.setattr(walk, "MAX_ENTRIES", 7)
    assert run(model).hazards == []


def test_deeper_than_is_looked_at(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["d"] * (walk.MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "f").touch()
    tree = run(tmp_path)
    assert codes(tree) == {"/".join(["d"] * (walk.MAX_DEPTH + 1)): Code.TOO_LARGE}
    assert files(tree) == {}
    (deep.parent / "f").touch()
    assert set(files(run(tmp_path))) == {"/".join(["d"] * walk.MAX_DEPTH + ["f"])}


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff", "wb"):  # noqa: PTH123
        pass
    assert set(files(run(tmp_path))) == {"\udcff"}


def test_everything_is_closed(model: Path) -> None:
    os.mkfifo(model / "fifo")
    (model / "link").symlink_to("d/e/c")
    (model / "dangling").symlink_to("d/e/c/x")
    before = descriptors()
    run(model, follow=True)
    assert descriptors() == before


def test_links_that_multiply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each directory links to the next one twice: the number of ways doubles with each."""
    monkeypatch.setattr(walk, "MAX_LINKED_DIRECTORIES", 20)
    for level in range(12):
        write_tree(tmp_path, {f"{level}/f": b""})
        for link in "ab":
            (tmp_path / f"{level}/{link}").symlink_to(f"../{(level + 1) % 12}")
    tree = run(tmp_path, follow=True)
    assert Code.TOO_LARGE in {hazard.code for hazard in tree.hazards}
    assert len(files(tree)) < 200


def test_a_name_that_is_longer_than_is_looked_at(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "MAX_NAME_BYTES", 11)
    write_tree(model, {"d/e/muchlonger": b""})
    tree = run(model)
    assert codes(tree) == {"d/e": Code.TOO_LARGE}
    assert set(files(tree)) == {"a", "d/b", "d/e/c", "d/model.sig"}


def test_a_directory_that_changes_between_two_ways_to_it(model: Path) -> None:
    (model / "link").symlink_to("d")

    class Changing(Walk):
        """Adds a file to a directory after it was listed for the first time."""

        def _list(self, visit: walk._Visit) -> None:
            super()._list(visit)
            if visit.path == "d":
                (model / "d/new").touch()

    with Root(str(model)) as root:
        tree = Changing(root, ignore=frozenset(), skip=frozenset(), follow=True).run()
    assert set(codes(tree).values()) == {Code.CHANGED_WHILE_READ}


def test_the_signature_is_skipped_as_a_file_only(model: Path) -> None:
    write_tree(model, {"x.sig/hidden": b""})
    assert "x.sig/hidden" in files(run(model, skip="x.sig"))
