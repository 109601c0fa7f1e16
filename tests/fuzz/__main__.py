"""The session: each target in a process of its own, with a share of the time.

`python -m tests.fuzz --seconds 600`; one of them: `--target bundle`; a saved input again:
`--target bundle --replay FILE`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

ROOT = Path(__file__).parents[2]
# libFuzzer's own crash code is 77; a child that is killed has a negative one.
_TRIED = re.compile(r"^(?:tried|stat::number_of_executed_units:) (\d+)$", re.MULTILINE)


def main() -> int:
    """Runs the session; returns its exit code."""
    options = _options()
    if options.child:
        return _child(options)
    names = options.target or _names()
    if options.replay:
        return subprocess.run(_command(names[0], options, 0), cwd=ROOT, check=False).returncode
    options.crashes.mkdir(parents=True, exist_ok=True)
    workers = min(len(names), len(os.sched_getaffinity(0)))
    seconds = options.seconds * workers / len(names)
    with ThreadPoolExecutor(workers) as pool:
        outcomes = pool.map(lambda name: _try(name, options, seconds), names)
        failed = [name for name, good in zip(names, outcomes, strict=True) if not good]
    if failed:
        print(f"crashed: {', '.join(failed)}")  # noqa: T201
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="for all targets together")
    parser.add_argument("--target", action="append", help="only this one; repeatable")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    parser.add_argument("--limit", type=float, default=20, help="seconds for one input")
    parser.add_argument("--replay", type=Path, help="try this input once")
    parser.add_argument(
        "--crashes",
        type=Path,
        default=Path(tempfile.gettempdir(), "model-verify-fuzz"),
        help="where inputs that crash are saved",
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _names() -> list[str]:
    return list(importlib.import_module("tests.fuzz.targets").TARGETS)


def _command(name: str, options: argparse.Namespace, seconds: float) -> list[str]:
    command = [sys.executable, "-m", "tests.fuzz", "--child", "--target", name]
    command += ["--seconds", str(seconds), "--seed", str(options.seed)]
    command += ["--limit", str(options.limit), "--crashes", str(options.crashes)]
    return command + (["--replay", str(options.replay.absolute())] if options.replay else [])


def _try(name: str, options: argparse.Namespace, seconds: float) -> bool:
    """Runs one target, prints its line, and says whether all was well."""
    with tempfile.TemporaryDirectory() as work:
        crashes = Path(work, "crashes")
        crashes.mkdir()
        own = argparse.Namespace(**{**vars(options), "crashes": crashes})
        run = subprocess.run(
            _command(name, own, seconds),
            cwd=ROOT,
            env={**os.environ, "TMPDIR": work},  # libFuzzer ends without cleaning up
            capture_output=True,
            text=True,
            check=False,
        )
        saved = [_save(path, name, options.crashes) for path in sorted(crashes.iterdir())]
    said = _TRIED.findall(run.stdout + run.stderr)
    good = run.returncode == 0 and not saved
    if not good:
        print(run.stdout, run.stderr, sep="\n")  # noqa: T201
        for path in saved:
            print(f"{name}: {path}: {path.read_bytes()[:1000]!r}")  # noqa: T201
            print(f"again: python -m tests.fuzz --target {name} --replay {path}")  # noqa: T201
    outcome = "ok" if good else f"CRASHED (exit code {run.returncode}, seed {options.seed})"
    print(f"{name:28} {said[-1] if said else '?':>9} inputs  {outcome}", flush=True)  # noqa: T201
    return good


def _save(path: Path, name: str, crashes: Path) -> Path:
    kept = crashes / f"{name}-{path.name}"
    kept.write_bytes(path.read_bytes())
    return kept.absolute()


def _child(options: argparse.Namespace) -> int:
    atheris = _atheris() if not options.replay else None
    target = _target(atheris, options.target[0])
    from tests.fuzz import engine

    if options.replay:
        return engine.replay(target, options.replay, options.limit)
    run = (target, options.seconds, options.seed, options.crashes, options.limit)
    if atheris is None:
        return engine.mutate_for(*run)
    engine.guide(target, atheris, *run[1:])
    return 0


def _atheris() -> Any | None:  # noqa: ANN401  (mypy does not have it)
    try:
        return importlib.import_module("atheris")
    except ImportError:
        return None


def _target(atheris: Any | None, name: str) -> Target:  # noqa: ANN401  (as above)
    """Imports the targets, and with them the parsers, instrumented where that is possible."""
    if atheris is not None:
        with atheris.instrument_imports(include=["verifier_cli"], enable_loader_override=False):
            module = importlib.import_module("tests.fuzz.targets")
    else:
        module = importlib.import_module("tests.fuzz.targets")
    if name == "self-test":
        module = importlib.import_module("tests.fuzz.selftest")
        found: Target = module.TARGET
        return found
    chosen: Target = module.TARGETS[name]
    return chosen


if __name__ == "__main__":
    sys.exit(main())
