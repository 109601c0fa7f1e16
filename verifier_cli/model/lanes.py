"""Hashes pieces of large files, one or two of them at a time on one CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verifier_cli.model.hashes import Hasher, Together
    from verifier_cli.model.reading import Stream


class Lane:
    """A piece of an open file on its way through a hash function.

    Attributes:
        left: bytes that are still to be hashed; with none, the digest is that of the piece.
        error: why it could not be read on.
    """

    def __init__(self, descriptor: int, stream: Stream, hasher: Hasher, length: int) -> None:
        """Owns the descriptor from now on."""
        self._descriptor = descriptor
        self._stream = stream
        self.hasher = hasher
        self.left = length
        self.error: OSError | None = None

    def next(self) -> memoryview:
        """The next bytes of the piece; none at its end, and none if it cannot be read on."""
        try:
            return self._stream.next()
        except OSError as error:
            self.error = error
            return memoryview(b"")

    def close(self) -> None:
        """Closes the file; a fault of that counts as one of reading."""
        try:
            self._stream.close()
        finally:
            try:
                os.close(self._descriptor)
            except OSError as error:
                self.error = self.error or error


def run(lanes: Sequence[Lane], together: Together | None, advance: Callable[[int], None]) -> None:
    """Hashes all lanes to their ends, and calls `advance` with each number of bytes."""
    while lanes:
        fed = [(lane, chunk) for lane in lanes if (chunk := lane.next())]
        if together is not None and len(fed) == 2:  # noqa: PLR2004
            (one, chunk), (other, others_chunk) = fed
            together(one.hasher, chunk, other.hasher, others_chunk)
        else:
            for lane, chunk in fed:
                lane.hasher.update(chunk)
        for lane, chunk in fed:
            lane.left -= len(chunk)
            advance(len(chunk))
        lanes = [lane for lane, _ in fed]
