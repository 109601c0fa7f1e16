"""What changes while the model is read is found."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.unit.signing import write_tree
from verifier_cli.model.root import MODEL, Place, Root
from verifier_cli.model.stability import Findings, Stability, Wanted, by_directory, visit
from verifier_cli.model.walk import Tree, Walk
from verifier_cli.signature.serialization import Piece
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def wanted(name: str, end: int | None = None) -> Wanted:
    directory, _, file = name.rpartition("/")
    return Wanted(name, Place(MODEL, directory, file), (Piece(0, end, b""),))


@contextmanager
def stamped(model: Path, *items: Wanted) -> Iterator[tuple[Stability, Tree, Findings]]:
    findings = Findings()
    with Root(str(model)) as root:
        tree = Walk(root, ignore=frozenset(), skip=frozenset(), follow=False).run()
        yield Stability(root, by_directory(items), findings), tree, findings


def codes(findings: Findings) -> dict[str, Code]:
    return {finding.path: finding.code for finding in findings}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_tree(tmp_path, {"a": b"1", "d/b": b"22", "d/c": b""})
    return tmp_path


def test_nothing_changed(model: Path) -> None:
    with stamped(model, wanted("a"), wanted("d/b", 2), wanted("d/c")) as (found, tree, findings):
        found.recheck(tree)
    assert list(findings) == []
    assert {name: stamp.size for name, stamp in found.stamps.items()} == {
        "a": 1,
        "d/b": 2,
        "d/c": 0,
    }


def test_a_size_that_cannot_fit(model: Path) -> None:
    with stamped(model, wanted("d/b", 3)) as (found, tree, findings):
        found.recheck(tree)
    (finding,) = findings
    assert finding.code is Code.FILE_MODIFIED
    assert (finding.expected, finding.actual) == ("3 bytes", "2 bytes")
    assert found.stamps == {}


def write(path: Path) -> None:
    path.write_bytes(b"9")


def touch_back(path: Path) -> None:
    """Writes, and gives the file its old time back, as an attacker would."""
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    (path.parent / "new").write_bytes(path.read_bytes())
    (path.parent / "new").rename(path)


def become_a_link(model: Path) -> None:
    (model / "d").rename(model / "e")
    (model / "d").symlink_to("e")


def become_a_directory(model: Path) -> None:
    (model / "a").unlink()
    (model / "a").mkdir()


CHANGES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "written": (lambda m: write(m / "d/b"), {"d/b"}),
    "written without a trace": (lambda m: touch_back(m / "a"), {"a"}),
    "grown": (lambda m: os.truncate(m / "a", 5), {"a"}),
    "replaced": (lambda m: replace(m / "d/b"), {"d/b", "d"}),
    "removed": (lambda m: (m / "d/b").unlink(), {"d/b", "d"}),
    "added": (lambda m: write(m / "d/new"), {"d"}),
    "added at the top": (lambda m: write(m / "new"), {""}),
    "renamed": (lambda m: (m / "d/c").rename(m / "d/e"), {"d/c", "d"}),
    "directory moved": (lambda m: (m / "d").rename(m / "e"), {"d/b", "d/c", "d", ""}),
    "directory became a link": (
        become_a_link,
        {"d/b", "d/c", "d", ""},
    ),
    "file became a directory": (
        become_a_directory,
        {"a", ""},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_between_the_stamps(model: Path, name: str) -> None:
    change, expected = CHANGES[name]
    with stamped(model, wanted("a"), wanted("d/b"), wanted("d/c")) as (found, tree, findings):
        change(model)
        found.recheck(tree)
    assert codes(findings) == dict.fromkeys(expected, Code.CHANGED_WHILE_READ)


def test_what_was_gone_before_the_first_stamp(model: Path) -> None:
    (model / "l").symlink_to("a")
    with stamped(model, wanted("gone"), wanted("d"), wanted("l"), wanted("x/y")) as (
        found,
        _,
        findings,
    ):
        assert found.stamps == {}
    assert codes(findings) == dict.fromkeys(("gone", "d", "l", "x/y"), Code.CHANGED_WHILE_READ)


def test_the_first_finding_stays_but_a_change_outweighs_it() -> None:
    findings = Findings()
    findings.add(Code.FILE_MODIFIED, "a", "first", "1", "2")
    findings.add(Code.UNREADABLE, "a", "second")
    assert [finding.detail for finding in findings] == ["first"]
    findings.changed("a")
    assert codes(findings) == {"a": Code.CHANGED_WHILE_READ}
    findings.add(Code.FILE_MODIFIED, "a", "late")
    assert codes(findings) == {"a": Code.CHANGED_WHILE_READ}
    assert "a" in findings
    assert "b" not in findings


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(2, "No such file"), Code.CHANGED_WHILE_READ),
        (NotADirectoryError(20, "Not a directory"), Code.CHANGED_WHILE_READ),
        (PermissionError(13, "Permission denied"), Code.UNREADABLE),
        (OSError(5, "Input/output error"), Code.UNREADABLE),
        (OSError(), Code.UNREADABLE),
    ],
)
def test_what_the_system_refuses(error: OSError, code: Code) -> None:
    findings = Findings()
    findings.fault("a", error)
    assert codes(findings) == {"a": code}


def test_a_refusal_concerns_only_its_file(model: Path) -> None:
    seen: list[str] = []

    def look(here: int, item: Wanted) -> None:
        seen.append(item.name)
        os.stat(item.place.name, dir_fd=here)

    findings = Findings()
    items = [wanted("gone"), wanted("a"), wanted("x/y"), wanted("d/b")]
    with Root(str(model)) as root:
        visit(root, by_directory(items), findings, look)
    assert seen == ["gone", "a", "d/b"]
    assert set(codes(findings)) == {"gone", "x/y"}
