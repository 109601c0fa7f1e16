"""Step 7, second half: reads every signed file once and compares digests.

A file counts as equal only when each of its pieces was read to its end and its digest
compared: nothing is equal by default. Memory does not grow with the model's bytes.
"""

from __future__ import annotations

import io
import os
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from verifier_cli.model import pool
from verifier_cli.model.hashes import hasher_for
from verifier_cli.model.root import Stamp, open_file
from verifier_cli.model.stability import Findings, Stability, by_directory, visit
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verifier_cli.model.progress import Progress
    from verifier_cli.model.root import Root
    from verifier_cli.model.stability import Piece, Wanted
    from verifier_cli.model.walk import Tree
    from verifier_cli.verdict import Finding

# Up to here a file is read by one call and hashed in a batch of its directory.
SMALL_BYTES = 128 * 1024
BATCH_FILES = 512
# Below this much work threads cost more than they bring.
MIN_PARALLEL_BYTES = 4 << 20


@dataclass(slots=True)
class Comparison:
    """What came of it: how many files are equal, how many bytes they have, and findings."""

    equal: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


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
        self._findings = Findings()
        self._stamps: Mapping[str, Stamp] = {}
        # (name, start) of each piece whose digest is the signed one; adding is atomic.
        self._equal: set[tuple[str, int]] = set()

    def run(self, wanted: Sequence[Wanted], workers: int) -> Comparison:
        """Hashes the `wanted` files on `workers` threads and says which are as signed.

        Raises:
            Cancelled: the watcher of the progress asked to stop.
        """
        groups = by_directory(wanted)
        stability = Stability(self._root, groups, self._findings)
        self._stamps = stability.stamps
        self._progress.total += sum(stamp.size for stamp in self._stamps.values())
        self._hash(groups, workers)
        stability.recheck(self._tree)
        result = Comparison(findings=list(self._findings))
        for item in wanted:
            pieces = {(item.name, piece.start) for piece in item.pieces}
            if pieces <= self._equal and item.name not in self._findings:
                result.equal += 1
                result.bytes += self._stamps[item.name].size
        return result

    def _hash(self, groups: Mapping[tuple[int, str], Sequence[Wanted]], workers: int) -> None:
        large: list[tuple[int, Wanted, Piece]] = []
        batches: list[tuple[tuple[int, str], list[Wanted]]] = []
        for directory, items in groups.items():
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
        pool.run(jobs, workers if parallel else 1)

    def _batch(
        self, directory: tuple[int, str], items: Sequence[Wanted], _buffer: bytearray
    ) -> None:
        visit(self._root, {directory: items}, self._findings, self._small)

    def _small(self, here: int, item: Wanted) -> None:
        stamp = self._stamps[item.name]
        descriptor = open_file(here, item.place.name)
        try:
            same = Stamp.of(os.fstat(descriptor)) == stamp
            data = _read_whole(descriptor, stamp.size) if same else None
        finally:
            os.close(descriptor)
        if data is None:
            self._findings.changed(item.name)
            return
        self._progress.advance(len(data))
        self._compare(item, item.pieces[0], self._new(data).digest())

    def _large(self, item: Wanted, piece: Piece, buffer: bytearray) -> None:
        try:
            here = self._root.open_directory(item.place.base, item.place.directory)
            try:
                descriptor = open_file(here, item.place.name)
            finally:
                os.close(here)
            with io.FileIO(descriptor, "rb") as file:
                stamp = Stamp.of(os.fstat(descriptor))
                same = stamp == self._stamps[item.name]
                digest = self._read(file, piece, stamp.size, buffer) if same else None
        except OSError as error:
            self._findings.fault(item.name, error)
            return
        if digest is None:
            self._findings.changed(item.name)
            return
        self._compare(item, piece, digest)

    def _read(self, file: io.FileIO, piece: Piece, size: int, buffer: bytearray) -> bytes | None:
        """The digest of a piece, or None if the file ends before it does."""
        hasher, view = self._new(), memoryview(buffer)
        left = _length(piece, size)
        file.seek(piece.start)
        while left:
            count = file.readinto(view[: min(left, len(view))])
            if not count:
                return None
            hasher.update(view[:count])
            left -= count
            self._progress.advance(count)
        return hasher.digest()

    def _compare(self, item: Wanted, piece: Piece, digest: bytes) -> None:
        if digest == piece.digest:
            self._equal.add((item.name, piece.start))
            return
        part = "" if piece.end is None else f" between bytes {piece.start} and {piece.end}"
        self._findings.add(
            Code.FILE_MODIFIED,
            item.name,
            f"is not the file that was signed: its digest differs{part}",
            piece.digest.hex(),
            digest.hex(),
        )


def _read_whole(descriptor: int, size: int) -> bytes | None:
    """The `size` bytes of a small file, or None if it has fewer or more."""
    data = os.read(descriptor, size + 1)
    while 0 < len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data if len(data) == size else None


def _length(piece: Piece, size: int) -> int:
    return (size if piece.end is None else piece.end) - piece.start
