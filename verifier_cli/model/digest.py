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

from verifier_cli.model import pool
from verifier_cli.model.hashes import hasher_for
from verifier_cli.model.large import LargeFiles
from verifier_cli.model.root import open_file
from verifier_cli.model.stability import Findings, recheck, recheck_directories, visit
from verifier_cli.model.stamps import settled
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from verifier_cli.model.progress import Progress
    from verifier_cli.model.root import Root
    from verifier_cli.model.stability import Wanted
    from verifier_cli.model.tree import Tree
    from verifier_cli.verdict import Finding

# Up to here a file is read by one call and hashed as soon as it is opened.
SMALL_BYTES = 128 * 1024
# Files of one directory that are looked at in one job; where the first few of them take long, it is
# the storage that is slow, and the rest is shared out by as few.
BATCH_FILES = 64
FEW_FILES = 8
SLOW_SECONDS = 0.05


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
        self._large = LargeFiles(root, self._findings, hash_type, progress)

    def run(self, wanted: Sequence[Wanted], workers: int) -> Comparison:
        """Hashes the `wanted` files on `workers` threads and says which are as signed.

        Raises:
            Cancelled: the watcher of the progress asked to stop.
        """
        self._progress.sizing = True
        self._in_batches(wanted, partial(visit, look=self._look))
        self._progress.sizing = False
        self._large.read(workers)
        self._in_batches(wanted, recheck)
        recheck_directories(self._root, self._tree, self._findings)
        return self._result(wanted)

    def _in_batches(self, wanted: Sequence[Wanted], job: Callable[..., None]) -> None:
        jobs: deque[Callable[[], None]] = deque()

        def batch(each: Wanted, first: range, rest: range) -> None:
            self._progress.check()
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
            status = settled(descriptor)
            if status is None or not stat.S_ISREG(status.st_mode):
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
                self._large.add(wanted, index, size)
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
            if digest != piece.digest:
                self._findings.differs(listing.name(index), piece, digest)
                return
        wanted.equal[index] = 1


def _sliced(indices: range, size: int) -> Iterator[range]:
    return (indices[first : first + size] for first in range(0, len(indices), size))


def _split(indices: range) -> tuple[range, range]:
    return indices[:FEW_FILES], indices[FEW_FILES:]


def _read_on(descriptor: int, size: int, data: bytes) -> bytes | None:
    """The `size` bytes of a small file that begins with `data`, or None if it has fewer or more."""
    while 0 < len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data if len(data) == size else None
