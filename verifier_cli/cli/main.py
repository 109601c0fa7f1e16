"""The command line: finds the command, runs it, and ends with the exit code of the contract."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

# Imports make many objects and hardly any garbage: looking for it took a tenth of the start.
_GC_THRESHOLD = 50_000
OPENSSL_VARIABLES = ("OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES")


def main() -> NoReturn:
    """Entry point of `model-verify`."""
    # Before anything else is imported: PID 1 ignores every signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    gc.set_threshold(_GC_THRESHOLD)
    _prepare_streams()
    try:
        code = run(sys.argv[1:])
    except BaseException as error:  # noqa: BLE001  (the last guard: a line, not a trace)
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"error: internal error: {type(error).__name__}\n")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        # A reader who is gone by now has the verdict in the exit code.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # Taking the interpreter apart costs a pod's start some 50 ms, and would wait for a thread
    # that hangs on dead storage.
    os._exit(code)


def _prepare_streams() -> None:
    """Makes the standard streams such that writing to them cannot end a command.

    Closed ones get empty ones in their place; a terminal that knows few characters is shown
    the others escaped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The lowest free descriptor is the closed one, so no file of ours lands there.
            opened = open(os.devnull, "r+")  # noqa: PTH123, SIM115  (stays open)
            os.dup2(opened.fileno(), number)
            setattr(sys, name, opened)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code."""
    if list(arguments) == ["init"]:
        # Before OpenSSL is loaded: its configuration can load any code, from the model too.
        for name in OPENSSL_VARIABLES:
            os.environ.pop(name, None)
        # Without a name it would be looked for where the library was built to live: in the image
        # that is nowhere, and in a pod whatever is mounted there.
        os.environ["OPENSSL_CONF"] = os.devnull
        # Without click: a pod waits for this start.
        return int(import_module("verifier_cli.initcontainer").main())
    return int(import_module("verifier_cli.cli.commands").run(arguments))
