"""Every job is run once, on real threads; the first error ends all."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import pytest

from verifier_cli.model import pool

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_jobs_are_run_once(workers: int) -> None:
    done: list[int] = []

    def job(number: int) -> Callable[[bytearray], None]:
        return lambda buffer: done.append(number * len(buffer))

    jobs = deque(job(number) for number in range(20))
    pool.run(jobs, workers)
    assert sorted(done) == [number * pool.BUFFER_BYTES for number in range(20)]
    assert not jobs


def test_each_thread_has_a_buffer_of_its_own() -> None:
    buffers: set[int] = set()
    meeting = threading.Barrier(2, timeout=30)

    def job(buffer: bytearray) -> None:
        buffers.add(id(buffer))
        meeting.wait()

    pool.run(deque([job, job]), 2)
    assert len(buffers) == 2


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_is_raised_and_ends_the_rest(workers: int) -> None:
    done: list[int] = []

    def fails(_: bytearray) -> None:
        raise KeyboardInterrupt

    jobs = deque([fails, *[lambda _: done.append(1)] * 1000])
    with pytest.raises(KeyboardInterrupt):
        pool.run(jobs, workers)
    if workers == 1:
        assert not done


def test_no_job() -> None:
    pool.run(deque(), 2)


def test_where_no_more_threads_are_granted_the_rest_is_done_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def refusing(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    done: list[int] = []
    pool.run(deque([lambda _: done.append(1)] * 9), 4)
    assert len(done) == 9
