"""Measures speed and memory against model_signing and openssl; `nox -s bench` runs it.

`-- growth` measures how time and memory grow with the model, `-- admission` the webhook, and
`-- controller` the controller.

Programs run as whole processes, in turn, several times in one run, on the same models. A row is a
ratio: the machine's own speed cancels out. What is asked for is in benchmarks/scenarios.py, what
it means in docs/performance.md; this program measures, and says what has changed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import growth, results, scenarios
from benchmarks.models import Models
from images.tools import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "growth.svg"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    works = ("models", "growth", "admission", "controller")
    parser.add_argument("work", nargs="?", choices=works, default="models")
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each command")
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks the models")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result there")
    parser.add_argument("--store", action="store_true", help="keep it as the one to compare with")
    arguments = parser.parse_args()
    # Imported where they are used: a child starts with its parent's peak memory.
    if arguments.work == "admission":
        from benchmarks import admission

        measured = admission.measure(scale=arguments.scale)
        show([["work", "webhook", "target"], ["---"] * 3, *measured])
    elif arguments.work == "controller":
        from benchmarks import controller

        measured = controller.measure(scale=arguments.scale)
        show([["work", "time", "processor", "requests, memory"], ["---"] * 4, *measured])
    else:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
            work = Path(directory, "models")
            work.mkdir()
            kept = (curves if arguments.work == "growth" else models)(Models(work), arguments)
        keep(kept, arguments)


def models(made: Models, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the scenarios, prints each as it comes, and what has changed."""
    before = results.stored()
    rows = []
    asked = {"runs": arguments.runs, "scale": arguments.scale, "only": arguments.only}
    for row in scenarios.measured(made, **asked):
        rows.append(row)
        print(" | ".join(list(results.table([row]))[-1]), file=sys.stderr)
    show([*results.table(rows), *in_image(arguments)])
    for line in results.changes(rows, before):
        print(line)
    return {"rows": rows}


def curves(made: Models, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures how it grows."""
    found = []
    for each in growth.measured(made, runs=arguments.runs, scale=arguments.scale):
        found.append(each)
        print(json.dumps(each))
    return {"curves": found}


def in_image(arguments: argparse.Namespace) -> list[list[str]]:
    """The rows about the image; none, and a word about it, where there is none or no podman."""
    from benchmarks import image

    if arguments.only:
        return []
    if not image.ARCHIVE.exists():
        print("no image: the rows about it are left out; nox -s images", file=sys.stderr)
        return []
    try:
        return image.measure(arguments.runs)
    except UnavailableError as error:
        print(f"the rows about the image are left out: {error}", file=sys.stderr)
        return []


def keep(found: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Writes the result where the caller wants it."""
    if arguments.json:
        arguments.json.write_text(json.dumps({**results.described(), **found}, indent=1) + "\n")
    if arguments.store:
        whole = {**results.stored(), **results.described(), **found}
        results.STORED.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        if "curves" in whole:
            results.draw(whole["curves"], PICTURE)


def show(lines: Iterable[Sequence[str]]) -> None:
    """Prints a table."""
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))


if __name__ == "__main__":
    main()
