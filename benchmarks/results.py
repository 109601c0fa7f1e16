"""What was measured, as JSON, as a table, as a picture, and beside what was measured before."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier_cli import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# The result of the last release, and of what is to be the next one until then.
STORED = Path(__file__).with_name("results.json")
# A change of less is no news, whatever the spread.
NEWS = 0.10


def described() -> dict[str, Any]:
    """The version, and what of the machine makes a difference to ratios."""
    flags = Path("/proc/cpuinfo").read_text("ascii", "replace").split()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)),
        "sha": bool({"sha_ni", "sha2"} & set(flags)),
    }


def is_met(row: dict[str, Any]) -> bool | None:
    """Whether the medians are as asked; None if nothing was."""
    if row["most"] is None:
        return None
    figure = row["figure"]
    limit = row["most"] * row["theirs"][figure]["median"] + row["seconds"]
    return bool(row["ours"][figure]["median"] <= limit)


def table(rows: Iterable[dict[str, Any]]) -> Iterator[Sequence[str]]:
    """The rows in words: the ratio with its quartiles, and what it is of."""
    yield ("work", "model-verify", "against", "ratio", "asked for", "peak memory", "runs")
    yield ("---",) * 7
    for row in rows:
        ours, theirs, ratio = (row[part][row["figure"]] for part in ("ours", "theirs", "ratio"))
        more = f" + {row['seconds'] * 1000:.0f} ms" if row["seconds"] else ""
        met = {None: "", True: ", met", False: ", MISSED"}[is_met(row)]
        # An import alone, and openssl, hold less than any verification.
        memory = "-"
        if row["against"] == "model_signing":
            peak = row["ours"]["peak"]["median"]
            memory = f"{row['ratio']['peak']['median']:.2f} x ({peak:.0f} MiB)"
        yield (
            row["name"],
            f"{ours['median']:.3f} s",
            f"{theirs['median']:.3f} s ({row['against']})",
            f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f}) {row['figure']}",
            "-" if row["most"] is None else f"{row['most']:g}{more}{met}",
            memory,
            str(row["runs"]),
        )


def changes(rows: Iterable[dict[str, Any]], before: dict[str, Any]) -> Iterator[str]:
    """What is faster or slower than it was, by more than both spreads and a tenth."""
    known = {row["name"]: row for row in before.get("rows", ())}
    for row in rows:
        if (old := known.get(row["name"])) is None:
            continue
        now, then = (each["ratio"][row["figure"]] for each in (row, old))
        share = now["median"] / then["median"] - 1
        apart = now["low"] > then["high"] or now["high"] < then["low"]
        if apart and abs(share) > NEWS:
            word = "slower" if share > 0 else "faster"
            then_now = f"{then['median']:.2f}, now {now['median']:.2f}"
            yield f"{row['name']}: {word} by {abs(share):.0%} (ratio {then_now})"


def stored(path: Path = STORED) -> dict[str, Any]:
    """An earlier result; nothing if there is none."""
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


def draw(curves: Iterable[dict[str, Any]], path: Path) -> None:
    """Draws the curves, time over size, both by powers of ten, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "model-verify", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot as plt

    drawn = list(curves)
    figure, axes = plt.subplots(1, len(drawn), figsize=(4.2 * len(drawn), 3.2), squeeze=False)
    for axis, each in zip(axes[0], drawn, strict=True):
        sizes = [point["size"] for point in each["points"]]
        axis.loglog(sizes, [point["seconds"] for point in each["points"]], "o-", label="seconds")
        peaks = [point["peak"] for point in each["points"]]
        axis.loglog(sizes, peaks, "s--", color="tab:gray", label="MiB at the peak")
        axis.set_xlabel(each["unit"])
        axis.set_title(f"seconds grow by the power {each['exponent']:.2f}")
        axis.grid(visible=True, which="major", alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
