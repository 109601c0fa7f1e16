"""A node for trying things by hand: `nox -s cluster -- up`, `-- status`, `-- down`."""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from images.tools import CACHE, UnavailableError
from tests.cluster import machine
from tests.cluster.binaries import binaries
from tests.cluster.hold import LOADED
from tests.cluster.node import ROOT, clear

STATE = CACHE / "node"
LOG = CACHE / "node.log"
HOLD = ("-m", "tests.cluster.hold", str(STATE))


def main() -> None:
    """Reads the command line and does what it says."""
    parser = argparse.ArgumentParser(prog="nox -s cluster --", description=__doc__)
    commands = {"up": up, "status": status, "down": down}
    parser.add_argument("command", choices=commands)
    try:
        commands[parser.parse_args().command]()
    except UnavailableError as error:
        sys.exit(str(error))


def up() -> None:
    """Starts a process that has the node, and waits until pods can run."""
    # What takes long is waited for here, where it can be seen.
    machine.packages()
    binaries()
    STATE.parent.mkdir(parents=True, exist_ok=True)
    if holder() is None:
        # One that was killed has left it.
        (STATE / LOADED).unlink(missing_ok=True)
        with LOG.open("wb") as log:
            command = (sys.executable, *HOLD)
            held = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _wait_for(held)
    status()


def _wait_for(held: subprocess.Popen[bytes]) -> None:
    while holder() != held.pid or not (STATE / LOADED).exists():
        if held.poll() is not None:
            sys.exit(LOG.read_text(encoding="utf-8", errors="replace")[-4000:])
        time.sleep(0.1)


def status() -> None:
    """Prints what a shell needs to know, and the images that pods can name."""
    print(_told())  # noqa: T201


def _told() -> str:
    if holder() is None:
        return "no node is up"
    if not (STATE / LOADED).exists():
        return "a node is coming up, or ending"
    images = (STATE / LOADED).read_text(encoding="utf-8").splitlines()
    return "\n".join(
        (
            f"export KUBECONFIG={STATE / 'admin.kubeconfig'}",
            f"export PATH=$PATH:{binaries()}",
            *(f"# it has {image}" for image in images),
        )
    )


def down() -> None:
    """Ends the node and waits until nothing is left of it."""
    pid = holder()
    if pid is None:
        machine.packages()
        clear(STATE)
    else:
        process = os.pidfd_open(pid)
        signal.pidfd_send_signal(process, signal.SIGTERM)
        select.select([process], [], [])
        os.close(process)
    status()


def holder() -> int | None:
    """The id of the process that has the node, from its very start to its end."""
    try:
        pid = int(machine.LOCK.read_text(encoding="utf-8"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except (OSError, ValueError):  # no lock, no process, or none that has written its id yet
        return None
    return pid if command[1:] == [os.fsencode(argument) for argument in HOLD] else None


if __name__ == "__main__":
    main()
