"""Shows how far the hashing is: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from verifier_cli.host.session import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verifier_cli.host.logs import Log
    from verifier_cli.model.progress import Progress

# Most models are done before a bar could be read.
_MIN_BYTES = 64 << 20


@contextmanager
def watcher(stream: IO[str], log: Log, *, draw: bool) -> Iterator[Callable[[Progress], None]]:
    """Yields the function that looks at the progress some ten times a second."""
    if not (draw and stream.isatty()):
        yield Ticker(log)
        return
    bar = _Bar(stream)
    try:
        yield bar
    finally:
        bar.stop()


class _Bar:
    """A progress bar with bytes, rate and time left; drawn once there is enough to hash."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._stop: Callable[[], None] = lambda: None
        self._update: Callable[[Progress], None] | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.total < _MIN_BYTES:
            return
        if self._update is None:
            self._start()
        if self._update is not None:
            self._update(progress)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bars

        bars = Bars(
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(file=self._stream),
            transient=True,
        )
        task = bars.add_task("hashing", total=None)
        bars.start()
        self._stop = bars.stop
        self._update = lambda progress: bars.update(
            # Of a total that is None rich makes no change: while it is not known, none is told.
            task,
            completed=progress.done,
            total=None if progress.sizing else progress.total,
        )

    def stop(self) -> None:
        """Takes the bar away."""
        self._stop()
