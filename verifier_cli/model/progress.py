"""How far the hashing is; read, and cancelled, from another thread."""

from __future__ import annotations

import threading


class Cancelled(Exception):  # noqa: N818  (an order, not a fault)
    """Somebody who watches the progress asked to stop."""


class Progress:
    """Bytes to hash and bytes hashed, of all models begun so far.

    Another thread may read them, and may cancel the work.

    Attributes:
        cancelled: set to have the work stop.
        sizing: whether sizes of files are still to be found, so that `total` grows.
    """

    def __init__(self) -> None:
        """Starts at zero."""
        self.cancelled = False
        self.sizing = False
        # By thread: adding to what several threads share would lose some of it.
        self._done: dict[int, int] = {}
        self._total: dict[int, int] = {}

    @property
    def total(self) -> int:
        """Bytes to hash, as far as they are known."""
        return sum(self._total.copy().values())

    @property
    def done(self) -> int:
        """Bytes hashed so far."""
        return sum(self._done.copy().values())

    def expect(self, count: int) -> None:
        """Adds `count` bytes that are to be hashed."""
        thread = threading.get_ident()
        self._total[thread] = self._total.get(thread, 0) + count

    def check(self) -> None:
        """Raises Cancelled if the watcher asked to stop."""
        if self.cancelled:
            raise Cancelled

    def advance(self, count: int) -> None:
        """Adds `count` bytes that were hashed.

        Raises:
            Cancelled: the watcher asked to stop.
        """
        self.check()
        thread = threading.get_ident()
        self._done[thread] = self._done.get(thread, 0) + count
