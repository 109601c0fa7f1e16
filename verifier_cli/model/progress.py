"""How far the hashing is; read, and cancelled, from another thread."""

from __future__ import annotations

import threading


class Cancelled(Exception):  # noqa: N818  (an order, not a fault)
    """Somebody who watches the progress asked to stop."""


class Progress:
    """Bytes to hash and bytes hashed, of all models begun so far.

    Another thread may read them, and may cancel the work.
    """

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
