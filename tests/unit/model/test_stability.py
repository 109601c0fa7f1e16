"""What changes while the model is read is found."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.unit.signing import write_tree
from verifier_cli.model.root import MODEL, Root
from verifier_cli.model.stability import (
    Findings,
    Wanted,
    recheck,
    recheck_directories,
    visit,
)
from verifier_cli.model.tree import Listing
from verifier_cli.model.walk import Walk
from verifier_cli.signature.serialization import Piece
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def wanted(*names: str) -> list[Wanted]:
    """Each in a listing of its own."""
    made = []
    for name in names:
        directory, _, file = name.rpartition("/")
        listing = Listing(MODEL, directory, f"{directory}/" if directory else "", [file])
        made.append(Wanted(listing, [(Piece(0, None, b""),)]))
    return made


@contextmanager
def stamped(model: Path, *names: str) -> Iterator[tuple[Findings, Callable[[], None]]]:
    """Stamps the files; yields the findings, and what takes all stamps again."""
    findings, items = Findings(), wanted(*names)
    with Root(str(model)) as root:
        tree = Walk(root, ignore=frozenset(), skip=frozenset(), follow=False).run()
        for each, name in zip(items, names, strict=True):
            each.stamp(0, (model / name).lstat())

        def again() -> None:
            for each in items:
                recheck(root, each, range(1), findings)
            recheck_directories(root, tree, findings)

        yield findings, again


def codes(findings: Findings) -> dict[str, Code]:
    return {finding.path: finding.code for finding in findings}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_tree(tmp_path, {"a": b"1", "d/b": b"22", "d/c": b""})
    return tmp_path


def test_nothing_changed(model: Path) -> None:
    with stamped(model, "a", "d/b", "d/c") as (findings, again):
        again()
    assert list(findings) == []


def test_a_file_without_a_stamp_is_not_looked_at_again(model: Path) -> None:
    """There is a finding already, or it was never opened; it is not equal either way."""
    findings, (item,) = Findings(), wanted("gone")
    assert item.stamped(0) is None
    with Root(str(model)) as root:
        recheck(root, item, range(1), findings)
    assert list(findings) == []
    assert item.equal == bytes(1)


def test_a_stamp_tells_the_size(model: Path) -> None:
    listing = Listing(MODEL, "d", "d/", ["b", "c"])
    item = Wanted(listing, [(Piece(0, None, b""),)] * 2)
    item.stamp(1, (model / "d/b").stat())
    assert item.stamped(0) is None
    assert item.stamped(1) is not None
    assert list(item.sizes()) == [0, 2]


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
    with stamped(model, "a", "d/b", "d/c") as (findings, again):
        change(model)
        again()
    assert codes(findings) == dict.fromkeys(expected, Code.CHANGED_WHILE_READ)


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
        (OSError(errno.ELOOP, "Too many levels of symbolic links"), Code.CHANGED_WHILE_READ),
        (OSError(errno.ENXIO, "No such device or address"), Code.CHANGED_WHILE_READ),
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

    def look(here: int, item: Wanted, index: int) -> None:
        seen.append(item.listing.name(index))
        os.stat(item.listing.files[index], dir_fd=here)

    findings = Findings()
    with Root(str(model)) as root:
        for each in wanted("gone", "a", "x/y", "d/b"):
            visit(root, each, range(1), findings, look)
        both = Wanted(Listing(MODEL, "d", "d/", ["none", "c"]), [()] * 2)
        visit(root, both, range(2), findings, look)
    assert seen == ["gone", "a", "d/b", "d/none", "d/c"]
    assert set(codes(findings)) == {"gone", "x/y", "d/none"}
