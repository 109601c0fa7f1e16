"""Reads large files, in pieces and by several threads, and compares their digests."""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from verifier_cli.model import hashes, lanes, pool
from verifier_cli.model.lanes import Lane
from verifier_cli.model.reading import Buffers, Readers, Stream
from verifier_cli.model.root import open_file
from verifier_cli.model.stamps import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from verifier_cli.model.hashes import Hasher, Together
    from verifier_cli.model.progress import Progress
    from verifier_cli.model.root import Root
    from verifier_cli.model.stability import Findings, Piece, Wanted

# So many pieces at most are read at a time, on whatever machine: each has a buffer, and as many
# again are in flight from slow storage.
MOST_LANES = 16
# Below this much work threads cost more than they bring.
MIN_PARALLEL_BYTES = 4 << 20


class _File:
    """A large file, and where those of its pieces begin that are still to be compared."""

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

    __slots__ = ("file", "length", "piece")

    def __init__(self, file: _File, piece: Piece) -> None:
        self.file = file
        self.piece = piece
        self.length = (file.size if piece.end is None else piece.end) - piece.start


class _How(NamedTuple):
    """How large files are hashed: by what, and how many at a time on one CPU."""

    new: Callable[..., Hasher]
    together: Together | None
    width: int


class LargeFiles:
    """The files of one comparison that are too large to be read by one call."""

    def __init__(self, root: Root, findings: Findings, hash_type: str, progress: Progress) -> None:
        """Has none yet."""
        self._root = root
        self._findings = findings
        self._hash_type = hash_type
        self._new = hashes.hasher_for(hash_type)
        self._progress = progress
        self._files: list[_File] = []
        self._buffers, self._readers = Buffers(), Readers()

    def add(self, wanted: Wanted, index: int, size: int) -> None:
        """Takes a stamped file, to be read later."""
        self._files.append(_File(wanted, index, size))

    def read(self, workers: int) -> None:
        """Hashes all of them on `workers` threads, and notes which are as signed.

        Raises:
            Cancelled: the watcher of the progress asked to stop.
        """
        parts = [
            _Part(file, piece) for file in self._files for piece in file.wanted.pieces[file.index]
        ]
        # The longest first, so that no worker is left alone with it at the end.
        parts.sort(key=lambda part: -part.length)
        parallel = sum(part.length for part in parts) >= MIN_PARALLEL_BYTES
        workers = min(workers, len(parts), MOST_LANES) if parallel else 1
        pair = None
        if len(parts) > workers and 2 * workers <= MOST_LANES:
            pair = hashes.pair_for(self._hash_type)
        how = _How(*pair, width=2) if pair else _How(self._new, None, width=1)
        groups = _grouped(parts, workers, how.width)
        jobs: deque[Callable[[], None]] = deque(partial(self._hash, how, each) for each in groups)
        try:
            pool.run(jobs, workers, most=MOST_LANES // how.width)
        finally:
            self._readers.close()

    def _hash(self, how: _How, parts: Sequence[_Part]) -> None:
        opened: dict[_Part, Lane] = {}
        try:
            for part in parts:
                if (lane := self._open(part, how.new())) is not None:
                    opened[part] = lane
            lanes.run([*opened.values()], how.together, self._progress.advance)
        finally:
            for lane in opened.values():
                lane.close()
        for part, lane in opened.items():
            self._compare(part, lane)

    def _open(self, part: _Part, hasher: Hasher) -> Lane | None:
        """Opens the very file that was stamped; None, and a finding, if it is another."""
        file, start = part.file, part.piece.start
        try:
            descriptor = self._descriptor(file)
        except OSError as error:
            self._findings.fault(file.name, error)
            return None
        if descriptor is None:
            self._findings.changed(file.name)
            return None
        stream = Stream(descriptor, start, start + part.length, self._buffers, self._readers)
        return Lane(descriptor, stream, hasher, part.length)

    def _descriptor(self, file: _File) -> int | None:
        listing = file.wanted.listing
        here = self._root.open_directory(listing.base, listing.path)
        try:
            descriptor = open_file(here, listing.files[file.index])
        finally:
            os.close(here)
        same = False
        try:
            same = stamp(os.fstat(descriptor)) == file.wanted.stamped(file.index)
        finally:
            if not same:
                os.close(descriptor)
        return descriptor if same else None

    def _compare(self, part: _Part, lane: Lane) -> None:
        file, piece = part.file, part.piece
        if lane.error is not None:
            self._findings.fault(file.name, lane.error)
            return
        if lane.left:
            self._findings.changed(file.name)
            return
        digest = lane.hasher.digest()
        if digest != piece.digest:
            self._findings.differs(file.name, piece, digest)
            return
        file.waiting.remove(piece.start)
        if not file.waiting:
            file.wanted.equal[file.index] = 1


def _grouped(parts: Sequence[_Part], workers: int, width: int) -> Iterator[Sequence[_Part]]:
    """The parts of each job: two where there are more of them than workers, the longest first."""
    alone = len(parts) if width == 1 else max(0, 2 * workers - len(parts))
    paired = len(parts) - alone
    for first in range(0, paired, 2):
        yield parts[first : min(first + 2, paired)]
    for part in parts[paired:]:
        yield [part]
