"""The commands: found by name, imported when called, and every end has its exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click
import pytest

from verifier_cli import __version__
from verifier_cli.cli import commands, version
from verifier_cli.errors import ConfigError, Problem, TrustUnavailableError
from verifier_cli.host.supervise import Interrupted

if TYPE_CHECKING:
    from tests.unit.conftest import Run

NAMES = ["verify", "init", "inspect", "policy", "render", "version"]


def test_help_lists_every_command(cli: Run) -> None:
    for option in ("--help", "-h"):
        result = cli(option)
        assert result.code == 0
        assert all(f"  {name}" in result.out for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_its_help(cli: Run, name: str) -> None:
    result = cli(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: model-verify {name}")


def test_the_version_option(cli: Run) -> None:
    result = cli("--version")
    assert result.code == 0
    assert __version__ in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), ""),
        (("nonsense",), "No such command 'nonsense'"),
        (("--nonsense",), "No such option"),
        (("init", "--nonsense"), "No such option"),
        (("init", "extra"), "unexpected extra argument"),
        (("inspect",), "Missing argument 'SIGNATURE'"),
        (("policy",), ""),
        (("policy", "nonsense"), "No such command"),
        (("policy", "check"), "Missing argument 'FILE...'"),
        (("render",), "Missing option '-f'"),
        (("version", "--output", "xml"), "'xml' is not one of"),
    ],
)
def test_a_wrong_call_ends_with_2_and_a_sentence(
    cli: Run, arguments: tuple[str, ...], said: str
) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert said in result.err
    if said:
        assert "Usage: model-verify" in result.err
        assert said in result.sentence


def raising(error: BaseException) -> click.Command:
    def broken() -> NoReturn:
        raise error

    return click.Command("version", callback=broken)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError(Problem("a", "is\x1bbad")), 3, "error: a: is\\x1bbad\n"),
        (TrustUnavailableError("no", advice="Look"), 21, "error: no. Look\n"),
        (Interrupted(15), 143, "error: ended by SIGTERM\n"),
        (Interrupted(2), 130, "error: ended by SIGINT\n"),
        (ZeroDivisionError("secret"), 1, "error: internal error: ZeroDivisionError\n"),
        (SystemExit(0), 1, "error: internal error: SystemExit\n"),
        (OSError(28, "No space left"), 3, "error: the output cannot be written: no space left\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (click.UsageError("wrong"), 2, "Error: wrong\n"),
        (click.FileError("f", "gone"), 2, None),
    ],
)
def test_every_way_to_end(
    cli: Run,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str | None,
) -> None:
    monkeypatch.setattr(version, "command", raising(error))
    result = cli("version")
    assert result.code == code
    assert "secret" not in result.err
    assert said is None or result.err.endswith(said)


@pytest.mark.parametrize("returned", [None, "0", 0.0])
def test_a_command_that_forgot_its_code_is_no_yes(
    cli: Run, monkeypatch: pytest.MonkeyPatch, returned: object
) -> None:
    monkeypatch.setattr(version, "command", click.Command("version", callback=lambda: returned))
    assert cli("version").code == 1


def test_nobody_reads_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> NoReturn:
            raise BrokenPipeError(text)

    monkeypatch.setattr(version, "command", raising(ConfigError(Problem("", "x"))))
    monkeypatch.setattr(sys, "stderr", Gone())
    assert commands.run(["version"]) == 3


def test_shell_completion_cannot_end_with_0(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MODEL_VERIFY_COMPLETE", "bash_source")
    assert cli("nonsense").code == 2
