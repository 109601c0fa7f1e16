"""Step 6: walks the tree, by descriptors, and says of every entry what it is.

Files are named but neither opened nor hashed here. What is neither file nor directory,
what cannot be listed and what leads elsewhere becomes a finding on the spot.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

from verifier_cli.inputs import why
from verifier_cli.model import links
from verifier_cli.model.root import MODEL
from verifier_cli.model.stamps import settled, stamp
from verifier_cli.model.tree import Listing, Tree
from verifier_cli.policy import GIT_PATHS
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verifier_cli.model.root import Root
    from verifier_cli.policy import ModelRules

# Far more than any model has; they bound memory and time against a hostile volume.
MAX_ENTRIES = 1_000_000
MAX_DEPTH = 100
MAX_LINKED_DIRECTORIES = 1_000
MAX_NAME_BYTES = 4_096
# The kubelet publishes a volume through this link to a directory with a name of this form.
_PUBLISHED, _NEXT = "..data", "..data_tmp"
_VERSION = re.compile(r"\.\.[0-9]{4}(?:_[0-9]{2}){5}\.[0-9]+")
_UTF8 = sys.getfilesystemencoding() == "utf-8"


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
        skip: the name of the signature itself, when it lies in the model; as a file only.
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
        self._linked = 0
        # (base, directory) -> files there, and their names in the model.
        self._elsewhere: dict[tuple[int, str], tuple[list[str], list[str]]] = {}
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
                self.tree.listings.append(Listing(MODEL, "", files=[name]))
            else:
                self._special(name, status.st_mode)
        finally:
            os.close(here)
        return self.tree

    def _list(self, visit: _Visit) -> None:
        if len(visit.ancestors) > MAX_DEPTH or self._linked > MAX_LINKED_DIRECTORIES:
            detail = f"lies more than {MAX_DEPTH} levels deep"
            if self._linked > MAX_LINKED_DIRECTORIES:
                detail = f"links lead to more than {MAX_LINKED_DIRECTORIES} directories"
            self._hazard(Code.TOO_LARGE, visit.name, detail)
            return
        here = self._root.open_directory(visit.base, visit.path)
        try:
            status = settled(here)
            now = stamp(status) if status is not None else b""
            if self.tree.directories.setdefault((visit.base, visit.path), now) != now or not now:
                detail = "entries of the directory changed while the model was read"
                self._hazard(Code.CHANGED_WHILE_READ, visit.name, detail)
            published = _published(here) if self._follow and not visit.name else frozenset()
            listing = Listing(visit.base, visit.path, f"{visit.name}/" if visit.name else "")
            self.tree.listings.append(listing)
            empty = True
            with os.scandir(here) as entries:
                for entry in entries:
                    empty = False
                    self._entries += 1
                    if self._entries > MAX_ENTRIES:
                        return
                    self._entry(visit, entry, published, listing)
        finally:
            os.close(here)
        if empty and visit.name:
            detail = "the directory is empty; no signature can cover it"
            self._hazard(Code.EMPTY_DIRECTORY, visit.name, detail)

    def _entry(
        self,
        visit: _Visit,
        entry: os.DirEntry[str],
        published: frozenset[str],
        listing: Listing,
    ) -> None:
        # Names are compared as UTF-8 whatever the locale says they are.
        own = entry.name if _UTF8 else os.fsencode(entry.name).decode("utf-8", "surrogateescape")
        name = listing.prefix + own
        if len(name) > MAX_NAME_BYTES:
            detail = f"a name below it is longer than {MAX_NAME_BYTES} characters"
            self._hazard(Code.TOO_LARGE, visit.name, detail)
            return
        try:
            is_link = entry.is_symlink()
            is_file = entry.is_file(follow_symlinks=False)
            if name in self._skip and (is_link or is_file):
                return
            if name in self._ignore or entry.name in published:
                self.tree.ignored.append(name)
            elif is_link:
                self._link(visit, entry.name, name)
            elif entry.is_dir(follow_symlinks=False):
                path = f"{visit.path}/{entry.name}" if visit.path else entry.name
                self._descend(visit, name, path)
            elif not is_file:
                self._special(name, entry.stat(follow_symlinks=False).st_mode)
            elif own is entry.name:
                listing.files.append(own)
            else:
                self._other(name, visit.base, visit.path, entry.name)
        except OSError as error:
            self._unreadable(name, error)

    def _other(self, name: str, base: int, directory: str, file: str) -> None:
        """Notes a file that has another name in the model than where its bytes are."""
        place = (base, directory)
        if place not in self._elsewhere:
            self._elsewhere[place] = ([], [])
            files, names = self._elsewhere[place]
            self.tree.listings.append(Listing(base, directory, files=files, names=names))
        files, names = self._elsewhere[place]
        files.append(file)
        names.append(name)

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
                self._linked += 1
                self._descend(visit, name, end.path)
        elif stat.S_ISREG(end.mode):
            directory, _, file = end.path.rpartition("/")
            self._other(name, end.base, directory, file)
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
        self._hazard(code, name, f"cannot be looked at: {why(error)}")

    def _hazard(self, code: Code, name: str, detail: str) -> None:
        self.tree.hazards.append(Finding(code, detail, path=name))


def _published(directory: int) -> frozenset[str]:
    """What the kubelet put into a volume beside the links to its files: `..data` and its end.

    Only these names are no files of the model; whatever else starts with two dots is.
    """
    try:
        target = os.readlink(_PUBLISHED, dir_fd=directory)
        if _VERSION.fullmatch(target) is None:
            return frozenset()
        mode = os.stat(target, dir_fd=directory, follow_symlinks=False).st_mode
    except OSError:
        return frozenset()
    return frozenset({_PUBLISHED, _NEXT, target}) if stat.S_ISDIR(mode) else frozenset()
