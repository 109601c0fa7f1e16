"""Step 7, second half: reads every signed file once and compares digests.

A file counts as equal only when each of its pieces was read to its end and its digest
compared: nothing is equal by default. Memory does not grow with the model's bytes.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING

from verifier_cli.model import hashes, lanes, pool
from verifier_cli.model.lanes import Lane
from verifier_cli.model.reading import Buffers, Readers, Stream
from verifier_cli.model.root import open_file, stamp
from verifier_cli.model.stability import Findings, recheck, recheck_directories, visit
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from verifier_cli.model.hashes import Together
    from verifier_cli.model.progress import Progress
    from verifier_cli.model.root import Root
    from verifier_cli.model.stability import Piece, Wanted
    from verifier_cli.model.tree import Tree
    from verifier_cli.verdict import Finding

# Up to here a file is read by one call and hashed as soon as it is opened.
SMALL_BYTES = 128 * 1024
# Files of one directory that are looked at in one job; where the first few of them take long, it is
# the storage that is slow, and the rest is shared out by as few.
BATCH_FILES = 64
FEW_FILES = 8
SLOW_SECONDS = 0.05
# So many threads at most read large files, each with one or two of them: it bounds the memory.
MOST_LARGE = 8
# Below this much work threads cost more than they bring.
MIN_PARALLEL_BYTES = 4 << 20


@dataclass(slots=True)
class Comparison:
    """What came of it: how many files are equal, how many bytes they have, and findings."""

    equal: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


class _Large:
    """A file that is read in several steps, and which of its pieces are still to be compared."""

    __slots__ = ("index", "size", "waiting", "wanted")

    def __init__(self, wanted: Wanted, index: int, size: int) -> None:
        self.wanted = wanted
        self.index = index
        self.size = size
        self.waiting = {piece.start for piece in wanted.pieces[index]}

    @property
    def name(self) -> str:
        return self.wanted.listing.name(self.index)


class _Part:
    """A piece of a large file."""

    __slots__ = ("large", "length", "piece")

    def __init__(self, large: _Large, piece: Piece) -> None:
        self.large = large
        self.piece = piece
        self.length = (large.size if piece.end is None else piece.end) - piece.start


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
        self._hash_type = hash_type
        self._new = hashes.hasher_for(hash_type)
        self._together: Together | None = None
        self._progress = progress
        self._findings = Findings()
        self._large: list[_Large] = []
        self._buffers, self._readers = Buffers(), Readers()

    def run(self, wanted: Sequence[Wanted], workers: int) -> Comparison:
        """Hashes the `wanted` files on `workers` threads and says which are as signed.

        Raises:
            Cancelled: the watcher of the progress asked to stop.
        """
        self._progress.sizing = True
        self._in_batches(wanted, partial(visit, look=self._look))
        self._progress.sizing = False
        try:
            self._read_large(workers)
        finally:
            self._readers.close()
        self._in_batches(wanted, recheck)
        recheck_directories(self._root, self._tree, self._findings)
        return self._result(wanted)

    def _in_batches(self, wanted: Sequence[Wanted], job: Callable[..., None]) -> None:
        jobs: deque[Callable[[], None]] = deque()

        def batch(each: Wanted, first: range, rest: range) -> None:
            started = time.monotonic()
            job(self._root, each, first, self._findings)
            if not rest:
                return
            if time.monotonic() - started < SLOW_SECONDS:
                job(self._root, each, rest, self._findings)
            else:
                jobs.extend(partial(batch, each, *_split(few)) for few in _sliced(rest, FEW_FILES))

        for each in wanted:
            for many in _sliced(range(len(each.pieces)), BATCH_FILES):
                jobs.append(partial(batch, each, *_split(many)))
        # Such work is done by the interpreter, which is one.
        pool.run(jobs, 1)

    def _result(self, wanted: Sequence[Wanted]) -> Comparison:
        found = Comparison(findings=list(self._findings))
        for each in wanted:
            if found.findings:
                for index, name in enumerate(each.listing.named()):
                    if name in self._findings:
                        each.equal[index] = 0
            found.equal += sum(each.equal)
            found.bytes += sum(compress(each.sizes(), each.equal))
        return found

    def _look(self, here: int, wanted: Wanted, index: int) -> None:
        """Opens and stamps a file; compares it, too, if it is small."""
        listing, pieces = wanted.listing, wanted.pieces[index]
        descriptor = open_file(here, listing.files[index])
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                self._findings.changed(listing.name(index))
                return
            size, end = status.st_size, pieces[-1].end
            if end is not None and end != size:
                self._findings.add(
                    Code.FILE_MODIFIED,
                    listing.name(index),
                    "has another size than was signed",
                    f"{end} bytes",
                    f"{size} bytes",
                )
                return
            wanted.stamp(index, status)
            self._progress.expect(size)
            if size > SMALL_BYTES:
                self._large.append(_Large(wanted, index, size))
                return
            first = os.read(descriptor, size + 1)
            data = first if len(first) == size else _read_on(descriptor, size, first)
        finally:
            os.close(descriptor)
        if data is None:
            self._findings.changed(listing.name(index))
            return
        self._progress.advance(size)
        for piece in pieces:
            digest = self._new(data[piece.start : piece.end]).digest()
            if not self._is_signed(wanted, index, piece, digest):
                return
        wanted.equal[index] = 1

    def _read_large(self, workers: int) -> None:
        parts = [
            _Part(large, piece)
            for large in self._large
            for piece in large.wanted.pieces[large.index]
        ]
        # The longest first, so that no worker is left alone with it at the end.
        parts.sort(key=lambda part: -part.length)
        workers = min(workers, len(parts)) if self._progress.total >= MIN_PARALLEL_BYTES else 1
        pair = hashes.pair_for(self._hash_type) if len(parts) > workers else None
        self._new, self._together = pair or (self._new, None)
        jobs: deque[Callable[[], None]] = deque(
            partial(self._hash, group) for group in _grouped(parts, workers, width=2 if pair else 1)
        )
        pool.run(jobs, workers, most=MOST_LARGE)

    def _hash(self, parts: Sequence[_Part]) -> None:
        opened: dict[_Part, Lane] = {}
        try:
            for part in parts:
                if (lane := self._open(part)) is not None:
                    opened[part] = lane
            lanes.run([*opened.values()], self._together, self._progress.advance)
        finally:
            for lane in opened.values():
                lane.close()
        for part, lane in opened.items():
            self._compare(part, lane)

    def _open(self, part: _Part) -> Lane | None:
        """Opens the very file that was stamped; None, and a finding, if it is another."""
        large, start = part.large, part.piece.start
        try:
            descriptor = self._descriptor(large)
        except OSError as error:
            self._findings.fault(large.name, error)
            return None
        if descriptor is None:
            self._findings.changed(large.name)
            return None
        stream = Stream(descriptor, start, start + part.length, self._buffers, self._readers)
        return Lane(descriptor, stream, self._new(), part.length)

    def _descriptor(self, large: _Large) -> int | None:
        listing = large.wanted.listing
        here = self._root.open_directory(listing.base, listing.path)
        try:
            descriptor = open_file(here, listing.files[large.index])
        finally:
            os.close(here)
        same = False
        try:
            same = stamp(os.fstat(descriptor)) == large.wanted.stamped(large.index)
        finally:
            if not same:
                os.close(descriptor)
        return descriptor if same else None

    def _compare(self, part: _Part, lane: Lane) -> None:
        large = part.large
        if lane.error is not None:
            self._findings.fault(large.name, lane.error)
        elif lane.left:
            self._findings.changed(large.name)
        elif self._is_signed(large.wanted, large.index, part.piece, lane.hasher.digest()):
            large.waiting.remove(part.piece.start)
            if not large.waiting:
                large.wanted.equal[large.index] = 1

    def _is_signed(self, wanted: Wanted, index: int, piece: Piece, digest: bytes) -> bool:
        if digest == piece.digest:
            return True
        part = "" if piece.end is None else f" between bytes {piece.start} and {piece.end}"
        self._findings.add(
            Code.FILE_MODIFIED,
            wanted.listing.name(index),
            f"is not the file that was signed: its digest differs{part}",
            piece.digest.hex(),
            digest.hex(),
        )
        return False


def _sliced(indices: range, size: int) -> Iterator[range]:
    return (indices[first : first + size] for first in range(0, len(indices), size))


def _split(indices: range) -> tuple[range, range]:
    return indices[:FEW_FILES], indices[FEW_FILES:]


def _grouped(parts: Sequence[_Part], workers: int, width: int) -> Iterator[Sequence[_Part]]:
    """The parts of each job: two where there are more of them than workers, the longest first."""
    alone = len(parts) if width == 1 else max(0, 2 * workers - len(parts))
    paired = len(parts) - alone
    for first in range(0, paired, 2):
        yield parts[first : min(first + 2, paired)]
    for part in parts[paired:]:
        yield [part]


def _read_on(descriptor: int, size: int, data: bytes) -> bytes | None:
    """The `size` bytes of a small file that begins with `data`, or None if it has fewer or more."""
    while 0 < len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data if len(data) == size else None
