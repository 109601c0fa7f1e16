"""The command line, in this process and as one of its own; and a fake API server."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakeapi import FakeApi
from tests.schemas import check_log_lines
from verifier_cli.cli import main

if TYPE_CHECKING:
    from verifier_cli.apiserver.account import Account

REPOSITORY = Path(__file__).parents[2]
SCRIPT = Path(sysconfig.get_path("scripts"), "model-verify")


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    def require_clean(self) -> Result:
        """Fails if a user would see a trace, or a log line that the schema does not know."""
        for text in (self.out, self.err):
            assert "Traceback" not in text, text
        check_log_lines("".join(line + "\n" for line in self.err.split("\n") if line[:1] == "{"))
        return self

    @property
    def sentence(self) -> str:
        """The one line that says what is wrong, for a command that failed without a report."""
        lines = [line for line in self.err.splitlines() if line.lower().startswith("error: ")]
        assert len(lines) == 1, self.err
        return lines[0].partition(": ")[2]


Run = Callable[..., Result]


@pytest.fixture
def cli(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs a command in this process."""

    def run(*arguments: str | Path) -> Result:
        capsysbinary.readouterr()
        code = main.run([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        return Result(code, out.decode(), err.decode()).require_clean()

    return run


@pytest.fixture
def process() -> Run:
    """Runs the console script as a process of its own."""

    def run(
        *arguments: str | bytes | Path, env: dict[str, str] | None = None, cwd: Path = REPOSITORY
    ) -> Result:
        done = subprocess.run(
            [SCRIPT, *arguments],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=120,
        )
        result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
        return result.require_clean()

    return run


@pytest.fixture
def fake(tmp_path: Path) -> FakeApi:
    directory = tmp_path / "api"
    directory.mkdir()
    return FakeApi(directory)


@pytest.fixture
def account(fake: FakeApi) -> Iterator[Account]:
    with fake.running() as found:
        yield found
