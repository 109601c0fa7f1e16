"""Times the start of programs from within a container, where there is nothing but Python.

Reads pairs of commands as JSON from standard input, runs the two of each pair in turn, and prints
the seconds from start to end of each run: `[[[ours, ...], [theirs, ...]], ...]`.
"""

import json
import subprocess
import sys
import time


def seconds(command: list[str]) -> float:
    """Runs a command, which must succeed, to its end."""
    start = time.perf_counter()
    ran = subprocess.run(command, check=False, capture_output=True)
    taken = time.perf_counter() - start
    if ran.returncode:
        sys.exit(f"{command} ended with {ran.returncode}: {ran.stderr.decode()}")
    return taken


def main() -> None:
    """Measures what standard input asks for; the first run of each command does not count."""
    asked = json.load(sys.stdin)
    measured = []
    for pair in asked["pairs"]:
        taken = [[seconds(command) for command in pair] for _ in range(asked["runs"] + 1)][1:]
        measured.append(list(zip(*taken, strict=True)))
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
