"""The process around a verdict: pipes that close, disks that are full, time that runs out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    COMMAND,
    FILES,
    ByKey,
    Model,
    environment,
    process,
    statement_of,
    verify_process,
)
from verifier_cli.errors import DeadlineError
from verifier_cli.host.logs import Log
from verifier_cli.host.session import decide
from verifier_cli.host.supervise import supervise
from verifier_cli.model.progress import Cancelled, Progress
from verifier_cli.runs import Settings
from verifier_cli.verdict import Reason, Report

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTCOMES = {"good": 0, "changed": 12, "stranger": 11, "no key": 3, "usage": 2}


class Case:
    """A command line that ends with a known code."""

    def __init__(self, tmp_path: Path, what: str) -> None:
        self.code = OUTCOMES[what]
        model = Model(tmp_path).sign(ByKey.new())
        key = tmp_path / "key.pub"
        key.write_text(model.by.public_pem)  # type: ignore[attr-defined]
        self.arguments = ["verify", str(model.path), "--public-key", str(key)]
        if what == "changed":
            model.write("config.json", b"other")
        elif what == "stranger":
            key.write_text(ByKey.new().public_pem)
        elif what == "no key":
            key.unlink()
        elif what == "usage":
            self.arguments.append("--nonsense")

    def shell(self, redirections: str) -> int:
        """Runs the command by a shell with redirections; returns its exit code."""
        return subprocess.run(
            ["/bin/sh", "-c", f'"$@" {redirections}', "sh", *COMMAND, *self.arguments],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        ).returncode


@pytest.mark.parametrize("what", OUTCOMES)
@pytest.mark.parametrize(
    "redirections",
    [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1"],
)
def test_output_that_goes_nowhere(tmp_path: Path, what: str, redirections: str) -> None:
    case = Case(tmp_path, what)
    assert case.shell(redirections) == case.code


def test_help_that_nobody_can_read_is_no_success() -> None:
    """It says nothing about a model, but 0 is kept for what was really done."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("what", OUTCOMES)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_who_is_gone(tmp_path: Path, what: str, stream: str) -> None:
    case = Case(tmp_path, what)
    read, write = os.pipe()
    os.close(read)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: write}
    with subprocess.Popen(
        [*COMMAND, *case.arguments],
        env=environment(),
        stdout=streams["stdout"],
        stderr=streams["stderr"],
    ) as running:
        os.close(write)
        running.communicate(timeout=60)
    assert running.returncode == case.code


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-", ">/dev/full 2>&1"])
@pytest.mark.parametrize("what", ["good", "changed"])
def test_init_whose_output_goes_nowhere(tmp_path: Path, what: str, redirections: str) -> None:
    model = Model(tmp_path).sign(ByKey.new())
    if what == "changed":
        model.write("config.json", b"other")
    policy = model.policy_file(tmp_path / "policy.json")
    log = tmp_path / "termination-log"
    ended = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirections}', "sh", *COMMAND, "init"],
        env=environment(MODEL_VERIFY_POLICY=str(policy), MODEL_VERIFY_TERMINATION_LOG=str(log)),
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == OUTCOMES[what]
    assert json.loads(log.read_bytes())["exit"] == OUTCOMES[what]


@pytest.mark.parametrize("entry", ["verify", "init"])
def test_a_signal_while_the_report_waits_for_its_reader(tmp_path: Path, entry: str) -> None:
    """The report is larger than a pipe holds, and nobody reads it."""
    model = Model(tmp_path).sign(ByKey.new())
    for number in range(1000):
        model.write(f"{number}{'x' * 200}", b"")
    policy = model.policy_file(tmp_path / "policy.json")
    arguments = ["init"] if entry == "init" else ["verify", "--policy", str(policy)]
    arguments += ["--output", "json"] if entry == "verify" else []
    log = tmp_path / "termination-log"
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(MODEL_VERIFY_POLICY=str(policy), MODEL_VERIFY_TERMINATION_LOG=str(log))
        if entry == "init"
        else environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for line in running.stderr:
            if b"verify.finished" in line:
                break
        running.stdout.read(1)  # it writes by now
        running.send_signal(signal.SIGTERM)
        stderr = running.stderr.read()
        running.stdout.close()
        running.wait(timeout=60)
    assert b"Traceback" not in stderr
    assert running.returncode == 143


# Deadlines.


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """An event that lets a hanging thread go when the test is over."""
    event = threading.Event()
    yield event
    event.set()


class Hanging(Log):
    """A log that hangs at one event, as a read on dead storage would."""

    def __init__(self, event: str, released: threading.Event) -> None:
        super().__init__(StringIO())
        self._at, self._released = event, released

    def event(self, event: str, message: str, **fields: object) -> None:
        super().event(event, message, **fields)
        if event == self._at:
            self._released.wait(60)


