"""Reads large files in order, chunk by chunk; several chunks at a time where the storage is slow.

From memory, or a disk of one's own, a chunk is read faster than it is hashed, and a thread that
reads ahead would only cost. On storage far away each read waits: there several are in flight, and
are handed out in order all the same. Memory is bounded by the reads in flight, and one chunk for
each file that is read at a time.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from queue import SimpleQueue

from verifier_cli.model.waiting import Watch

CHUNK_BYTES = 1 << 20
# For all files that are read at a time.
IN_FLIGHT = 16
# After so long, and again each time that it was twice as long, it is decided: storage is slow that
# is waited for half of the time.
_TRIAL_SECONDS = 0.02
_SLOW = 0.5


class Buffers:
    """Chunks of memory that are used again; of any thread."""

    def __init__(self) -> None:
        """Has none yet."""
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """A buffer of `CHUNK_BYTES`."""
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(bytearray(CHUNK_BYTES))

    def give(self, buffer: memoryview) -> None:
        """Takes one back that nobody writes to any more."""
        self._free.append(buffer)


class Chunk:
    """A part of an open file, and the buffer that it is read into."""

    def __init__(self, descriptor: int, offset: int, wanted: memoryview) -> None:
        """Wants as many bytes from `offset` as `wanted` is long."""
        self._descriptor, self._offset, self._wanted = descriptor, offset, wanted
        self._ended: SimpleQueue[memoryview | BaseException] = SimpleQueue()
        self._outcome: memoryview | BaseException | None = None

    def read(self) -> memoryview:
        """Reads, and returns what there is: less than wanted only where the file ends."""
        count = 0
        while rest := self._wanted[count:]:
            more = os.preadv(self._descriptor, [rest], self._offset + count)
            if not more:
                break
            count += more
        return self._wanted[:count]

    def serve(self) -> None:
        """Reads for another thread, which calls `wait`."""
        try:
            self._ended.put(self.read())
        except BaseException as error:  # noqa: BLE001  (raised again in `wait`)
            self._ended.put(error)

    def wait(self) -> memoryview:
        """Returns, or raises, what came of it in the other thread; the same if asked again."""
        if self._outcome is None:
            self._outcome = self._ended.get()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


class Readers:
    """Threads that read ahead, for all files. They start when they are needed.

    Args:
        in_flight: so many chunks are read at a time, shared by those who have them read.
    """

    def __init__(self, in_flight: int = IN_FLIGHT) -> None:
        """Starts none yet."""
        self._in_flight = in_flight
        self._sharing = 0
        self._asked: SimpleQueue[Chunk | None] = SimpleQueue()
        self._threads = 0
        self._starting = threading.Lock()

    def join(self) -> bool:
        """Takes a share; False if nobody can read, since no thread is granted."""
        with self._starting:
            try:
                while self._threads < self._in_flight:
                    threading.Thread(target=self._serve, daemon=True).start()
                    self._threads += 1
            except RuntimeError:
                pass  # no more threads are granted: those that there are do it
            self._sharing += self._threads > 0
        return self._threads > 0

    def leave(self) -> None:
        """Gives the share back."""
        with self._starting:
            self._sharing -= 1

    @property
    def share(self) -> int:
        """How many chunks each who takes part may have read at a time: at least one."""
        return max(1, self._in_flight // max(1, self._sharing))

    def _serve(self) -> None:
        while (chunk := self._asked.get()) is not None:
            chunk.serve()

    def ask(self, chunk: Chunk) -> None:
        """Has it read."""
        self._asked.put(chunk)

    def close(self) -> None:
        """Ends them, each after what it reads."""
        for _ in range(self._threads):
            self._asked.put(None)
        self._threads = 0


class Stream:
    """The bytes of an open file from `start` to `end`, in order, chunk by chunk."""

    def __init__(
        self, descriptor: int, start: int, end: int, buffers: Buffers, readers: Readers
    ) -> None:
        """Reads nothing yet."""
        self._descriptor, self._offset, self._end = descriptor, start, end
        self._buffers, self._readers = buffers, readers
        self._is_ahead = False
        # Those ahead, in order, and that which was handed out, each with its buffer.
        self._ahead: deque[tuple[Chunk, memoryview]] = deque()
        self._in_use: memoryview | None = None
        self._watch, self._decide_at = Watch(), _TRIAL_SECONDS

    def next(self) -> memoryview:
        """The next chunk, good until the next call; empty at the end, be it that of the file.

        Raises:
            OSError: it cannot be read.
        """
        self._give_back()
        if not self._ahead and self._offset == self._end:
            return memoryview(b"")
        self._is_ahead = self._is_ahead or (self._is_slow() and self._readers.join())
        if self._is_ahead:
            self._ask()
            # It stays in the row until it was read: `close` waits for what is in the row.
            chunk, buffer = self._ahead[0]
            found = chunk.wait()
            self._ahead.popleft()
            self._in_use = buffer
        else:
            chunk, self._in_use = self._chunk()
            found = chunk.read()
        return found

    def _is_slow(self) -> bool:
        if self._watch.seconds < self._decide_at:
            return False
        self._decide_at = 2 * self._watch.seconds
        return self._watch.waited() > _SLOW

    def _ask(self) -> None:
        """Has as much read ahead as may be; at least one chunk, if it is not the end."""
        while self._offset < self._end and len(self._ahead) < self._readers.share:
            ahead = self._chunk()
            self._ahead.append(ahead)
            self._readers.ask(ahead[0])

    def _chunk(self) -> tuple[Chunk, memoryview]:
        buffer, offset = self._buffers.take(), self._offset
        self._offset = min(offset + len(buffer), self._end)
        return Chunk(self._descriptor, offset, buffer[: self._offset - offset]), buffer

    def _give_back(self) -> None:
        if self._in_use is not None:
            self._buffers.give(self._in_use)
            self._in_use = None

    def close(self) -> None:
        """Waits for what is still being read; then the file may be closed."""
        self._give_back()
        for chunk, buffer in self._ahead:
            with contextlib.suppress(Exception):
                chunk.wait()
            self._buffers.give(buffer)
        self._ahead.clear()
        if self._is_ahead:
            self._is_ahead = False
            self._readers.leave()
