"""From policies to a report that always exists, whatever goes wrong on the way."""

from __future__ import annotations

import contextlib
import time
from typing import IO, TYPE_CHECKING

from verifier_cli.errors import ConfigError, ModelVerifyError, Problem
from verifier_cli.host.supervise import Interrupted, supervise
from verifier_cli.inputs import why
from verifier_cli.runs import Clock, undecided, verify
from verifier_cli.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verifier_cli.host.logs import Log
    from verifier_cli.model.progress import Progress
    from verifier_cli.policy import Policy
    from verifier_cli.runs import Settings
    from verifier_cli.verdict import Report

_PROGRESS_SECONDS = 5.0


class Ticker:
    """Logs `hash.progress` every few seconds of long work."""

    def __init__(self, log: Log) -> None:
        """Waits for the hashing to begin."""
        self._log = log
        # When the last line was written, or the hashing began, and how far it was then.
        self._last: tuple[float, int] | None = None

    def __call__(self, progress: Progress) -> None:
        """Looks whether it is time for a line."""
        now, done, total = time.monotonic(), progress.done, progress.total
        if self._last is None and total:
            self._last = now, done
        if self._last is None or now - self._last[0] < _PROGRESS_SECONDS:
            return
        rate = (done - self._last[1]) / (now - self._last[0])
        self._last = now, done
        sized = not progress.sizing
        self._log.event(
            "hash.progress",
            "hashing",
            bytes=done,
            totalBytes=total if sized else None,
            bytesPerSecond=round(rate),
            etaSeconds=round((total - done) / rate) if sized and rate else None,
        )


def decide(
    load: Callable[[], Sequence[Policy]],
    settings: Callable[[Sequence[Policy]], Settings],
    log: Log,
    *,
    timeout_seconds: float | None,
    tick: Callable[[Progress], None],
) -> Report:
    """Loads the policies, verifies, and returns the report of it, also of a failure.

    Args:
        timeout_seconds: None takes what the policies allow, all together.
    """
    clock = Clock()
    policies: Sequence[Policy] = ()
    engine = "native"
    try:
        policies = load()
        how = settings(policies)
        engine = how.engine
        seconds = timeout_seconds or sum(policy.timeout_seconds for policy in policies)
        report = supervise(
            lambda progress: verify(policies, how, log, progress),
            timeout_seconds=seconds,
            tick=tick,
        )
    except ModelVerifyError as error:
        reason, sentence = Reason[error.reason], error.sentence
        report = undecided(reason, sentence, clock, policies=policies, engine=engine)
    except Interrupted as error:
        report = undecided(error.reason, str(error), clock, policies=policies, engine=engine)
    except Exception as error:  # noqa: BLE001  (a bug: reported as such, never as a verdict)
        report = internal(error, log, clock, policies, engine)
    _finish(report, log)
    return report


def internal(
    error: Exception, log: Log, clock: Clock, policies: Sequence[Policy], engine: str
) -> Report:
    """The report of a bug; the trace goes to the log at level debug."""
    import traceback

    log.event("trace", "".join(traceback.format_exception(error)))
    sentence = f"internal error ({type(error).__name__}); --log-level debug shows the trace"
    return undecided(Reason.INTERNAL, sentence, clock, policies=policies, engine=engine)


def _finish(report: Report, log: Log) -> None:
    if report.error is not None:
        log.event("error", report.error, reason=report.reason.name)
    count = sum(model.bytes for model in report.models)
    seconds = report.duration_ms / 1000
    log.event(
        "verify.finished",
        f"{report.verdict.value}: {report.reason.meaning}",
        verdict=report.verdict.value,
        reason=report.reason.name,
        exitCode=report.exit_code,
        bytes=count,
        durationMs=report.duration_ms,
        bytesPerSecond=round(count / seconds) if seconds else None,
    )


def write(stream: IO[bytes], data: bytes) -> None:
    """Writes a report; a reader who went away does not change the verdict."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(data)
        stream.flush()


def deliver(stream: IO[bytes], data: bytes) -> None:
    """Writes what is itself the result of a command, such as a manifest.

    Raises:
        ConfigError: it could not be written whole.
    """
    try:
        stream.write(data)
        stream.flush()
    except (OSError, ValueError) as error:
        raise ConfigError(Problem("standard output", f"cannot be written: {why(error)}")) from None
