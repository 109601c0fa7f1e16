"""A bar on a terminal, log lines elsewhere; and the drawn report, on a real terminal."""

from __future__ import annotations

import io
import os
import pty
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.terminal import on_terminal, without_sequences
from tests.unit.conftest import REPOSITORY
from tests.unit.signing import Signer
from verifier_cli.cli import progress as module
from verifier_cli.cli.progress import watcher
from verifier_cli.host.logs import Log
from verifier_cli.host.session import Ticker
from verifier_cli.model.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

KEY = ("--public-key", "testdata/trust/key.pub")


def far(total: int, done: int) -> Progress:
    progress = Progress()
    progress.expect(total)
    progress.advance(done)
    return progress


def test_off_a_terminal_there_are_lines() -> None:
    stream = io.StringIO()
    with watcher(stream, Log(stream), draw=True) as tick:
        assert isinstance(tick, Ticker)


def drawn(*looks: Progress, draw: bool = True) -> str:
    ours, theirs = pty.openpty()
    with pytest.MonkeyPatch.context() as patch, os.fdopen(theirs, "w") as stream:
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", "100")
        with watcher(stream, Log(io.StringIO()), draw=draw) as tick:
            for look in looks:
                tick(look)
        stream.write("END")
        stream.flush()
        seen = b""
        while not seen.endswith(b"END"):
            seen += os.read(ours, 65536)
    os.close(ours)
    return seen.decode().removesuffix("END")


def test_a_bar_with_bytes_rate_and_time_left() -> None:
    total = 256 << 20
    seen = drawn(far(total, 0), far(total, total // 4), far(total, total // 2))
    assert "128.0/256.0 MiB" in without_sequences(seen)
    assert "━" in seen
    # It is taken away at the end, and the cursor given back.
    assert "\x1b[2K" in seen
    assert "\x1b[?25h" in seen


def test_for_little_work_no_bar_is_drawn() -> None:
    assert drawn(far(module._MIN_BYTES - 1, 5)) == ""
    assert drawn() == ""


def test_whoever_wants_json_gets_no_bar() -> None:
    assert drawn(far(1 << 40, 5), draw=False) == ""


def test_the_report_on_a_terminal() -> None:
    code, seen = on_terminal("verify", "testdata/savedmodel-key", *KEY)
    assert code == 0
    assert "\x1b[1;32m" in seen, "TRUSTED is bold and green"
    text = without_sequences(seen)
    assert text.startswith("TRUSTED  testdata/savedmodel-key")
    assert "{" not in text, "there are no log lines among it"


def test_a_rejection_on_a_terminal() -> None:
    code, seen = on_terminal("verify", "testdata/savedmodel-extra-file", *KEY, columns=80)
    assert code == 12
    assert "\x1b[1;31m" in seen, "REJECTED is bold and red"
    text = without_sequences(seen)
    assert "FILE_UNSIGNED" in text
    assert "exit code 12" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_json_on_a_terminal_stays_json() -> None:
    code, seen = on_terminal("verify", "testdata/savedmodel-key", *KEY, "--output=json")
    assert code == 0
    assert "\x1b" not in seen
    assert seen.lstrip().startswith("{")


def test_the_log_for_people_on_a_terminal() -> None:
    code, seen = on_terminal("verify", "testdata/savedmodel-key", *KEY, "--log-level=info")
    assert code == 0
    assert "info: verifying the model  model=testdata/savedmodel-key" in without_sequences(seen)


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_who_wants_no_colour_gets_none(variable: str) -> None:
    value = {"NO_COLOR": "1", "TERM": "dumb"}[variable]
    code, seen = on_terminal("verify", "testdata/savedmodel-key", *KEY, env={variable: value})
    assert code == 0
    assert "\x1b[1;32m" not in seen


def test_a_terminal_that_knows_few_characters_gets_the_whole_report() -> None:
    code, seen = on_terminal(
        "verify", "testdata/savedmodel-extra-file", *KEY, env={"PYTHONIOENCODING": "latin-1"}
    )
    assert code == 12
    text = without_sequences(seen)
    assert "FILE_UNSIGNED" in text
    assert "exit code 12" in text


@pytest.mark.slow
def test_a_bar_during_a_real_run(tmp_path: Path) -> None:
    """The file is sparse and larger than signed, so the deadline ends the run under its bar."""
    signer = Signer()
    signer.sign_tree(tmp_path / "m", {"weights.bin": b"1"})
    os.truncate(tmp_path / "m/weights.bin", 1 << 40)
    (tmp_path / "k.pub").write_bytes(signer.pem)
    code, seen = on_terminal(
        "verify", tmp_path / "m", "--public-key", tmp_path / "k.pub", "--timeout=2"
    )
    assert code == 124
    text = without_sequences(seen)
    assert "TiB" in text
    assert "not done within 2 seconds" in text
    assert REPOSITORY.exists()
