"""Runs a verification under a deadline, signals and a watcher.

The work runs in a thread of its own and the main thread waits: so a read that hangs on dead
storage cannot keep a deadline or SIGTERM from ending the process. As PID 1 of a container
nothing ends a process but what it handles itself.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, NoReturn, TypeVar

from verifier_cli.errors import DeadlineError
from verifier_cli.model.progress import Progress
from verifier_cli.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_T = TypeVar("_T")
_TICK_SECONDS = 0.1
# A cancelled worker notices at its next chunk; one that hangs is left behind.
_GRACE_SECONDS = 0.3


class Interrupted(BaseException):
    """A signal asked the process to end. Not an `Exception`: nothing may swallow it.

    Attributes:
        reason: INTERRUPTED for SIGINT, TERMINATED for SIGTERM.
    """

    def __init__(self, number: int) -> None:
        """Names the reason for the signal `number`."""
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.reason = Reason.INTERRUPTED if number == signal.SIGINT else Reason.TERMINATED


def handle_signals() -> None:
    """Makes SIGINT and SIGTERM raise `Interrupted` in the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # The first signal decides; a second one must not interrupt the writing of the report.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def _overdue(seconds: float) -> NoReturn:
    raise DeadlineError(
        f"the verification was not done within {seconds:g} seconds",
        advice="Raise the time limit, or look whether the storage hangs",
    )


def supervise(
    work: Callable[[Progress], _T], *, timeout_seconds: float, tick: Callable[[Progress], None]
) -> _T:
    """Returns what `work` returns; calls `tick` about ten times a second meanwhile.

    Raises:
        DeadlineError: `work` was not done in time.
        Interrupted: a signal came.
        Exception: whatever `work` raised.
    """
    progress = Progress()
    outcome: list[_T] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            outcome.append(work(progress))
        except BaseException as error:  # noqa: BLE001  (raised again in the main thread)
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="verify", daemon=True)
    deadline = time.monotonic() + timeout_seconds
    thread.start()
    try:
        while not done.wait(min(_TICK_SECONDS, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                _overdue(timeout_seconds)
            tick(progress)
    except BaseException:
        progress.cancelled = True
        thread.join(_GRACE_SECONDS)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
