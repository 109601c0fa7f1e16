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


@dataclass(frozen=True)
class Daemon:
    """A program that runs, and the file with what it says."""

    process: subprocess.Popen[bytes]
    log: Path

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
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        yield Daemon(process, log)
    finally:
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
