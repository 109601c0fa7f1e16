"""Whether a thread waits for the storage, or computes, or would compute if it were let."""

from __future__ import annotations

import time

# "ns on a CPU, ns in the queue for one, turns" (Linux, Documentation/scheduler/sched-stats).
_SCHEDSTAT = "/proc/thread-self/schedstat"


class Watch:
    """How the calling thread has spent its time since the watch was made.

    Time in the queue for a CPU is no waiting: under a small quota, or on a busy machine, more
    threads would only make it worse. Where the kernel does not tell, nothing counts as waiting.
    """

    def __init__(self) -> None:
        """Starts now."""
        self._start = time.monotonic()
        self._queued = _queued()
        self._ran = time.thread_time()
        self._process = time.process_time()

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._start

    def waited(self) -> float:
        """The part of the time, from 0 to 1, in which this thread waited for no CPU."""
        seconds, queued = self.seconds, _queued()
        if self._queued is None or queued is None or not seconds:
            return 0.0
        wanted = time.thread_time() - self._ran + queued - self._queued
        return max(0.0, 1 - wanted / seconds)

    def process_computed(self) -> float:
        """CPUs that the whole process had, on average."""
        return (time.process_time() - self._process) / (self.seconds or 1)


def _queued() -> float | None:
    """Seconds that this thread was in the queue for a CPU."""
    try:
        with open(_SCHEDSTAT, "rb", buffering=0) as file:
            _, queued, _ = file.read().split()
    except (OSError, ValueError):
        return None
    return int(queued) / 1e9
