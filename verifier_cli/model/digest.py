"""Step 7, second half: reads every signed file once and compares digests.

Files are stamped before the first byte is read and again after the last file was, so what
was verified is what is there when the verdict falls. Memory does not grow with the model:
each worker reads through one buffer of its own.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from verifier_cli.model.root import Stamp, open_file
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verifier_cli.model.root import Place, Root
    from verifier_cli.model.walk import Tree

BUFFER_BYTES = 512 * 1024
# Up to here a file is read by one call and hashed in a batch of its directory.
SMALL_BYTES = 128 * 1024
BATCH_FILES = 512
# Below this much work threads cost more than they bring.
MIN_PARALLEL_BYTES = 4 << 20


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


class Hasher(Protocol):
    """What hashlib and blake3 have in common."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Feeds bytes."""

    def digest(self) -> bytes:
        """Returns the raw digest."""


class Cancelled(Exception):  # noqa: N818  (an order, not a fault)
    """Somebody who watches the progress asked to stop."""


class Progress:
    """Bytes to hash and bytes hashed; readable from another thread, which may also cancel."""

    def __init__(self) -> None:
        """Starts at zero."""
        self.total = 0
        self.cancelled = False
        self._done: dict[int, int] = {}

    @property
    def done(self) -> int:
        """Bytes hashed so far."""
        return sum(self._done.copy().values())

    def advance(self, count: int) -> None:
        """Adds `count` bytes for the calling thread.

        Raises:
            Cancelled: the watcher asked to stop.
        """
        if self.cancelled:
            raise Cancelled
        thread = threading.get_ident()
        self._done[thread] = self._done.get(thread, 0) + count


@dataclass(frozen=True, slots=True)
class Wanted:
    """A signed file that is there: where its bytes are, and what they must hash to."""

    name: str
    place: Place
    pieces: Sequence[Piece]


@dataclass(slots=True)
class Comparison:
    """What came of it: how many files are equal, how many bytes they have, and findings."""

    equal: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


def hasher_for(hash_type: str) -> Callable[[], Hasher]:
    """The hash of the algorithm registry by its identifier."""
    if hash_type == "sha256":
        return hashlib.sha256
    if hash_type == "blake2b":
        return hashlib.blake2b
    if hash_type == "blake3":
        from blake3 import blake3

        return blake3
    raise KeyError(hash_type)


