"""How time and memory grow with files and with bytes, and by which power."""

from __future__ import annotations

import math
import shutil
import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.scenarios import GIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.models import Models

FILES = (1_000, 3_000, 10_000, 30_000, 100_000, 200_000)
GIBIBYTES = (1, 3, 10, 30, 100)
SMALL = 1024


def measured(made: Models, *, runs: int, scale: float) -> Iterator[dict[str, Any]]:
    """A curve of each kind: `points` of (size, seconds, MiB at the peak), and the `exponent`."""
    start = made.ours(made.of(3, 1000))
    start.run()
    nothing = statistics.median(start.run().wall for _ in range(5))
    files = [max(100, int(count * scale)) for count in FILES]
    yield curve("files of 1 KiB", made, [(count, count, SMALL) for count in files], nothing, runs)
    large = [(count, count, max(1 << 20, int(GIB * scale))) for count in GIBIBYTES]
    yield curve("GiB", made, large, nothing, runs)


def curve(
    unit: str, made: Models, sizes: Sequence[tuple[int, int, int]], nothing: float, runs: int
) -> dict[str, Any]:
    """One curve over models of (size, files, bytes a file); each is gone after its turn.

    The exponent is the slope of the logarithms, less the time that the start takes: 1 is linear.
    """
    points = []
    for size, files, file_size in sizes:
        model = made.of(files, file_size)
        command = made.ours(model)
        command.run()
        used = [command.run() for _ in range(max(1, runs // 3))]
        seconds = statistics.median(each.wall for each in used)
        peak = statistics.median(each.peak for each in used)
        points.append({"size": size, "seconds": round(seconds, 4), "peak": round(peak, 1)})
        shutil.rmtree(model)
    logs = [(math.log(p["size"]), math.log(max(p["seconds"] - nothing, 1e-3))) for p in points]
    fitted = statistics.linear_regression(*zip(*logs, strict=True))
    return {"unit": unit, "points": points, "exponent": round(fitted.slope, 3)}
