"""Runs one target in this process: over given inputs, by own mutation, or by atheris."""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fuzz.mutate import MAX_BYTES, mutate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tests.fuzz.targets import Target

INPUT_SECONDS = 20
MEMORY_BYTES = 2 << 30


class Hang(BaseException):
    """An input took too long. No `except Exception` of a parser may swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `Hang` in the block when it takes longer."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"still not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(target: Target, data: bytes, seconds: float = INPUT_SECONDS) -> bool:
    """Tries one input; returns whether it was accepted."""
    with time_limit(seconds):
        return target.run(data)


def limit_memory(size: int = MEMORY_BYTES) -> None:
    """Makes a process that wants more than this fail."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def replay(target: Target, path: Path, seconds: float) -> int:
    """Tries one saved input; returns the process's exit code."""
    limit_memory()
    try:
        accepted = attempt(target, path.read_bytes(), seconds)
    except BaseException:  # noqa: BLE001  (also a hang)
        traceback.print_exc()
        return 1
    print(f"{target.name}: {'accepted' if accepted else 'refused'}")  # noqa: T201
    return 0


def mutate_for(target: Target, seconds: float, seed: int, crashes: Path, limit: float) -> int:
    """Tries changed seeds until time is up; prints how many. Returns the exit code."""
    limit_memory()
    seeds, chance = target.seeds(), random.Random(seed)  # noqa: S311
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = seeds[tried] if tried < len(seeds) else mutate(chance.choice(seeds), seeds, chance)
        tried += 1
        try:
            attempt(target, data, limit)
        except BaseException:  # noqa: BLE001  (also a hang)
            traceback.print_exc()
            path = crashes / f"crash-{hashlib.sha256(data).hexdigest()[:16]}"
            path.write_bytes(data)
            print(f"tried {tried}")  # noqa: T201
            return 1
    print(f"tried {tried}")  # noqa: T201
    return 0


def guide(  # noqa: PLR0913, PLR0917
    target: Target,
    atheris: Any,  # noqa: ANN401  (the module, which mypy does not have)
    seconds: float,
    seed: int,
    crashes: Path,
    limit: float,
) -> None:
    """Hands the process over to libFuzzer, which ends it."""
    limit_memory(2 * MEMORY_BYTES)
    seeds = target.seeds()
    corpus = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for number, data in enumerate(seeds):
        (corpus / f"{number}").write_bytes(data)

    def change(data: bytes, size: int, number: int) -> bytes:
        chance = random.Random(number)  # noqa: S311
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(data, size))
        return mutate(data, seeds, chance)[:size]

    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-seed={seed}",
        f"-timeout={round(limit)}",
        f"-rss_limit_mb={MEMORY_BYTES >> 20}",
        f"-max_len={MAX_BYTES}",
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
        "-verbosity=0",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *options], target.run, custom_mutator=change)
    atheris.Fuzz()
