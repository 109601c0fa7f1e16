"""What a measurement says of itself, and beside an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import measuring, results
from benchmarks.scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path


def row(ratio: float, around: float = 0.0, **more: object) -> dict[str, Any]:
    """A row whose ratio is known to within `around`."""
    spread = {"median": ratio, "low": ratio - around, "high": ratio + around}
    ours = {name: {"median": ratio} for name in measuring.FIGURES}
    theirs = {name: {"median": 1.0} for name in measuring.FIGURES}
    parts = {
        "ours": ours,
        "theirs": theirs,
        "ratio": dict.fromkeys(measuring.FIGURES, spread),
    }
    asked = {"most": 0.5, "seconds": 0.0, "figure": "wall", "against": "it", "runs": 3}
    return {"name": "work", **asked, **parts, **more}


@pytest.mark.parametrize(
    ("ratio", "more", "met"),
    [
        (0.5, {}, True),
        (0.51, {}, False),
        (0.51, {"seconds": 0.02}, True),
        (9.0, {"most": None}, None),
    ],
)
def test_what_was_asked_for(ratio: float, more: dict[str, Any], met: bool | None) -> None:  # noqa: FBT001
    found = row(ratio, **more)
    assert results.is_met(found) is met
    said = list(results.table([found]))[-1][4]
    assert said.endswith({True: ", met", False: ", MISSED", None: "-"}[met])


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (row(0.5, 0.01), row(0.6, 0.01), "slower by 20%"),
        (row(0.5, 0.01), row(0.4, 0.01), "faster by 20%"),
        (row(0.5, 0.06), row(0.6, 0.06), None),  # the spreads overlap
        (row(0.5, 0.001), row(0.54, 0.001), None),  # less than a tenth
        (row(0.5, name="other"), row(0.9), None),
    ],
)
def test_a_change_beyond_the_noise(then: Any, now: Any, said: str | None) -> None:  # noqa: ANN401
    found = list(results.changes([now], {"rows": [then]}))
    assert [line.split(" (")[0] for line in found] == ([] if said is None else [f"work: {said}"])


def test_before_there_was_anything_nothing_has_changed(tmp_path: Path) -> None:
    assert list(results.changes([row(0.5)], results.stored(tmp_path / "absent"))) == []


@pytest.mark.parametrize(
    ("values", "spread"),
    [([3.0], (3, 3, 3)), ([1.0, 2.0], (1, 1.5, 2)), ([1.0, 2.0, 3.0, 4.0, 100.0], (2, 3, 4))],
)
def test_median_and_quartiles(values: list[float], spread: tuple[float, float, float]) -> None:
    found = measuring.spread(values)
    assert (found["low"], found["median"], found["high"]) == spread


def test_a_command_is_measured_as_a_whole() -> None:
    burning = "import time\nwhile time.process_time() < 0.2: pass"
    quiet = measuring.Command((("sleep", "0.2"),))
    busy = measuring.Command((("python3", "-c", burning), ("python3", "-c", burning)))
    assert quiet.run().cpu < 0.1 < quiet.run().wall
    assert busy.run().cpu > 0.3
    with pytest.raises(SystemExit):
        measuring.Command((("false",),)).run()


def test_scenarios_have_names_of_their_own() -> None:
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS)
