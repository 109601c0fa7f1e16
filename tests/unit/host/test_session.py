"""There is always a report, whatever goes wrong on the way."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.schemas import check_log_lines, check_report
from tests.unit.signing import Signer
from verifier_cli.errors import ConfigError, Problem, TrustUnavailableError
from verifier_cli.host import session
from verifier_cli.host.logs import Log
from verifier_cli.host.session import Ticker, decide, deliver, write
from verifier_cli.host.supervise import handle_signals
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Key, Material, ModelRules, Policy
from verifier_cli.report.document import to_document
from verifier_cli.runs import Settings
from verifier_cli.verdict import Reason, Report, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SIGNER = Signer()


def policy(model: Path | str, **changes: object) -> Policy:
    fields: dict[str, object] = {
        "models": (ModelRules(str(model)),),
        "signers": (Key(Material(text=SIGNER.pem.decode())),),
        "sha256": "ab" * 32,
        "source": "p.json",
    }
    return Policy(**(fields | changes))  # type: ignore[arg-type]


def run(
    load: Callable[[], Sequence[Policy]],
    *,
    settings: Callable[[Sequence[Policy]], Settings] = lambda _: Settings(),
    timeout: float | None = None,
) -> tuple[Report, list[dict[str, object]]]:
    stream = io.StringIO()
    log = Log(stream, level="debug")
    report = decide(load, settings, log, timeout_seconds=timeout, tick=lambda _: None)
    check_report(to_document(report))
    lines = check_log_lines(stream.getvalue())
    last = lines[-1]
    assert last["event"] == "verify.finished"
    assert (last["verdict"], last["reason"], last["exitCode"]) == (
        report.verdict.value,
        report.reason.name,
        report.exit_code,
    )
    return report, lines


def test_a_sound_model(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, {"a": b"1"})
    report, lines = run(lambda: [policy(tmp_path)])
    assert (report.verdict, report.exit_code, report.error) == (Verdict.TRUSTED, 0, None)
    assert [line["event"] for line in lines] == [
        "verify.started",
        "signature.authenticated",
        "tree.scanned",
        "verify.finished",
    ]
    assert lines[-1]["bytes"] == 1


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def call(*_: object) -> NoReturn:
        raise error

    return call


ERRORS = [
    (ConfigError(Problem("a", "is missing"), source="p"), Reason.CONFIG, "p: a: is missing"),
    (TrustUnavailableError("no", advice="Look"), Reason.TRUST_UNAVAILABLE, "no. Look"),
]


@pytest.mark.parametrize(("error", "reason", "sentence"), ERRORS)
def test_what_could_not_be_decided(error: Exception, reason: Reason, sentence: str) -> None:
    report, lines = run(raising(error))
    assert (report.reason, report.exit_code, report.error) == (reason, reason.exit_code, sentence)
    assert report.verdict is Verdict.UNDETERMINED
    assert [line["event"] for line in lines] == ["error", "verify.finished"]
    assert lines[0]["reason"] == reason.name


def test_the_policies_stay_in_the_report_when_the_settings_fail() -> None:
    report, _ = run(lambda: [policy("/m")], settings=raising(ERRORS[0][0]))
    assert [facts.source for facts in report.policies] == ["p.json"]
    assert report.reason is Reason.CONFIG


def test_a_bug_is_a_bug_and_its_trace_is_for_the_log() -> None:
    report, lines = run(raising(ZeroDivisionError("secret detail")))
    assert (report.reason, report.exit_code) == (Reason.INTERNAL, 1)
    assert report.error is not None
    assert "ZeroDivisionError" in report.error
    assert "secret detail" not in report.error
    assert [line["event"] for line in lines] == ["trace", "error", "verify.finished"]
    assert "Traceback" in str(lines[0]["msg"])


def test_a_bug_in_the_engine_that_was_asked_for() -> None:
    report, _ = run(lambda: [policy("/m", models=7)], settings=lambda _: Settings(engine="both"))
    assert report.reason is Reason.INTERNAL
    assert report.engine == "both"


@pytest.mark.parametrize(("timeout", "policies"), [(0.001, 3600), (None, 0.001)])
def test_the_deadline(tmp_path: Path, timeout: float | None, policies: float) -> None:
    SIGNER.sign_tree(tmp_path, {"a": b"1"})
    # Sparse: it costs nothing but the time to read it.
    os.truncate(tmp_path / "a", 1 << 40)
    report, _ = run(
        lambda: [policy(tmp_path, timeout_seconds=policies, mode="warn")], timeout=timeout
    )
    assert (report.reason, report.exit_code) == (Reason.DEADLINE, 124)
    assert report.verdict is Verdict.UNDETERMINED
    assert report.mode == "warn"


def test_the_time_limits_of_all_policies_add_up(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, {"a": b"1"})
    policies = [policy(tmp_path, timeout_seconds=seconds) for seconds in (0.0, 60.0)]
    report, _ = run(lambda: policies)
    assert report.verdict is Verdict.TRUSTED


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal(number: int, code: int) -> None:
    handle_signals()

    def load() -> Sequence[Policy]:
        os.kill(os.getpid(), number)
        time.sleep(60)
        return []

    report, lines = run(load)
    assert report.exit_code == code
    assert report.verdict is Verdict.UNDETERMINED
    assert lines[0]["event"] == "error"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(session, "time", clock)
    return clock


def test_progress_is_logged_every_few_seconds(clock: Clock) -> None:
    stream = io.StringIO()
    tick, progress = Ticker(Log(stream)), Progress()
    clock.now += 60
    tick(progress)
    assert stream.getvalue() == "", "there is nothing to hash yet"
    progress.expect(1000)
    tick(progress)
    assert stream.getvalue() == "", "it has only begun"
    clock.now += 4.9
    tick(progress)
    clock.now += 5.1
    tick(progress)
    progress.advance(250)
    clock.now += 10
    tick(progress)
    found = check_log_lines(stream.getvalue())
    assert [(line["bytes"], line["totalBytes"]) for line in found] == [(0, 1000), (250, 1000)]
    assert "etaSeconds" not in found[0]
    # 250 bytes in the last 10 seconds, 750 to go
    assert (found[1]["bytesPerSecond"], found[1]["etaSeconds"]) == (25, 30)


def test_what_is_not_known_yet_is_not_guessed(clock: Clock) -> None:
    """While files are still opened, nobody knows how many bytes there will be."""
    stream = io.StringIO()
    tick, progress = Ticker(Log(stream)), Progress()
    progress.sizing = True
    progress.expect(1000)
    tick(progress)
    progress.advance(1000)
    clock.now += 10
    tick(progress)
    (line,) = check_log_lines(stream.getvalue())
    assert (line["bytes"], line["bytesPerSecond"]) == (1000, 100)
    assert "totalBytes" not in line
    assert "etaSeconds" not in line


def test_a_reader_of_the_report_who_went_away() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        write(stream, b"x")
    write(stream, b"x")


def test_a_report_is_written_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as ours, os.fdopen(writing, "wb") as stream:
        write(stream, b"report")
        assert ours.read(100) == b"report"


def test_a_result_must_arrive_whole() -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        with pytest.raises(ConfigError, match="standard output: cannot be written: no space"):
            deliver(full, b"x" * 100_000)
        with contextlib.suppress(OSError):
            full.close()
    stream = io.BytesIO()
    deliver(stream, b"x")
    assert stream.getvalue() == b"x"
