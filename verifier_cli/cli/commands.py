"""All commands; each is imported only when it is called."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from verifier_cli import __version__
from verifier_cli.errors import ModelVerifyError
from verifier_cli.escape import escape
from verifier_cli.host.supervise import Interrupted, handle_signals
from verifier_cli.inputs import why
from verifier_cli.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "verify": "verify a model against a signature",
    "init": "verify in a pod, as its mounted policy says",
    "inspect": "show what a signature claims, unverified",
    "policy": "check policies and ModelValidation manifests",
    "render": "turn a ModelValidation into the ConfigMap of its policy",
    "inject": "wire the verifier into pods, as the webhook would",
    "version": "show versions",
}
# As model_signing writes its options, so that people can switch.
SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "token_normalize_func": lambda name: name.replace("_", "-"),
}


class _Commands(click.Group):
    """Finds commands by name without importing those that are not called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the documentation."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the one command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"verifier_cli.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands with their one line, again without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="model-verify")
def commands() -> None:
    """Tell whether these are the bytes that somebody you trust signed.

    Exit codes: 0 verified, 10-19 no, 20-29 cannot tell, 2 and 3 a wrong call, 1 a bug.
    """


def run(arguments: Sequence[str]) -> int:
    """Runs a command; every way it can end has its exit code."""
    handle_signals()
    try:
        # Shell completion would end with 0 on the say-so of an environment variable.
        code = commands.main(
            list(arguments), prog_name="model-verify", standalone_mode=False, complete_var=""
        )
    except (Exception, SystemExit, Interrupted) as error:  # noqa: BLE001  (each has its code)
        return _end(error)
    # Every command returns its code; one that forgot to must not read as a yes.
    return code if isinstance(code, int) else Reason.INTERNAL.exit_code


def _end(error: BaseException) -> int:
    """Says in a line why a command ended, and returns the exit code that goes with it."""
    if isinstance(error, click.ClickException):
        with contextlib.suppress(OSError, ValueError):
            error.show()
        return Reason.USAGE.exit_code
    if isinstance(error, ModelVerifyError):
        return _fail(Reason[error.reason], error.sentence)
    if isinstance(error, (Interrupted, click.Abort)):
        # click makes an Abort of a KeyboardInterrupt that came before our handlers.
        reason = error.reason if isinstance(error, Interrupted) else Reason.INTERRUPTED
        return _fail(reason, str(error) or "interrupted")
    if isinstance(error, OSError):
        return _fail(Reason.CONFIG, f"the output cannot be written: {why(error)}")
    return _fail(Reason.INTERNAL, f"internal error: {type(error).__name__}")


def _fail(reason: Reason, sentence: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"error: {escape(sentence)}\n")
    return reason.exit_code
