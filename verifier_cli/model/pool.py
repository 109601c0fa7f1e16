"""Runs jobs on a few threads: as many as there are CPUs, and more while all they do is wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from verifier_cli.model.waiting import Watch

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

# Where storage is slow, so many threads wait for it at a time.
MOST = 16
# What takes less says nothing about the storage.
_MIN_SECONDS = 0.02
_HALF = 0.5
_MORE = 3


def run(jobs: deque[Callable[[], None]], workers: int, *, most: int = MOST) -> None:
    """Empties the queue on `workers` threads, the calling one among them.

    A thread that waited most of the time, as did the whole process, starts some more, up to `most`
    in all: it is the storage that they wait for, and it can serve several at a time.

    Raises:
        BaseException: the first that any job raised; the others then end after their job.
    """
    _Pool(jobs, most).run(workers)


class _Pool:
    def __init__(self, jobs: deque[Callable[[], None]], most: int) -> None:
        self._jobs = jobs
        self._most = most
        self._errors: list[BaseException] = []
        self._others: list[threading.Thread] = []
        self._growing = threading.Lock()

    def run(self, workers: int) -> None:
        for _ in range(workers - 1):
            self._start()
        self._work()
        # One that is started meanwhile is at the end of the list.
        for thread in self._others:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No more threads are granted; those that there are do the rest.
            return
        self._others.append(thread)

    def _work(self) -> None:
        watch = Watch()
        while not self._errors:
            try:
                job = self._jobs.popleft()
            except IndexError:
                return
            try:
                job()
            except BaseException as error:  # noqa: BLE001  (raised again by `run`)
                self._errors.append(error)
            if watch.seconds > _MIN_SECONDS:
                self._grow(watch)
                watch = Watch()

    def _grow(self, watch: Watch) -> None:
        if not self._jobs or watch.process_computed() > _HALF or watch.waited() < _HALF:
            return
        with self._growing:
            running = 1 + sum(thread.is_alive() for thread in self._others)
            for _ in range(min(_MORE, self._most - running)):
                self._start()
