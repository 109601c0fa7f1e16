"""Programs that run beside the tests."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READY_SECONDS = 120


@dataclass
class Daemon:
    """A program that runs, and the file with what it says.

    Attributes:
        command: what starts it again; empty where that cannot be.
    """

    process: subprocess.Popen[bytes]
    log: Path
    command: tuple[str, ...] = ()

    def restart(self) -> None:
        """Ends it and starts it again, at once; its log goes on."""
        _end(self.process)
        self.process = _begin(self.log, self.command)

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Waits until it holds.

        Raises:
            AssertionError: the program ended, or it took too long; the message is its last words.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not holds():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(encoding="utf-8", errors="replace")
                raise AssertionError(f"{self.log.stem} did not come up:\n{said[-4000:]}")
            time.sleep(0.1)


@contextlib.contextmanager
def daemon(log: Path, *command: str) -> Iterator[Daemon]:
    """Runs a program beside the tests, and ends it."""
    started = Daemon(_begin(log, command), log, command)
    try:
        yield started
    finally:
        _end(started.process)


def _begin(log: Path, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
