"""An opened model: every later access goes through its descriptor, never through a path.

The model's own path may be a symbolic link (`current -> v3`): it is resolved once, here.
Below that, directories are opened component by component without following links, so
nothing that is swapped meanwhile can lead a read out of the model.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

MODEL, BLOBS = 0, 1

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Place(NamedTuple):
    """Where a file's bytes are, free of links.

    Attributes:
        base: `MODEL`, or `BLOBS` for the blob store beside a Hugging Face snapshot.
        directory: path of its directory relative to the base, "" for the base itself.
        name: its name there.
    """

    base: int
    directory: str
    name: str


# As Linux has it.
MAX_LINKS = 40


def _resolve(path: str) -> str:
    """The path without links, as `os.path.realpath` has it; but no link may lead into procfs.

    There `self/cwd` and the like mean something else to whoever loads the model.

    Raises:
        OSError: it is not there, or leads in a circle or into procfs.
    """
    try:
        procfs: int | None = os.stat("/proc").st_dev
    except OSError:
        procfs = None
    here, links, followed = "/", 0, False
    ahead = os.path.join(os.getcwd(), path).split("/")[::-1]
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        here = os.path.join(here, name)
        status = os.lstat(here)
        if followed and status.st_dev == procfs:
            raise OSError(errno.ELOOP, "leads through /proc, which every process sees differently")
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            followed = followed or status.st_dev != procfs
            target = os.readlink(here)
            here = "/" if target.startswith("/") else os.path.dirname(here)
            ahead += target.split("/")[::-1]
    return here


class Root:
    """A model directory, or the directory that a single-file model is in; a context manager.

    Attributes:
        path: the resolved absolute path, for containment and messages only.
        file: name of the single file, or None for a directory.
        names: names under which a signature may list the single file (OMS 6.1.2, rule 5).
    """

    def __init__(self, path: str) -> None:
        """Opens the model at `path`.

        Raises:
            OSError: it is not there, is neither file nor directory, or cannot be opened.
        """
        if not path:
            # An unset shell variable must not mean the current directory.
            raise FileNotFoundError(errno.ENOENT, "no path was given")
        resolved = _resolve(path)
        mode = os.stat(resolved, follow_symlinks=False).st_mode
        self.file: str | None = None
        self.names: frozenset[str] = frozenset()
        if not stat.S_ISDIR(mode):
            directory, self.file = os.path.split(resolved)
            self.names = frozenset({".", self.file, os.path.basename(path)})
            self.path = directory
        else:
            self.path = resolved
        self._bases = {MODEL: os.open(self.path, _DIRECTORY)}

    @property
    def identity(self) -> tuple[int, int, str | None]:
        """Device, inode and single file: equal only for the very same opened model."""
        status = os.fstat(self._bases[MODEL])
        return status.st_dev, status.st_ino, self.file

    def __enter__(self) -> Self:
        """Returns itself, open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes itself."""
        self.close()

    def close(self) -> None:
        """Closes every base."""
        for descriptor in self._bases.values():
            os.close(descriptor)
        self._bases.clear()

    def open_directory(self, base: int, path: str) -> int:
        """Opens the directory `path` below `base`; the caller closes the descriptor.

        Raises:
            OSError: a component is missing, a link, no directory, or not to be read.
        """
        here = os.open(".", _DIRECTORY, dir_fd=self._base(base))
        for component in path.split("/") if path else ():
            try:
                below = os.open(component, _DIRECTORY, dir_fd=here)
            finally:
                os.close(here)
            here = below
        return here

    def _base(self, base: int) -> int:
        if base not in self._bases:
            self._bases[base] = os.open("../../blobs", _DIRECTORY, dir_fd=self._bases[MODEL])
        return self._bases[base]

    def names_below(self, path: str) -> frozenset[str]:
        """The name of `path` relative to the model if its directory lies in it, else nothing.

        Only the directory is resolved: a link in the model is an entry of the model.
        """
        directory, name = os.path.split(path)
        place = os.path.join(os.path.realpath(directory), name)
        prefix = f"{self.path.rstrip('/')}/"
        return frozenset({place.removeprefix(prefix)} if place.startswith(prefix) else ())

    @property
    def is_snapshot(self) -> bool:
        """Whether this is a snapshot of a Hugging Face cache, whose links lead to `../../blobs`."""
        return os.path.basename(os.path.dirname(self.path)) == "snapshots"


def open_file(directory: int, name: str) -> int:
    """Opens `name` in an opened directory, without following a link and without blocking.

    Raises:
        OSError: it is missing, a link or a socket, or not to be read.
    """
    return os.open(name, _FILE, dir_fd=directory)
