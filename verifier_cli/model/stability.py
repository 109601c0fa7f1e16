"""Was the model, when the verdict fell, what it was when the first byte was read?

Every signed file is stamped before it is read. After the last file was read, all stamps are
taken again, by name, and those of every directory that was listed: what was written to,
added, renamed or swapped meanwhile is found.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from verifier_cli.inputs import why
from verifier_cli.model.root import Stamp
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from verifier_cli.model.root import Place, Root
    from verifier_cli.model.walk import Tree


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


class Wanted(NamedTuple):
    """A signed file that is there: where its bytes are, and what they must hash to."""

    name: str
    place: Place
    pieces: Sequence[Piece]


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

    def changed(self, name: str) -> None:
        """Notes that a file is no longer the one that was stamped."""
        self.add(Code.CHANGED_WHILE_READ, name, "changed while the model was read")

    def fault(self, name: str, error: OSError) -> None:
        """Notes that the system refused; what was just there and is gone has changed."""
        vanished = isinstance(error, (FileNotFoundError, NotADirectoryError))
        code = Code.CHANGED_WHILE_READ if vanished else Code.UNREADABLE
        self.add(code, name, f"cannot be read: {why(error)}")

    def __contains__(self, name: str) -> bool:
        """Whether there is a finding for `name`."""
        return name in self._by_name

    def __iter__(self) -> Iterator[Finding]:
        """The findings."""
        return iter(self._by_name.values())


def by_directory(wanted: Iterable[Wanted]) -> dict[tuple[int, str], list[Wanted]]:
    """Groups files by the directory that their bytes are in."""
    groups: dict[tuple[int, str], list[Wanted]] = {}
    for item in wanted:
        groups.setdefault((item.place.base, item.place.directory), []).append(item)
    return groups


def visit(
    root: Root,
    groups: Mapping[tuple[int, str], Sequence[Wanted]],
    findings: Findings,
    look: Callable[[int, Wanted], None],
) -> None:
    """Calls `look` for each file with the descriptor of its directory, opened once for all."""
    for (base, path), items in groups.items():
        try:
            here = root.open_directory(base, path)
        except OSError as error:
            for item in items:
                findings.fault(item.name, error)
            continue
        try:
            for item in items:
                try:
                    look(here, item)
                except OSError as error:
                    findings.fault(item.name, error)
        finally:
            os.close(here)


class Stability:
    """The stamps of one model's signed files and directories.

    Attributes:
        stamps: name -> stamp, of each wanted file that may be read.
    """

    def __init__(
        self, root: Root, groups: Mapping[tuple[int, str], Sequence[Wanted]], findings: Findings
    ) -> None:
        """Takes the stamps of all files; sizes that cannot fit become findings at once."""
        self._root = root
        self._groups = groups
        self._findings = findings
        self.stamps: dict[str, Stamp] = {}
        visit(root, groups, findings, self._stamp)

    def _stamp(self, here: int, item: Wanted) -> None:
        status = os.stat(item.place.name, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            self._findings.changed(item.name)
            return
        end = item.pieces[-1].end
        if end is not None and end != status.st_size:
            sizes = (f"{end} bytes", f"{status.st_size} bytes")
            self._findings.add(
                Code.FILE_MODIFIED, item.name, "has another size than was signed", *sizes
            )
            return
        self.stamps[item.name] = Stamp.of(status)

    def recheck(self, tree: Tree) -> None:
        """Takes all stamps again; every difference is a finding."""
        visit(self._root, self._groups, self._findings, self._recheck)
        for (base, path), before in tree.directories.items():
            if self._directory(base, path) != before:
                detail = "entries of the directory changed while the model was read"
                self._findings.add(Code.CHANGED_WHILE_READ, path, detail)

    def _recheck(self, here: int, item: Wanted) -> None:
        before = self.stamps.get(item.name)
        if before is None:
            return
        if Stamp.of(os.stat(item.place.name, dir_fd=here, follow_symlinks=False)) != before:
            self._findings.changed(item.name)

    def _directory(self, base: int, path: str) -> Stamp | None:
        try:
            here = self._root.open_directory(base, path)
        except OSError:
            return None
        try:
            return Stamp.of(os.fstat(here))
        finally:
            os.close(here)
