"""Progress is counted per thread, and can be cancelled from outside."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from verifier_cli.model.progress import Cancelled, Progress

if TYPE_CHECKING:
    from collections.abc import Callable


def in_four_threads(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_bytes_of_all_threads_are_summed() -> None:
    progress = Progress()
    assert (progress.total, progress.done) == (0, 0)
    in_four_threads(lambda: progress.advance(5))
    progress.advance(1)
    progress.advance(2)
    # A thread that ended may have left its id to the next; its bytes stay.
    assert progress.done == 23


def test_what_all_threads_expect_is_summed() -> None:
    progress = Progress()
    in_four_threads(lambda: progress.expect(5))
    progress.expect(1)
    assert (progress.total, progress.done) == (21, 0)


def test_a_cancelled_worker_stops_at_its_next_chunk() -> None:
    progress = Progress()
    progress.advance(1)
    progress.cancelled = True
    with pytest.raises(Cancelled):
        progress.advance(1)
    assert progress.done == 1
