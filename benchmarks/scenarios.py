"""The table of docs/performance.md as data, and how a row of it is measured."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from benchmarks import models, storage
from benchmarks.measuring import in_turn
from images.tools import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.models import Models

KIB, GIB = 1 << 10, 1 << 30


@dataclass(frozen=True)
class Scenario:
    """One row.

    Attributes:
        files, size: the model; large files shrink, or small ones get fewer, by `--scale`.
        most: what is asked for: this ratio at most, of `figure`, and `seconds` more.
        compiled: whether model-verify-native takes part.
    """

    name: str
    files: int = 3
    size: int = 1000
    where: Literal["memory", "disk", "far away"] = "memory"
    against: Literal["model_signing", "openssl", "import sigstore.verify"] = "model_signing"
    figure: Literal["cpu", "wall"] = "wall"
    most: float | None = None
    seconds: float = 0.0
    compiled: bool = True


SCENARIOS = (
    Scenario("key, tiny model", figure="cpu", most=0.35),
    Scenario(
        "sigstore, tiny model, offline",
        against="import sigstore.verify",
        most=1.0,
        seconds=0.060,
    ),
    Scenario("20 000 files of 4 KiB", 20_000, 4 * KIB, most=0.20),
    Scenario("20 000 files of 4 KiB, not in memory", 20_000, 4 * KIB, "disk"),
    Scenario("4 files of 1 GiB", 4, GIB, most=1.0),
    Scenario("4 files of 1 GiB, nothing compiled", 4, GIB, most=1.0, compiled=False),
    Scenario("4 files of 1 GiB, not in memory", 4, GIB, "disk"),
    Scenario("4 files of 1 GiB, against openssl", 4, GIB, against="openssl", most=1.1),
    Scenario("2 files of 1 GiB, against openssl", 2, GIB, against="openssl", most=1.1),
    Scenario("1 file of 256 MiB, 20 ms a read", 1, GIB // 4, "far away", most=0.25),
    Scenario("1000 files of 4 KiB, 20 ms a read", 1000, 4 * KIB, "far away"),
)


def measured(made: Models, *, runs: int, scale: float, only: str) -> Iterator[dict[str, Any]]:
    """Measures the scenarios whose name holds `only`, those far away last."""
    chosen = [each for each in SCENARIOS if only in each.name]
    mounted = made.work.parent / "far"
    for each in chosen:
        if each.where != "far away":
            model = made.of(*scaled(each, scale))
            yield measure(each, made, model, runs)
    remote = [(each, made.of(*scaled(each, scale))) for each in chosen if each.where == "far away"]
    if not remote:
        return
    try:
        with storage.far_away(made.work, mounted):
            for each, model in remote:
                yield measure(each, made, mounted / model.name, max(1, runs // 3))
    except UnavailableError as error:
        print(f"the rows about slow storage are left out: {error}", file=sys.stderr)


def scaled(scenario: Scenario, scale: float) -> tuple[int, int]:
    """Fewer small files, or smaller large ones."""
    if scenario.size >= models.MIB:
        return scenario.files, max(models.MIB, int(scenario.size * scale))
    return max(min(scenario.files, 200), int(scenario.files * scale)), scenario.size


def measure(scenario: Scenario, made: Models, model: Path, runs: int) -> dict[str, Any]:
    """One row: what was asked for, what came of it."""
    if scenario.against == "import sigstore.verify":
        ours, theirs = models.keyless()
    elif scenario.against == "openssl":
        ours, theirs = made.ours(model, compiled=scenario.compiled), models.openssl(model)
    else:
        ours, theirs = made.ours(model, compiled=scenario.compiled), made.theirs(model)
    if scenario.where == "disk":
        found = in_turn(ours, theirs, runs, lambda: storage.evict(model))
    else:
        found = in_turn(ours, theirs, runs, lambda: None)
    asked = {"most": scenario.most, "seconds": scenario.seconds}
    said = {"name": scenario.name, "against": scenario.against, "figure": scenario.figure}
    return {**said, **asked, **found}