class Digester:
    """One comparison of one model.

    Args:
        tree: the tree as it was walked, to hold against what is there at the end.
        hash_type: identifier of the algorithm registry.
    """

    def __init__(self, root: Root, tree: Tree, hash_type: str, progress: Progress) -> None:
        """Prepares the comparison; `run` does it."""
        self._root = root
        self._tree = tree
        self._new = hasher_for(hash_type)
        self._progress = progress
        self._stamps: dict[str, Stamp] = {}
        self._findings: dict[str, Finding] = {}

    def run(self, wanted: Sequence[Wanted], workers: int) -> Comparison:
        """Hashes the `wanted` files on `workers` threads and says which are as signed.

        Raises:
            Cancelled: the watcher of the progress asked to stop.
        """
        by_directory: dict[tuple[int, str], list[Wanted]] = {}
        for item in wanted:
            by_directory.setdefault((item.place.base, item.place.directory), []).append(item)
        self._each_directory(by_directory, self._stamp)
        self._progress.total = sum(stamp.size for stamp in self._stamps.values())
        self._hash(by_directory, workers)
        self._each_directory(by_directory, self._recheck)
        self._recheck_directories()
        result = Comparison(findings=list(self._findings.values()))
        for item in wanted:
            if item.name not in self._findings:
                result.equal += 1
                result.bytes += self._stamps[item.name].size
        return result

    def _find(self, code: Code, name: str, detail: str, *pair: str) -> None:
        expected, actual = pair or (None, None)
        self._findings.setdefault(name, Finding(code, detail, name, expected, actual))

    def _each_directory(
        self,
        by_directory: Mapping[tuple[int, str], Sequence[Wanted]],
        look: Callable[[int, Wanted], None],
    ) -> None:
        for (base, path), items in by_directory.items():
            try:
                here = self._root.open_directory(base, path)
            except OSError as error:
                for item in items:
                    self._fault(item.name, error)
                continue
            try:
                for item in items:
                    try:
                        look(here, item)
                    except OSError as error:
                        self._fault(item.name, error)
            finally:
                os.close(here)

    def _fault(self, name: str, error: OSError) -> None:
        vanished = isinstance(error, (FileNotFoundError, NotADirectoryError))
        code = Code.CHANGED_WHILE_READ if vanished else Code.UNREADABLE
        self._find(code, name, f"cannot be read: {(error.strerror or '').lower()}")

    def _stamp(self, here: int, item: Wanted) -> None:
        status = os.stat(item.place.name, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            self._find(
                Code.CHANGED_WHILE_READ, item.name, "was a file a moment ago, and is none now"
            )
            return
        end = item.pieces[-1].end
        if end is not None and end != status.st_size:
            detail = "has another size than was signed"
            self._find(
                Code.FILE_MODIFIED, item.name, detail, f"{end} bytes", f"{status.st_size} bytes"
            )
            return
        self._stamps[item.name] = Stamp.of(status)

    def _recheck(self, here: int, item: Wanted) -> None:
        before = self._stamps.get(item.name)
        if before is None:
            return
        after = Stamp.of(os.stat(item.place.name, dir_fd=here, follow_symlinks=False))
        if before != after:
            self._findings.pop(item.name, None)
            self._find(Code.CHANGED_WHILE_READ, item.name, "changed while the model was read")

    def _recheck_directories(self) -> None:
        for (base, path), before in self._tree.directories.items():
            try:
                here = self._root.open_directory(base, path)
            except OSError:
                after = None
            else:
                after = Stamp.of(os.fstat(here))
                os.close(here)
            if before != after:
                detail = "entries of the directory changed while the model was read"
                self._find(Code.CHANGED_WHILE_READ, path, detail)

    def _hash(self, by_directory: Mapping[tuple[int, str], Sequence[Wanted]], workers: int) -> None:
        large: list[tuple[int, Wanted, Piece]] = []
        batches: list[tuple[tuple[int, str], list[Wanted]]] = []
        for directory, items in by_directory.items():
            small: list[Wanted] = []
            for item in items:
                stamp = self._stamps.get(item.name)
                if stamp is None:
                    continue
                if stamp.size <= SMALL_BYTES and item.pieces[-1].end is None:
                    small.append(item)
                else:
                    large += [(_length(piece, stamp.size), item, piece) for piece in item.pieces]
            batches += [
                (directory, small[first : first + BATCH_FILES])
                for first in range(0, len(small), BATCH_FILES)
            ]
        # The longest first, so that no worker is left alone with it at the end.
        large.sort(key=lambda job: -job[0])
        jobs: deque[Callable[[bytearray], None]] = deque()
        jobs.extend(partial(self._large, item, piece) for _, item, piece in large)
        jobs.extend(partial(self._batch, *batch) for batch in batches)
        parallel = self._progress.total >= MIN_PARALLEL_BYTES and len(large) > 1
        _run(jobs, workers if parallel else 1)

    def _batch(
        self, directory: tuple[int, str], items: Sequence[Wanted], _buffer: bytearray
    ) -> None:
        self._each_directory({directory: items}, self._small)

    def _small(self, here: int, item: Wanted) -> None:
        stamp = self._stamps[item.name]
        descriptor = open_file(here, item.place.name)
        try:
            if Stamp.of(os.fstat(descriptor)) != stamp:
                self._find(Code.CHANGED_WHILE_READ, item.name, "changed while the model was read")
                return
            data = os.read(descriptor, stamp.size + 1)
            while 0 < len(data) < stamp.size and (more := os.read(descriptor, stamp.size)):
                data += more
        finally:
            os.close(descriptor)
        if len(data) != stamp.size:
            self._find(Code.CHANGED_WHILE_READ, item.name, "changed while the model was read")
            return
        self._progress.advance(len(data))
        hasher = self._new()
        hasher.update(data)
        self._compare(item, item.pieces[0], hasher.digest())

    def _large(self, item: Wanted, piece: Piece, buffer: bytearray) -> None:
        stamp = self._stamps[item.name]
        try:
            here = self._root.open_directory(item.place.base, item.place.directory)
            try:
                descriptor = open_file(here, item.place.name)
            finally:
                os.close(here)
            with io.FileIO(descriptor, "rb") as file:
                if Stamp.of(os.fstat(descriptor)) != stamp:
                    self._find(
                        Code.CHANGED_WHILE_READ, item.name, "changed while the model was read"
                    )
                    return
                digest = self._read(file, piece, stamp.size, buffer)
        except OSError as error:
            self._fault(item.name, error)
            return
        if digest is None:
            self._find(Code.CHANGED_WHILE_READ, item.name, "became shorter while it was read")
            return
        self._compare(item, piece, digest)

    def _read(self, file: io.FileIO, piece: Piece, size: int, buffer: bytearray) -> bytes | None:
        hasher, view = self._new(), memoryview(buffer)
        left = _length(piece, size)
        if piece.start:
            file.seek(piece.start)
        while left:
            count = file.readinto(view[: min(left, BUFFER_BYTES)])
            if not count:
                return None
            hasher.update(view[:count])
            left -= count
            self._progress.advance(count)
        return hasher.digest()

    def _compare(self, item: Wanted, piece: Piece, digest: bytes) -> None:
        if digest == piece.digest:
            return
        part = "" if piece.end is None else f" between bytes {piece.start} and {piece.end}"
        self._find(
            Code.FILE_MODIFIED,
            item.name,
            f"is not the file that was signed: its digest differs{part}",
            piece.digest.hex(),
            digest.hex(),
        )


def _length(piece: Piece, size: int) -> int:
    return (size if piece.end is None else piece.end) - piece.start


def _run(jobs: deque[Callable[[bytearray], None]], workers: int) -> None:
    """Runs all jobs on `workers` threads; the first exception of any of them is raised."""
    errors: list[BaseException] = []

    def work() -> None:
        buffer = bytearray(BUFFER_BYTES) if jobs else bytearray()
        while not errors:
            try:
                job = jobs.popleft()
            except IndexError:
                return
            try:
                job(buffer)
            except BaseException as error:  # noqa: BLE001  (raised again by the caller)
                errors.append(error)

    others = [threading.Thread(target=work, daemon=True) for _ in range(workers - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]
