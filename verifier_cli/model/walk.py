"""Step 6: walks the tree, by descriptors, and says of every entry what it is.

Files are named but neither opened nor hashed here. What is neither file nor directory,
what cannot be listed and what leads elsewhere becomes a finding on the spot.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from verifier_cli.model import links
from verifier_cli.model.root import MODEL, Place, Stamp
from verifier_cli.policy import GIT_PATHS
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verifier_cli.model.root import Root
    from verifier_cli.policy import ModelRules

# Far more than any model has; they bound memory and time against a hostile volume.
MAX_ENTRIES = 1_000_000
MAX_DEPTH = 100
# The Kubernetes kubelet publishes volumes through this link (atomic writer).
_PUBLISHED = "..data"


@dataclass(slots=True)
class Tree:
    """What is in the model.

    Attributes:
        files: name relative to the model -> where its bytes are.
        directories: (base, path) -> the stamp each had when it was listed.
        hazards: findings about entries that are not plain files and directories.
        ignored: names that were left out, each with its subtree.
    """

    files: dict[str, Place] = field(default_factory=dict)
    directories: dict[tuple[int, str], Stamp] = field(default_factory=dict)
    hazards: list[Finding] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


class _Visit(NamedTuple):
    """A directory to list: the name it is known by, where it is, and the way to it."""

    name: str
    base: int
    path: str
    ancestors: tuple[str, ...]


def left_out(rules: ModelRules, signed: Iterable[str] = ()) -> frozenset[str]:
    """The paths to ignore: those of the policy, of the signature, and git's (OMS 6.2)."""
    git = GIT_PATHS if rules.ignore_git_paths else ()
    return frozenset((*rules.ignore_paths, *signed, *git))


class Walk:
    """One walk over one model.

    Args:
        ignore: exact names that are left out with their subtree.
        skip: the name of the signature itself, when it lies in the model.
        follow: whether symbolic links are allowed.
    """

    def __init__(
        self, root: Root, *, ignore: frozenset[str], skip: frozenset[str], follow: bool
    ) -> None:
        """Prepares the walk; `run` does it."""
        self._root = root
        self._ignore = ignore
        self._skip = skip
        self._follow = follow
        self._pending: list[_Visit] = []
        self._entries = 0
        self.tree = Tree()

    def run(self) -> Tree:
        """Lists every directory and returns the tree."""
        if self._root.file is not None:
            return self._single(self._root.file)
        self._pending = [_Visit("", MODEL, "", ())]
        while self._pending and self._entries <= MAX_ENTRIES:
            visit = self._pending.pop()
            try:
                self._list(visit)
            except OSError as error:
                self._unreadable(visit.name, error)
        if self._entries > MAX_ENTRIES:
            self._hazard(Code.TOO_LARGE, "", f"the model has more than {MAX_ENTRIES} entries")
        return self.tree

    def _single(self, name: str) -> Tree:
        here = self._root.open_directory(MODEL, "")
        try:
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
        except OSError as error:
            self._unreadable(name, error)
        else:
            if stat.S_ISREG(status.st_mode):
                self.tree.files[name] = Place(MODEL, "", name)
            else:
                self._special(name, status.st_mode)
        finally:
            os.close(here)
        return self.tree

    def _list(self, visit: _Visit) -> None:
        if len(visit.ancestors) > MAX_DEPTH:
            detail = f"the directory lies more than {MAX_DEPTH} levels deep"
            self._hazard(Code.TOO_LARGE, visit.name, detail)
            return
        here = self._root.open_directory(visit.base, visit.path)
        try:
            self.tree.directories[visit.base, visit.path] = Stamp.of(os.fstat(here))
            published = self._follow and not visit.name and _is_published(here)
            empty = True
            with os.scandir(here) as entries:
                for entry in entries:
                    empty = False
                    self._entries += 1
                    if self._entries > MAX_ENTRIES:
                        return
                    self._entry(visit, entry, published=published)
        finally:
            os.close(here)
        if empty and visit.name:
            detail = "the directory is empty; no signature can cover it"
            self._hazard(Code.EMPTY_DIRECTORY, visit.name, detail)

    def _entry(self, visit: _Visit, entry: os.DirEntry[str], *, published: bool) -> None:
        name = f"{visit.name}/{entry.name}" if visit.name else entry.name
        if name in self._skip:
            return
        if name in self._ignore or (published and entry.name.startswith("..")):
            self.tree.ignored.append(name)
            return
        try:
            if entry.is_symlink():
                self._link(visit, entry.name, name)
            elif entry.is_dir(follow_symlinks=False):
                path = f"{visit.path}/{entry.name}" if visit.path else entry.name
                self._descend(visit, name, path)
            elif entry.is_file(follow_symlinks=False):
                self.tree.files[name] = Place(visit.base, visit.path, entry.name)
            else:
                self._special(name, entry.stat(follow_symlinks=False).st_mode)
        except OSError as error:
            self._unreadable(name, error)

    def _descend(self, visit: _Visit, name: str, path: str) -> None:
        self._pending.append(_Visit(name, visit.base, path, (*visit.ancestors, visit.path)))

    def _link(self, visit: _Visit, entry: str, name: str) -> None:
        if not self._follow:
            detail = "is a symbolic link; neither the signature nor the policy allows links"
            self._hazard(Code.SYMLINK_FORBIDDEN, name, detail)
            return
        end = links.resolve(self._root, visit.path, entry)
        if isinstance(end, links.Broken):
            self._hazard(end.code, name, end.detail)
        elif stat.S_ISDIR(end.mode):
            if end.path in (*visit.ancestors, visit.path):
                detail = "the link leads to a directory that it is in itself"
                self._hazard(Code.SYMLINK_CYCLE, name, detail)
            else:
                self._descend(visit, name, end.path)
        elif stat.S_ISREG(end.mode):
            directory, _, file = end.path.rpartition("/")
            self.tree.files[name] = Place(end.base, directory, file)
        else:
            self._special(name, end.mode)

    def _special(self, name: str, mode: int) -> None:
        kinds = {
            stat.S_IFIFO: "a FIFO",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a character device",
            stat.S_IFBLK: "a block device",
        }
        kind = kinds.get(stat.S_IFMT(mode), "neither file, directory nor link")
        self._hazard(Code.SPECIAL_FILE, name, f"is {kind}, which a model never holds")

    def _unreadable(self, name: str, error: OSError) -> None:
        # What scandir or a link promised a moment ago is gone: somebody is writing here.
        vanished = isinstance(error, (FileNotFoundError, NotADirectoryError)) and name
        code = Code.CHANGED_WHILE_READ if vanished else Code.UNREADABLE
        self._hazard(code, name, f"cannot be looked at: {(error.strerror or '').lower()}")

    def _hazard(self, code: Code, name: str, detail: str) -> None:
        self.tree.hazards.append(Finding(code, detail, path=name))


def _is_published(directory: int) -> bool:
    """Whether `..data` is a link to a sibling `..<version>`, as the kubelet publishes it."""
    try:
        target = os.readlink(_PUBLISHED, dir_fd=directory)
    except OSError:
        return False
    return target.startswith("..") and target != ".." and "/" not in target
