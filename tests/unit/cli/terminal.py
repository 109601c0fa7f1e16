"""Runs a command on a terminal of its own, as a person does."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

from tests.unit.conftest import REPOSITORY, SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")


def on_terminal(
    *arguments: str | Path, columns: int = 120, env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Returns the exit code and everything that reached the terminal, sequences included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    started = subprocess.Popen(
        [SCRIPT, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=REPOSITORY,
        env={**clean, "TERM": "xterm-256color", **(env or {})},
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    try:
        while select.select([ours], [], [], 60)[0]:
            try:
                chunk = os.read(ours, 65536)
            except OSError as error:
                # So Linux says that nobody has the other end open any more.
                if error.errno != errno.EIO:
                    raise
                break
            if not chunk:
                break
            seen += chunk
    finally:
        os.close(ours)
    return started.wait(60), seen.decode("utf-8", "replace")


def without_sequences(text: str) -> str:
    """The text as a person reads it."""
    return _SEQUENCE.sub("", text).replace("\r", "")
