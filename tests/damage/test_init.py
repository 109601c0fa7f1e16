"""The init container's entrypoint, as a real process with what a kubelet would give it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from io import BytesIO, StringIO
from pathlib import Path

import pytest

from tests.builders import (
    COMMAND,
    FILES,
    ByKey,
    Model,
    as_nobody,
    environment,
    mode_of,
    process,
    public_directory,
    statement_of,
)
from tests.damage.pods import Pod, pin
from verifier_cli import initcontainer


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_a_policy_file(pod: Pod) -> None:
    file = pod.add()
    code, report, message = pod.run(POLICY=str(file))
    assert (code, report["verdict"], message["verdict"]) == (0, "TRUSTED", "TRUSTED")
    assert message["v"] == 1
    assert message["policy"] == [pin(file)]
    assert [model["path"] for model in message["models"]] == [str(pod.model.path)]


def test_a_directory_of_policies_in_the_order_of_names(pod: Pod) -> None:
    files = [pod.add("b", mode="warn"), pod.add("a"), pod.add("c")]
    code, report, _ = pod.run()
    assert code == 0
    assert [p["source"] for p in report["policies"]] == sorted(map(str, files))


@pytest.mark.parametrize("where", ["nowhere", "nowhere/policy.json"])
def test_no_policy(pod: Pod, where: str) -> None:
    code, report, message = pod.run(POLICY=str(pod.path / where))
    assert (code, report["reason"], report["verdict"]) == (3, "CONFIG", "UNDETERMINED")
    assert "nowhere" in message["finding"]


@pytest.mark.parametrize("name", [".hidden", "..2024_01_01", "..data"])
def test_a_directory_without_policies(pod: Pod, name: str) -> None:
    pod.add(name)
    assert pod.run()[0] == 3


def test_the_entries_of_the_atomic_writer_do_not_count(pod: Pod) -> None:
    pod.add("..2024_01_01/one")
    (pod.policies / "..data").symlink_to("..2024_01_01")
    (pod.policies / "one").symlink_to("..data/one")
    code, report, _ = pod.run()
    assert code == 0
    assert len(report["models"]) == len(report["policies"]) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b"{}",
        b"\xff",
        b'{"schema": "model-verify/policy/v2"}',
        b'{"schema": "model-verify/policy/v1", "models": [], "signers": []}',
        b'{"schema": "model-verify/policy/v1", "schema": "model-verify/policy/v1"}',
        b"[" * 100_000,
        b" " * (1 << 20) + b"{}",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_malformed_policy(pod: Pod, raw: bytes) -> None:
    pod.add().write_bytes(raw)
    code, report, message = pod.run()
    assert (code, report["reason"], message["verdict"]) == (3, "CONFIG", "UNDETERMINED")


def test_one_malformed_policy_among_several(pod: Pod) -> None:
    pod.add("one")
    pod.add("two").write_bytes(b"{")
    assert pod.run()[0] == 3


def test_a_policy_that_is_a_fifo(pod: Pod) -> None:
    file = pod.add()
    file.unlink()
    os.mkfifo(file)
    assert pod.run()[0] == 3


# Pins.


def test_pinned(pod: Pod) -> None:
    one, two = pod.add("one"), pod.add("two", mode="warn")
    assert pod.run(POLICY_SHA256=pin(one, two))[0] == 0
    assert pod.run(POLICY_SHA256=f" {pin(two)} , {pin(one)} ")[0] == 0


def test_two_policies_that_are_the_same_need_one_pin(pod: Pod) -> None:
    one = pod.add("one")
    pod.add("two")
    assert pod.run(POLICY_SHA256=pin(one))[0] == 0


def test_a_policy_that_was_edited_later(pod: Pod) -> None:
    file = pod.add()
    pinned = pin(file)
    file.write_bytes(file.read_bytes() + b"\n")
    code, report, _ = pod.run(POLICY_SHA256=pinned)
    assert (code, report["reason"], report["models"]) == (3, "CONFIG", [])


def test_fewer_policies_than_were_pinned(pod: Pod) -> None:
    one, two = pod.add("one"), pod.add("two", mode="warn")
    pinned = pin(one, two)
    two.unlink()
    assert pod.run(POLICY_SHA256=pinned)[0] == 3


def test_more_policies_than_were_pinned(pod: Pod) -> None:
    one = pod.add("one")
    pod.add("two", mode="warn")
    assert pod.run(POLICY_SHA256=pin(one))[0] == 3


@pytest.mark.parametrize("pins", ["x", "{}x", "{},", ",{}", "{} {}", "sha256:{}", ","])
def test_malformed_pins(pod: Pod, pins: str) -> None:
    pinned = pin(pod.add())
    assert pod.run(POLICY_SHA256=pins.format(pinned, pinned))[0] == 3


def test_an_empty_pin_is_not_no_pin(pod: Pod) -> None:
    pod.add()
    ended = process("init", **pod.variables(), MODEL_VERIFY_POLICY_SHA256="")
    assert ended.returncode == 3


def test_a_pin_in_upper_case(pod: Pod) -> None:
    assert pod.run(POLICY_SHA256=pin(pod.add()).upper())[0] == 3


def test_without_a_pin_the_log_warns(pod: Pod) -> None:
    file = pod.add()
    for pinned in (False, True):
        ended = process("init", **pod.variables(POLICY_SHA256=pin(file) if pinned else ""))
        lines = [json.loads(line) for line in ended.stderr.splitlines()]
        (loaded,) = [line for line in lines if line["event"] == "policy.loaded"]
        assert loaded["pinned"] is pinned
        assert loaded["level"] == ("info" if pinned else "warning")


# Surroundings.


def test_the_termination_message_of_a_rejection(pod: Pod) -> None:
    pod.model.write("config.json", b"other")
    pod.add()
    code, _, message = pod.run()
    assert (code, message["verdict"], message["reason"]) == (12, "REJECTED", "CONTENT_MISMATCH")
    assert "config.json" in message["finding"]


def test_the_termination_message_replaces_a_longer_one(pod: Pod) -> None:
    pod.log.write_bytes(b"x" * 4000)
    pod.add()
    assert pod.run()[0] == 0


def test_the_termination_message_is_short_whatever_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["\u202e" * 60] * 5)
    pod = Pod(tmp_path, Model(deep).sign(ByKey.new()))
    pod.model.write("\x1b" * 200, b"")
    for number in range(6):
        pod.add(f"policy-{number}", mode="enforce")
    assert pod.run()[0] == 12


@pytest.mark.parametrize("log", ["/dev/full", "/dev/null", "{}/no/such", "{}", "{}/fifo"])
@pytest.mark.parametrize("good", [True, False])
def test_a_termination_log_that_cannot_be_written(pod: Pod, log: str, *, good: bool) -> None:
    os.mkfifo(pod.path / "fifo")
    if not good:
        pod.model.write("new", b"")
    pod.add()
    ended = process("init", **pod.variables(TERMINATION_LOG=log.format(pod.path)))
    assert ended.returncode == (0 if good else 12)
    assert json.loads(ended.stdout)["exitCode"] == ended.returncode
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert "termination.unwritten" in events


def test_init_takes_no_arguments(pod: Pod) -> None:
    pod.add()
    assert process("init", pod.model.path, **pod.variables()).returncode == 2
    assert process("init", "--public-key", "x", **pod.variables()).returncode == 2


def test_nothing_but_the_policy_is_needed(pod: Pod) -> None:
    """No HOME, no PATH, no user name, no locale, and standard input closed."""
    pod.add()
    python = {"PYTHONPATH": os.pathsep.join(sys.path)} if "PYTHONPATH" in os.environ else {}
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" init <&-', *COMMAND],
        env=python | pod.variables(),
        cwd="/",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr


def test_any_user_in_a_directory_that_nobody_can_write() -> None:
    """Without privilege, without HOME, and with nothing that could be written anywhere."""
    with public_directory() as directory:
        pod = Pod(directory)
        pod.add()

        def run() -> tuple[int, bytes]:
            stdout = BytesIO()
            environ = pod.variables() | {"HOME": "/nonexistent"}
            with contextlib.chdir(directory):
                return initcontainer.run(environ, stdout, StringIO()), stdout.getvalue()

        assert run()[0] == 0
        with mode_of(directory, 0o555), mode_of(pod.model.path, 0o555):
            code, stdout = as_nobody(run)
    assert code == 0
    assert json.loads(stdout)["verdict"] == "TRUSTED"


@pytest.mark.root
def test_as_pid_1_it_ends_by_sigterm(pod: Pod) -> None:
    """Nothing ends the first process of a container but what it handles itself."""
    os.truncate(pod.model.write("huge", b""), 1 << 40)
    files = FILES | {"huge": b""}
    pod.model.resign(statement_of(files))
    pod.add()
    unshare = ["unshare", "--pid", "--fork", *COMMAND, "init"]
    with contextlib.ExitStack() as stack:
        try:
            running = subprocess.Popen(
                unshare,
                env=environment(**pod.variables()),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            pytest.skip("there is no unshare here")
        stack.enter_context(running)
        assert running.stderr is not None
        for line in running.stderr:
            if b"tree.scanned" in line:
                break
            if b"unshare" in line:
                running.wait()
                pytest.skip("this user may not make a process namespace")
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()
        os.kill(int(children), signal.SIGTERM)
        stdout, _ = running.communicate(timeout=60)
    assert running.returncode == 143
    assert json.loads(stdout)["reason"] == "TERMINATED"
    assert json.loads(pod.log.read_bytes())["exit"] == 143
