"""Measures speed and memory against model_signing; `nox -s bench` runs it.

`nox -s bench -- admission` measures the webhook instead, `-- controller` the controller.

Both programs run as whole processes, in turn, several times in one run, on the same models.
A row is a ratio of medians: the machine's own speed cancels out. What a target asks for is
docs/performance.md; this program measures and never judges.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks import admission, controller, image
from images.tools import UnavailableError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BIN = Path(sys.executable).parent
GIB = 1 << 30

Figure = Literal["cpu", "wall"]


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


@dataclass(frozen=True)
class Row:
    """One line of the table: work, who is compared by which figure, and the target."""

    work: str
    ours: Command
    theirs: Command
    figure: Figure
    target: str
    runs: int
    versus: str = "model_signing"
    memory: bool = True


def measure(row: Row) -> list[str]:
    """Runs both in turn, after one run of each that does not count, and words the row."""
    row.ours.run()
    row.theirs.run()
    pairs = [(row.ours.run(), row.theirs.run()) for _ in range(row.runs)]

    def medians(name: str) -> tuple[float, float]:
        ours = statistics.median(getattr(pair[0], name) for pair in pairs)
        return ours, statistics.median(getattr(pair[1], name) for pair in pairs)

    (ours, theirs), (our_peak, their_peak) = medians(row.figure), medians("peak")
    memory = f"{our_peak / their_peak:.2f} x ({our_peak:.0f} MiB)" if row.memory else "-"
    return [
        row.work,
        f"{ours:.3f} s",
        f"{theirs:.3f} s ({row.versus})",
        f"{ours / theirs:.2f} x {row.figure}",
        row.target,
        memory,
        str(row.runs),
    ]


class Bench:
    """The models of one run, below a directory, signed with one key."""

    def __init__(self, work: Path) -> None:
        """Makes the key."""
        self.work = work
        curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        subprocess.run(["openssl", "genpkey", *curve, "-out", work / "key"], check=True)
        public = ("-pubout", "-in", work / "key", "-out", work / "key.pub")
        subprocess.run(["openssl", "pkey", *public], check=True)

    def sign(self, model: Path) -> Path:
        """Signs a directory, with the signature in it; in a process of its own.

        A child starts with its parent's peak memory, so this one must stay small.
        """
        options = ("--signature", model / "model.sig", "--private_key", self.work / "key")
        command = (BIN / "model_signing", "sign", "key", model, *options)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return model

    def small(self, files: int, size: int) -> Path:
        """A model of many small files, 200 in a directory."""
        model = self.work / f"small-{files}"
        for number in range(files):
            path = model / f"{number // 200:03}" / f"{number:05}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(size))
        return self.sign(model)

    def large(self, name: str, size: int, files: int) -> Path:
        """A model of a few large files, all the same bytes on disk (hard links)."""
        model = self.work / name
        model.mkdir()
        first = model / "0.bin"
        with first.open("wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        for number in range(1, files):
            (model / f"{number}.bin").hardlink_to(first)
        return self.sign(model)

    def ours(self, model: Path, *environment: tuple[str, str]) -> Command:
        """model-verify by the key."""
        options = ("--public-key", str(self.work / "key.pub"))
        return Command(((str(BIN / "model-verify"), "verify", str(model), *options),), environment)

    def theirs(self, model: Path, *environment: tuple[str, str]) -> Command:
        """model_signing by the key."""
        options = ("--signature", str(model / "model.sig"), "--public_key")
        command = (str(BIN / "model_signing"), "verify", "key", str(model), *options)
        return Command(((*command, str(self.work / "key.pub")),), environment)


def keyless() -> tuple[Command, Command]:
    """A tiny model signed through a private sigstore, and the import that it cannot avoid."""
    case = ROOT / "testdata" / "savedmodel-sigstore"
    ours = (
        str(BIN / "model-verify"),
        "verify",
        str(case),
        *("--trust-config", str(ROOT / "testdata" / "trust" / "trust-config.json")),
        *("--identity", "release@example.com", "--identity-provider", "https://idp.example.com"),
    )
    return Command((ours,)), Command(((sys.executable, "-c", "import sigstore.verify"),))


def rows(bench: Bench, *, runs: int, scale: float) -> list[Row]:
    """All rows; `scale` shrinks the large ones."""
    tiny = bench.small(3, 1000)
    many = bench.small(max(200, int(20_000 * scale)), 4096)
    big = bench.large("big", max(1 << 20, int(GIB * scale)), 4)
    few = max(1, runs // 2)
    small_count, size = len(list(many.rglob("*.bin"))), (big / "0.bin").stat().st_size >> 20
    digests = tuple(("openssl", "dgst", "-sha256", str(big / f"{n}.bin")) for n in range(2))
    half = bench.large("half", max(1 << 20, int(GIB * scale)), 2)
    found = [
        Row("key, tiny model", bench.ours(tiny), bench.theirs(tiny), "cpu", "<= 0.35 x", runs),
        Row(
            "sigstore, tiny model, offline",
            *keyless(),
            "wall",
            "<= 1.0 x + 60 ms",
            runs,
            versus="import sigstore.verify",
            memory=False,
        ),
        Row(
            f"{small_count} files of 4 KiB, warm",
            bench.ours(many),
            bench.theirs(many),
            "wall",
            "<= 0.20 x",
            runs,
        ),
        Row(
            f"4 files of {size} MiB, warm",
            bench.ours(big),
            bench.theirs(big),
            "wall",
            "<= 1.0 x",
            few,
        ),
        Row(
            f"2 files of {size} MiB, warm",
            bench.ours(half),
            Command(digests),
            "wall",
            "<= 1.1 x",
            few,
            versus="openssl dgst, two at a time",
            memory=False,
        ),
    ]
    if (preload := slow_reads(bench.work)) is not None:
        slow = bench.large("slow", max(1 << 20, int(GIB / 4 * scale)), 1)
        environment = (("LD_PRELOAD", str(preload)), ("SLOW_DIR", str(slow)))
        slow_size = (slow / "0.bin").stat().st_size >> 20
        found.append(
            Row(
                f"1 file of {slow_size} MiB, 20 ms a read",
                bench.ours(slow, *environment),
                bench.theirs(slow, *environment),
                "wall",
                "<= 0.25 x",
                few,
            )
        )
    return found


def slow_reads(work: Path) -> Path | None:
    """Builds the library that slows reads down; None, and a word about it, without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        print("no C compiler: the row about slow storage is left out", file=sys.stderr)
        return None
    library = work / "slow_read.so"
    source = HERE / "slow_read.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
    return library