@pytest.mark.parametrize("event", ["verify.started", "signature.authenticated", "tree.scanned"])
def test_a_step_that_hangs(tmp_path: Path, event: str, released: threading.Event) -> None:
    model = Model(tmp_path).sign(ByKey.new())
    report = _decide(model, Hanging(event, released), timeout_seconds=0.1)
    assert (report.reason, report.exit_code) == (Reason.DEADLINE, 124)
    assert report.models == ()
    assert "0.1 seconds" in (report.error or "")


def _decide(model: Model, log: Log, *, timeout_seconds: float) -> Report:
    return decide(
        lambda: [model.policy()],
        lambda _: Settings(),
        log,
        timeout_seconds=timeout_seconds,
        tick=lambda _: None,
    )


def test_enough_time(tmp_path: Path) -> None:
    model = Model(tmp_path).sign(ByKey.new())
    report = _decide(model, Log(StringIO()), timeout_seconds=60)
    assert report.exit_code == 0


def test_a_deadline_cancels_the_hashing(released: threading.Event) -> None:
    """The work is told to stop, and does at its next chunk."""
    seen: list[Progress] = []

    def work(progress: Progress) -> None:
        seen.append(progress)
        released.wait(60)

    with pytest.raises(DeadlineError):
        supervise(work, timeout_seconds=0.05, tick=lambda _: None)
    assert seen[0].cancelled
    with pytest.raises(Cancelled):
        seen[0].advance(1)


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_the_time_limit_of_a_policy(tmp_path: Path, mode: str) -> None:
    model = Model(tmp_path)
    os.truncate(model.write("huge", b""), 1 << 42)
    model.resign(statement_of(FILES | {"huge": b""}))
    policy = json.loads(model.policy_file(tmp_path / "policy.json").read_bytes())
    policy |= {"timeoutSeconds": 1, "mode": mode}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    variables = {
        "MODEL_VERIFY_POLICY": str(tmp_path / "policy.json"),
        "MODEL_VERIFY_TERMINATION_LOG": str(tmp_path / "log"),
    }
    ended = process("init", **variables)
    assert ended.returncode == 124
    assert json.loads(ended.stdout)["reason"] == "DEADLINE"


# What the process says.


@pytest.mark.parametrize("file", ["report.json", "no/such/report.json", ""])
def test_a_report_in_a_file(tmp_path: Path, file: str) -> None:
    case = Case(tmp_path, "changed")
    case.arguments += ["--output", "json", "--output-file", str(tmp_path / file)]
    ended = process(*case.arguments)
    if file == "report.json":
        assert ended.returncode == 12
        assert ended.stdout == b""
        assert json.loads((tmp_path / file).read_bytes())["exitCode"] == 12
    else:
        assert ended.returncode == 3
        assert b"REJECTED" in ended.stderr


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_the_mode_of_a_policy(tmp_path: Path, mode: str) -> None:
    model = Model(tmp_path).sign(ByKey.new())
    model.write("new", b"")
    code, report = verify_process(model, mode=mode)  # type: ignore[arg-type]
    assert (code, report["exitCode"]) == ((12, 12) if mode == "enforce" else (0, 0))
    assert (report["verdict"], report["reason"], report["mode"]) == (
        "REJECTED",
        "CONTENT_MISMATCH",
        mode,
    )


def test_the_environment_gives_options(tmp_path: Path) -> None:
    case = Case(tmp_path, "changed")
    path, key = case.arguments[1], case.arguments[3]
    ended = process("verify", path, MODEL_VERIFY_PUBLIC_KEY=key, MODEL_VERIFY_MODE="warn")
    assert ended.returncode == 0
    assert b"REJECTED" in ended.stdout


@pytest.mark.parametrize("kind", ["ModelValidation", "policy"])
def test_a_policy_that_names_no_model_and_no_model_given(tmp_path: Path, kind: str) -> None:
    """It is about a pod's volumes; a command line has none."""
    by = ByKey.new()
    signers = [{"key": {"publicKey": {"inline": by.public_pem}}}]
    manifest = {
        "apiVersion": "ml.sigstore.dev/v1alpha1",
        "kind": "ModelValidation",
        "metadata": {"name": "x"},
        "spec": {"signers": signers},
    }
    policy = {
        "schema": "model-verify/policy/v1",
        "models": [{"discover": True}],
        "signers": [{"method": "key", "publicKey": by.public_pem}],
    }
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(manifest if kind == "ModelValidation" else policy))
    ended = process("verify", "--policy", file)
    assert ended.returncode == 3
    assert b"model" in (ended.stdout + ended.stderr).lower()
