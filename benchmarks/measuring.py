"""Runs two commands in turn, as whole processes, and keeps what each run used."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIGURES = ("wall", "cpu", "peak")


@dataclass(frozen=True)
class Usage:
    """What one finished process used: seconds, and MiB at its peak."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Command:
    """A command line and what it needs in its environment; `parts` run at the same time."""

    parts: tuple[tuple[str, ...], ...]
    environment: tuple[tuple[str, str], ...] = ()

    def run(self) -> Usage:
        """Runs it and returns what it used; raises if it failed."""
        environment = {**os.environ, **dict(self.environment)}
        start = time.perf_counter()
        running = [
            subprocess.Popen(
                part, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for part in self.parts
        ]
        cpu = peak = 0.0
        for part, process in zip(self.parts, running, strict=True):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise SystemExit(f"{' '.join(part)} ended with {process.returncode}")
            cpu += usage.ru_utime + usage.ru_stime
            peak = max(peak, usage.ru_maxrss / 1024)
        return Usage(time.perf_counter() - start, cpu, peak)


def in_turn(
    ours: Command, theirs: Command, runs: int, before: Callable[[], object]
) -> dict[str, Any]:
    """Both in turn, after one run of each that does not count; `before` comes before each run.

    For `ours` and `theirs`, and for `ratio`, pair by pair: by figure, `median`, and the quartiles
    `low` and `high`.
    """

    def run(command: Command) -> Usage:
        before()
        return command.run()

    run(ours)
    run(theirs)
    pairs = [(run(ours), run(theirs)) for _ in range(runs)]

    def of(values: Callable[[Usage, Usage, str], float]) -> dict[str, dict[str, float]]:
        return {name: spread([values(*pair, name) for pair in pairs]) for name in FIGURES}

    return {
        "runs": runs,
        "ours": of(lambda mine, _, name: float(getattr(mine, name))),
        "theirs": of(lambda _, its, name: float(getattr(its, name))),
        "ratio": of(lambda mine, its, name: float(getattr(mine, name) / getattr(its, name))),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles; of fewer than three values, least and most."""
    low, high = min(values), max(values)
    if len(values) > 2:  # noqa: PLR2004
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    found = {"median": statistics.median(values), "low": low, "high": high}
    return {name: round(value, 4) for name, value in found.items()}
