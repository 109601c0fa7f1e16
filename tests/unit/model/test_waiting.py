"""Waiting is neither computing nor being kept from it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from verifier_cli.model import waiting
from verifier_cli.model.waiting import Watch

if TYPE_CHECKING:
    import pytest


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_who_sleeps_waits() -> None:
    watch = Watch()
    time.sleep(0.2)
    assert watch.waited() > 0.5
    assert watch.process_computed() < 0.5
    assert watch.seconds >= 0.2


def test_who_computes_does_not_wait() -> None:
    watch = Watch()
    compute(0.1)
    assert watch.waited() < 0.5
    assert watch.process_computed() > 0


def test_others_computing_is_not_this_threads_time() -> None:
    watch = Watch()
    other = threading.Thread(target=compute, args=(0.1,))
    other.start()
    other.join()
    assert watch.waited() > 0.5


def test_where_the_kernel_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/nowhere", "/proc/self/status"):
        monkeypatch.setattr(waiting, "_SCHEDSTAT", path)
        watch = Watch()
        time.sleep(0.01)
        assert watch.waited() == 0
