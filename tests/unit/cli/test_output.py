"""Where a report goes, and that it never changes the verdict."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, TextIO

import pytest

from tests.schemas import check_report
from tests.unit.report.reports import REJECTED, REPORTS, TRUSTED
from verifier_cli.cli.output import emit
from verifier_cli.errors import ConfigError
from verifier_cli.report.document import to_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stdout() -> Iterator[TextIO]:
    with io.TextIOWrapper(io.BytesIO(), encoding="utf-8") as stream:
        yield stream


def written(stdout: TextIO) -> bytes:
    assert isinstance(stdout.buffer, io.BytesIO)
    return stdout.buffer.getvalue()


@pytest.mark.parametrize("name", REPORTS)
def test_json_on_standard_output(name: str, stdout: TextIO) -> None:
    assert emit(REPORTS[name], "json", None, stdout) == REPORTS[name].exit_code
    assert check_report(written(stdout)) == to_document(REPORTS[name])


def test_text_on_standard_output(stdout: TextIO) -> None:
    assert emit(REJECTED, "text", None, stdout) == 12
    assert written(stdout).startswith(b"REJECTED  /data/m")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_file(form: str, stdout: TextIO, tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"x" * 10_000)
    assert emit(REJECTED, form, str(path), stdout) == 12
    assert written(stdout) == b""
    if form == "json":
        check_report(path.read_bytes())
    else:
        assert path.read_text(encoding="utf-8").startswith("REJECTED  /data/m")


@pytest.mark.parametrize("name", ["absent/report", "", "full"])
def test_a_file_that_cannot_be_written(name: str, stdout: TextIO, tmp_path: Path) -> None:
    path = "/dev/full" if name == "full" else f"{tmp_path}/{name}"
    with pytest.raises(ConfigError) as caught:
        emit(TRUSTED, "json", path, stdout)
    assert str(caught.value).startswith(f"--output-file: {path} cannot be written: ")
    assert caught.value.sentence.endswith("The verdict was TRUSTED (VERIFIED)")


def test_a_reader_who_went_away() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True) as stream:
        assert emit(REJECTED, "json", None, stream) == 12


class Terminal(io.StringIO):
    """A terminal that may be hung up."""

    broken = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.broken:
            raise OSError(5, "Input/output error")
        return super().write(text)


def test_a_terminal_gets_the_drawn_report() -> None:
    terminal = Terminal()
    assert emit(REJECTED, "text", None, terminal) == 12
    assert "✗" in terminal.getvalue()


def test_a_terminal_that_is_hung_up_does_not_change_the_verdict() -> None:
    terminal = Terminal()
    terminal.broken = True
    assert emit(REJECTED, "text", None, terminal) == 12


def test_a_file_gets_plain_text_though_there_is_a_terminal(tmp_path: Path) -> None:
    terminal, path = Terminal(), tmp_path / "report"
    assert emit(REJECTED, "text", str(path), terminal) == 12
    assert terminal.getvalue() == ""
    assert path.read_text(encoding="utf-8").startswith("REJECTED  /data/m")
