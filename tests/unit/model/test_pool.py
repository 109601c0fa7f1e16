"""Every job is run once, on real threads; the first error ends all."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import pytest

from verifier_cli.model import pool

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_jobs_are_run_once(workers: int) -> None:
    done: list[int] = []

    def job(number: int) -> Callable[[], None]:
        return lambda: done.append(number)

    jobs = deque(job(number) for number in range(20))
    pool.run(jobs, workers)
    assert sorted(done) == list(range(20))
    assert not jobs


def test_while_all_they_do_is_wait_there_are_more_of_them() -> None:
    """Storage far away can serve several at a time."""
    most = now = 0
    guard = threading.Lock()

    def waits() -> None:
        nonlocal most, now
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with guard:
            now -= 1

    pool.run(deque([waits] * 100), 1)
    assert 2 < most <= pool.MOST


def test_who_computes_is_left_alone() -> None:
    threads: set[int] = set()

    def computes() -> None:
        threads.add(threading.get_ident())
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    pool.run(deque([computes] * 5), 1)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_is_raised_and_ends_the_rest(workers: int) -> None:
    done: list[int] = []

    def fails() -> None:
        raise KeyboardInterrupt

    jobs = deque([fails, *[lambda: done.append(1)] * 1000])
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
    pool.run(deque([lambda: done.append(1)] * 9), 4)
    assert len(done) == 9
