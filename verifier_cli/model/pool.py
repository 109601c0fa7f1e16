"""Runs jobs on a few threads, each with one read buffer of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

BUFFER_BYTES = 1 << 20


def run(jobs: deque[Callable[[bytearray], None]], workers: int) -> None:
    """Empties the queue on `workers` threads, the calling one among them.

    Raises:
        BaseException: the first that any job raised; the others then end after their job.
    """
    errors: list[BaseException] = []

    def work() -> None:
        buffer = bytearray(BUFFER_BYTES)
        while not errors:
            try:
                job = jobs.popleft()
            except IndexError:
                return
            try:
                job(buffer)
            except BaseException as error:  # noqa: BLE001  (raised again by the caller)
                errors.append(error)

    others: list[threading.Thread] = []
    for _ in range(workers - 1):
        thread = threading.Thread(target=work, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No more threads are granted; the calling one does the rest.
            break
        others.append(thread)
    work()
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]
