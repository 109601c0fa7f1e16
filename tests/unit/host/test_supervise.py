"""Nothing keeps a deadline or a signal from ending the process."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from verifier_cli.errors import DeadlineError
from verifier_cli.host.supervise import Interrupted, handle_signals, supervise
from verifier_cli.model.progress import Cancelled
from verifier_cli.verdict import Reason

if TYPE_CHECKING:
    from verifier_cli.model.progress import Progress


def ignore(progress: Progress) -> None:
    del progress


def test_what_the_work_returns() -> None:
    assert supervise(lambda _: 7, timeout_seconds=60, tick=ignore) == 7


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_work_raises(error: BaseException) -> None:
    def work(_: Progress) -> NoReturn:
        raise error

    with pytest.raises(type(error)) as caught:
        supervise(work, timeout_seconds=60, tick=ignore)
    assert caught.value is error


def test_the_work_is_watched() -> None:
    looked = threading.Event()

    def tick(progress: Progress) -> None:
        assert progress.total == 5
        looked.set()

    def work(progress: Progress) -> bool:
        progress.expect(5)
        return looked.wait(60)

    assert supervise(work, timeout_seconds=60, tick=tick)


def test_the_deadline_ends_work_that_hangs() -> None:
    never = threading.Event()
    cancelled: list[bool] = []

    def work(progress: Progress) -> None:
        never.wait(60)
        cancelled.append(progress.cancelled)

    with pytest.raises(DeadlineError, match=r"not done within 0\.2 seconds") as caught:
        supervise(work, timeout_seconds=0.2, tick=ignore)
    assert "Raise the time limit" in caught.value.sentence
    never.set()


def test_the_deadline_cancels_the_work() -> None:
    ended = threading.Event()

    def work(progress: Progress) -> None:
        try:
            while True:
                progress.advance(1)
        except Cancelled:
            ended.set()

    with pytest.raises(DeadlineError):
        supervise(work, timeout_seconds=0.1, tick=ignore)
    assert ended.wait(60)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGINT, Reason.INTERRUPTED), (signal.SIGTERM, Reason.TERMINATED)],
)
def test_a_signal_ends_work_that_hangs(number: signal.Signals, reason: Reason) -> None:
    handle_signals()
    never = threading.Event()

    def work(_: Progress) -> None:
        os.kill(os.getpid(), number)
        never.wait(60)

    with pytest.raises(Interrupted, match=f"ended by {number.name}") as caught:
        supervise(work, timeout_seconds=60, tick=ignore)
    assert caught.value.reason is reason
    assert not isinstance(caught.value, Exception), "nothing may swallow it"
    # A second signal must not interrupt the writing of the report.
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    never.set()
