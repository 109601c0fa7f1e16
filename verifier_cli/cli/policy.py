"""`model-verify policy check`: strict reading, all faults at once."""

from __future__ import annotations

import sys

import click

from verifier_cli.cli.commands import SETTINGS
from verifier_cli.config import material, reader
from verifier_cli.errors import ConfigError
from verifier_cli.escape import escape
from verifier_cli.host.session import deliver
from verifier_cli.verdict import Reason


@click.group("policy", context_settings=SETTINGS)
def command() -> None:
    """Work with policies."""


@command.command("check", context_settings=SETTINGS)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def check(files: tuple[str, ...]) -> int:
    """Check policy documents and ModelValidation manifests, and the PEM in them.

    Prints every fault with its field path. Files in a pod that a policy only points to are
    not read. Exit code 0 if all are sound, 3 if not.
    """
    faults = 0
    for file in files:
        lines = _faults(file)
        faults += len(lines)
        text = "".join(f"{escape(file)}: {escape(line)}\n" for line in lines or ["sound"])
        deliver(sys.stdout.buffer, text.encode())
    return Reason.CONFIG.exit_code if faults else Reason.VERIFIED.exit_code


def _faults(file: str) -> list[str]:
    try:
        parsed = reader.parse(reader.read_bytes(file), file)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    lines: list[str] = []
    for each in parsed:
        try:
            material.check_inline(each.policy)
        except ConfigError as error:
            lines += [str(problem) for problem in error.problems]
    return lines
