"""The entry point: the exit code reaches the system, and start-up imports little."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from tests.unit.conftest import REPOSITORY, SCRIPT
from verifier_cli.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "code"), [(("version",), 0), (("nonsense",), 2), (("render", "-f", "/x"), 3)]
)
def test_the_exit_code_reaches_the_system(
    process: Run, arguments: tuple[str, ...], code: int
) -> None:
    assert process(*arguments).code == code


def test_what_was_written_arrives_though_the_process_leaves_at_once(process: Run) -> None:
    assert "model-verify" in process("version").out


CLOSED = {"stdout": 1, "stderr": 2, "stdin": 0}


@pytest.mark.parametrize("stream", CLOSED)
def test_a_closed_stream_does_not_change_the_verdict(stream: str) -> None:
    arguments = "verify testdata/gguf/tiny.gguf --public-key testdata/trust/key.pub --output=json"
    for broken, code in ((False, 0), (True, 2)):
        done = subprocess.run(
            [
                *("/bin/sh", "-c", f'exec "$0" "$@" {CLOSED[stream]}>&-', str(SCRIPT)),
                *(["nonsense"] if broken else arguments.split()),
            ],
            check=False,
            cwd=REPOSITORY,
            capture_output=True,
        )
        assert done.returncode == code
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_who_went_away_does_not_change_the_verdict(stream: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    arguments = "verify testdata/gguf-tampered/tiny.gguf --public-key testdata/trust/key.pub"
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writing}
    done = subprocess.run(
        [SCRIPT, *arguments.split()],
        check=False,
        cwd=REPOSITORY,
        stdout=streams["stdout"],
        stderr=streams["stderr"],
    )
    os.close(writing)
    assert done.returncode == 12


def imported_by(*arguments: str, env: dict[str, str] | None = None) -> set[str]:
    """The packages that a run in a fresh interpreter imports."""
    code = (
        "import sys, json; from verifier_cli.cli.main import run; run(sys.argv[1:]);"
        " sys.stderr.write('\\n' + json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        cwd=REPOSITORY,
        env={**os.environ, **(env or {})},
    )
    import json

    return set(json.loads(done.stderr.decode().splitlines()[-1]))


HEAVY = {"sigstore", "model_signing", "rich", "yaml", "tuf", "OpenSSL", "blake3"}


def test_the_key_method_imports_nothing_heavy() -> None:
    arguments = "verify testdata/gguf/tiny.gguf --public-key testdata/trust/key.pub"
    assert imported_by(*arguments.split()) & HEAVY == set()


def test_in_a_pod_not_even_the_command_line_library(tmp_path: object) -> None:
    env = {
        "MODEL_VERIFY_POLICY": f"{tmp_path}/absent",
        "MODEL_VERIFY_TERMINATION_LOG": f"{tmp_path}/t",
    }
    assert imported_by("init", env=env) & (HEAVY | {"click", "cryptography"}) == set()


def test_in_a_pod_openssl_reads_no_configuration(tmp_path: Path) -> None:
    """None that a variable names, and none where the library was built to look."""
    code = "import os; from verifier_cli.cli.main import run; run(['init']); print(os.environ)"
    planted = dict.fromkeys(main.OPENSSL_VARIABLES, "/planted")
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **planted, "MODEL_VERIFY_TERMINATION_LOG": str(tmp_path / "t")},
    )
    assert "'OPENSSL_CONF': '/dev/null'" in done.stdout
    assert "/planted" not in done.stdout


def test_init_with_options_goes_the_usual_way() -> None:
    assert "click" in imported_by("init", "--help")


def test_the_last_guard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Left(Exception):  # noqa: N818
        pass

    def leave(code: int) -> None:
        raise Left(code)

    def broken(_: object) -> int:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(main, "run", broken)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Left) as caught:
        main.main()
    assert caught.value.args == (1,)
    assert capsys.readouterr().err == "error: internal error: ZeroDivisionError\n"


def test_init_by_the_usual_way(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_VERIFY_POLICY", str(tmp_path / "absent"))
    monkeypatch.setenv("MODEL_VERIFY_TERMINATION_LOG", str(tmp_path / "log"))
    assert cli("init", "--").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        "version",
        "inspect testdata/gguf/tiny.gguf.sig",
        "render -f testdata/policies/key.yaml",
        "policy check testdata/policies/key.yaml",
    ],
)
def test_a_result_that_could_not_be_written_is_said(arguments: str) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [SCRIPT, *arguments.split()],
            check=False,
            cwd=REPOSITORY,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: standard output: cannot be written: ")


def test_commands_are_listed_in_the_order_of_the_documentation() -> None:
    from verifier_cli.cli.commands import commands

    context = click.Context(commands)
    names = ["verify", "init", "inspect", "policy", "render", "inject", "version"]
    assert commands.list_commands(context) == names