def in_image(runs: int) -> list[list[str]]:
    """The rows about the image; none, and a word about it, where there is none or no podman."""
    if not image.ARCHIVE.exists():
        print("no image: the rows about it are left out; nox -s images", file=sys.stderr)
        return []
    try:
        return image.measure(runs)
    except UnavailableError as error:
        print(f"the rows about the image are left out: {error}", file=sys.stderr)
        return []


def main() -> None:
    """Measures and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    works = ("models", "admission", "controller")
    parser.add_argument("work", nargs="?", choices=works, default="models")
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each command")
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks the large models")
    arguments = parser.parse_args()
    if arguments.work == "admission":
        measured = admission.measure(scale=arguments.scale)
        show([["work", "webhook", "target"], ["---"] * 3, *measured])
        return
    if arguments.work == "controller":
        measured = controller.measure(scale=arguments.scale)
        show([["work", "time", "processor", "requests, memory"], ["---"] * 4, *measured])
        return
    header = ["work", "model-verify", "against", "ratio", "target", "peak memory", "runs"]
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        lines = [header, ["---"] * len(header)]
        for row in rows(bench, runs=arguments.runs, scale=arguments.scale):
            lines.append(measure(row))
            print("| " + " | ".join(lines[-1]) + " |", file=sys.stderr)
    lines += in_image(arguments.runs)
    show(lines)


def show(lines: list[list[str]]) -> None:
    """Prints a table."""
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))


if __name__ == "__main__":
    main()
