"""Was each file, when the verdict fell, what it was before it was read?

Every signed file is stamped when it is opened, before it is read. After the last file was read,
all stamps are taken again, by name, and those of every directory that was listed: what was written
to, added, renamed or swapped meanwhile is found. Between the two, all were as signed at once.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Protocol

from verifier_cli.inputs import why
from verifier_cli.model.stamps import STAMP_BYTES, sizes_of, stamp
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from verifier_cli.model.root import Root
    from verifier_cli.model.tree import Listing, Tree

_UNSTAMPED = bytes(STAMP_BYTES)
# What was a file when it was listed and is none, or not there, when it is opened.
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}


class Piece(Protocol):
    """A byte range and its digest; an end of None means the end of the file."""

    @property
    def start(self) -> int:
        """First byte."""

    @property
    def end(self) -> int | None:
        """One past the last byte."""

    @property
    def digest(self) -> bytes:
        """The raw digest."""


class Wanted:
    """The signed files that are there in one directory, by column.

    Attributes:
        listing: which they are.
        pieces: what each must hash to.
        equal: 1 for each whose every piece was read and has the signed digest, else 0.
    """

    __slots__ = ("_stamps", "equal", "listing", "pieces")

    def __init__(self, listing: Listing, pieces: Sequence[Sequence[Piece]]) -> None:
        """Nothing is stamped, nothing is equal."""
        self.listing = listing
        self.pieces = pieces
        self.equal = bytearray(len(pieces))
        self._stamps = bytearray(len(pieces) * STAMP_BYTES)

    def stamp(self, index: int, status: os.stat_result) -> None:
        """Keeps what the file at `index` is now."""
        start = index * STAMP_BYTES
        self._stamps[start : start + STAMP_BYTES] = stamp(status)

    def stamped(self, index: int) -> bytes | None:
        """The stamp of the file at `index`; None if it has none."""
        start = index * STAMP_BYTES
        found = bytes(self._stamps[start : start + STAMP_BYTES])
        return None if found == _UNSTAMPED else found

    def sizes(self) -> Iterator[int]:
        """The size of each file in bytes; 0 of one that has no stamp."""
        return sizes_of(self._stamps)


class Findings:
    """At most one finding for each name: the first, save that a change outweighs it."""

    def __init__(self) -> None:
        """Starts empty."""
        self._by_name: dict[str, Finding] = {}

    def add(self, code: Code, name: str, detail: str, *pair: str) -> None:
        """Notes a finding; `pair` is what was expected and what was found."""
        expected, actual = pair or (None, None)
        if code is Code.CHANGED_WHILE_READ:
            self._by_name.pop(name, None)
        self._by_name.setdefault(name, Finding(code, detail, name, expected, actual))

    def differs(self, name: str, piece: Piece, digest: bytes) -> None:
        """Notes that a piece of a file has another digest than was signed."""
        part = "" if piece.end is None else f" between bytes {piece.start} and {piece.end}"
        detail = f"is not the file that was signed: its digest differs{part}"
        self.add(Code.FILE_MODIFIED, name, detail, piece.digest.hex(), digest.hex())

    def changed(self, name: str) -> None:
        """Notes that a file is no longer the one that was listed or stamped."""
        self.add(Code.CHANGED_WHILE_READ, name, "changed while the model was read")

    def fault(self, name: str, error: OSError) -> None:
        """Notes that the system refused; what was just there and is gone has changed."""
        code = Code.CHANGED_WHILE_READ if error.errno in _GONE else Code.UNREADABLE
        self.add(code, name, f"cannot be read: {why(error)}")

    def __contains__(self, name: str) -> bool:
        """Whether there is a finding for `name`."""
        return name in self._by_name

    def __iter__(self) -> Iterator[Finding]:
        """The findings."""
        return iter(self._by_name.values())


def visit(
    root: Root,
    wanted: Wanted,
    indices: Iterable[int],
    findings: Findings,
    look: Callable[[int, Wanted, int], None],
) -> None:
    """Calls `look` for the files at `indices` with their directory's descriptor, opened once."""
    listing = wanted.listing
    try:
        here = root.open_directory(listing.base, listing.path)
    except OSError as error:
        for index in indices:
            findings.fault(listing.name(index), error)
        return
    try:
        for index in indices:
            try:
                look(here, wanted, index)
            except OSError as error:
                findings.fault(listing.name(index), error)
    finally:
        os.close(here)


def recheck(root: Root, wanted: Wanted, indices: Iterable[int], findings: Findings) -> None:
    """Takes the stamps of the files at `indices` again; every difference is a finding."""

    def look(here: int, wanted: Wanted, index: int) -> None:
        before = wanted.stamped(index)
        if before is None:
            wanted.equal[index] = 0
            return
        status = os.stat(wanted.listing.files[index], dir_fd=here, follow_symlinks=False)
        if stamp(status) != before:
            findings.changed(wanted.listing.name(index))

    visit(root, wanted, indices, findings, look)


def recheck_directories(root: Root, tree: Tree, findings: Findings) -> None:
    """Takes the stamps of the listed directories again; every difference is a finding."""
    for (base, path), before in tree.directories.items():
        if _directory(root, base, path) != before:
            detail = "entries of the directory changed while the model was read"
            findings.add(Code.CHANGED_WHILE_READ, path, detail)


def _directory(root: Root, base: int, path: str) -> bytes | None:
    try:
        here = root.open_directory(base, path)
    except OSError:
        return None
    try:
        return stamp(os.fstat(here))
    finally:
        os.close(here)
