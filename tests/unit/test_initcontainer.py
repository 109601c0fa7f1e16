"""The entrypoint in a pod: pins, roots, report, log, and the message that the kubelet shows."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.schemas import check_log_lines, check_report, check_termination
from tests.unit.conftest import SCRIPT
from tests.unit.signing import Signer
from verifier_cli import initcontainer
from verifier_cli.config import document
from verifier_cli.policy import Key, Material, ModelRules, Policy

SIGNER = Signer()
FILES = {"a": b"1", "d/b": b"22"}


class Pod:
    """A pod's view: a mounted policy, a model, and the places to write to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / "model"
        SIGNER.sign_tree(self.model, FILES)
        self.policy = path / "policy.json"
        self.log = path / "termination-log"
        self.log.touch()
        self.environ = {
            "MODEL_VERIFY_POLICY": str(self.policy),
            "MODEL_VERIFY_TERMINATION_LOG": str(self.log),
            "POD_NAMESPACE": "ns",
            "POD_NAME": "pod-1",
        }
        self.write(self.policy)

    def document(self, **changes: Any) -> bytes:  # noqa: ANN401
        rules = (ModelRules(str(self.model)),)
        signers = (Key(Material(text=SIGNER.pem.decode())),)
        return document.encode(Policy(**{"models": rules, "signers": signers} | changes))

    def write(self, path: Path, **changes: Any) -> str:  # noqa: ANN401
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.document(**changes))
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def run(self, **environ: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        stdout, stderr = io.BytesIO(), io.StringIO()
        code = initcontainer.run(self.environ | environ, stdout, stderr)
        assert stdout.getvalue().count(b"\n") == 1, "the report is one line of the pod's log"
        report = check_report(stdout.getvalue())
        lines = check_log_lines(stderr.getvalue())
        assert report["exitCode"] == code
        assert all((line["namespace"], line["pod"]) == ("ns", "pod-1") for line in lines)
        return code, report, lines

    def left(self) -> dict[str, Any]:
        return check_termination(self.log.read_bytes())


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def events(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == name]


def test_a_sound_model(pod: Pod) -> None:
    pin = hashlib.sha256(pod.policy.read_bytes()).hexdigest()
    code, report, lines = pod.run(MODEL_VERIFY_POLICY_SHA256=pin)
    assert (code, report["verdict"]) == (0, "TRUSTED")
    left = pod.left()
    assert (left["verdict"], left["exit"], left["policy"]) == ("TRUSTED", 0, [pin])
    assert left["models"][0]["path"] == str(pod.model)
    assert left["models"][0]["rootDigest"] == report["models"][0]["signature"]["rootDigest"]
    (loaded,) = events(lines, "policy.loaded")
    assert (loaded["policySha256"], loaded["pinned"], loaded["level"]) == (pin, True, "info")


def test_a_tampered_model(pod: Pod) -> None:
    (pod.model / "a").write_bytes(b"x")
    code, report, lines = pod.run()
    assert (code, report["reason"]) == (12, "CONTENT_MISMATCH")
    assert pod.left()["finding"].startswith("FILE_MODIFIED a: ")
    (finished,) = events(lines, "verify.finished")
    assert (finished["exitCode"], finished["level"]) == (12, "error")


def test_without_a_pin_the_log_warns(pod: Pod) -> None:
    code, _, lines = pod.run()
    assert code == 0
    (loaded,) = events(lines, "policy.loaded")
    assert (loaded["pinned"], loaded["level"]) == (False, "warning")
    assert "nothing pins" in loaded["msg"]


WRONG_PINS = ["0" * 64, "{pin},{other}", "{other}"]


@pytest.mark.parametrize("pins", WRONG_PINS)
def test_a_policy_that_is_not_the_admitted_one(pod: Pod, pins: str) -> None:
    pin = hashlib.sha256(pod.policy.read_bytes()).hexdigest()
    code, report, _ = pod.run(MODEL_VERIFY_POLICY_SHA256=pins.format(pin=pin, other="f" * 64))
    assert (code, report["reason"], report["models"]) == (3, "CONFIG", [])
    assert pin in report["error"]
    assert "Create the pod anew" in report["error"]
    assert pod.left()["exit"] == 3


@pytest.mark.parametrize("pins", ["", " ", ",", "abc", "A" * 64, "{pin},"])
def test_what_is_no_pin(pod: Pod, pins: str) -> None:
    pin = hashlib.sha256(pod.policy.read_bytes()).hexdigest()
    code, report, _ = pod.run(MODEL_VERIFY_POLICY_SHA256=pins.format(pin=pin))
    assert code == 3
    assert "MODEL_VERIFY_POLICY_SHA256" in report["error"]


@pytest.fixture
def mounts(pod: Pod) -> tuple[Pod, Path, list[str]]:
    """Several validations, as the webhook mounts them."""
    path = pod.path / "policies"
    other = pod.path / "other"
    SIGNER.sign_tree(other, FILES)
    pins = [
        pod.write(path / "b/policy.json"),
        pod.write(path / "a/policy.json", models=(ModelRules(str(other)),)),
        pod.write(path / "c/policy.json", timeout_seconds=5),
    ]
    (path / "..data").mkdir()
    (path / "..data/policy.json").write_bytes(b"not looked at")
    (path / "empty").mkdir()
    (path / "file").touch()
    return pod, path, pins


def test_a_directory_of_policies_in_the_order_of_their_names(
    mounts: tuple[Pod, Path, list[str]],
) -> None:
    pod, path, pins = mounts
    joined = " , ".join(pins)
    code, report, lines = pod.run(MODEL_VERIFY_POLICY=str(path), MODEL_VERIFY_POLICY_SHA256=joined)
    assert code == 0
    assert [policy["source"] for policy in report["policies"]] == [
        f"{path}/{name}/policy.json" for name in "abc"
    ]
    assert len(report["models"]) == 3
    started = events(lines, "verify.started")
    scanned = events(lines, "tree.scanned")
    assert (len(started), len(scanned)) == (3, 2), "the same rules are looked at once"


def test_every_one_of_them_must_hold(mounts: tuple[Pod, Path, list[str]]) -> None:
    pod, path, _ = mounts
    stranger = (Key(Material(text=Signer().pem.decode())),)
    pod.write(path / "d/policy.json", signers=stranger)
    assert pod.run(MODEL_VERIFY_POLICY=str(path))[0] == 11


@pytest.mark.parametrize("change", ["one missing", "one more", "one edited"])
def test_the_set_of_policies_is_the_admitted_one(
    mounts: tuple[Pod, Path, list[str]], change: str
) -> None:
    pod, path, pins = mounts
    if change == "one missing":
        (path / "c/policy.json").unlink()
    elif change == "one more":
        pod.write(path / "d/policy.json", timeout_seconds=6)
    else:
        pod.write(path / "c/policy.json", mode="warn")
    code, report, _ = pod.run(
        MODEL_VERIFY_POLICY=str(path), MODEL_VERIFY_POLICY_SHA256=",".join(pins)
    )
    assert (code, report["reason"]) == (3, "CONFIG")


def test_a_dangling_policy_is_not_overlooked(mounts: tuple[Pod, Path, list[str]]) -> None:
    pod, path, _ = mounts
    (path / "d").mkdir()
    (path / "d/policy.json").symlink_to("nowhere")
    assert pod.run(MODEL_VERIFY_POLICY=str(path))[0] == 3


@pytest.mark.parametrize("count", [0, 65])
def test_none_and_too_many(pod: Pod, count: int) -> None:
    path = pod.path / "policies"
    path.mkdir()
    for number in range(count):
        pod.write(path / f"{number}/policy.json")
    code, report, _ = pod.run(MODEL_VERIFY_POLICY=str(path))
    assert code == 3
    assert f"holds {count} policies" in report["error"]


@pytest.mark.parametrize("path", ["/absent/policy.json", "nul\0", "/dev/null"])
def test_a_policy_that_cannot_be_read(pod: Pod, path: str) -> None:
    code, report, _ = pod.run(MODEL_VERIFY_POLICY=path)
    assert (code, report["reason"]) == (3, "CONFIG")
    assert report["error"]


def test_the_usual_place(pod: Pod) -> None:
    del pod.environ["MODEL_VERIFY_POLICY"]
    assert initcontainer.POLICY == "/etc/model-verify/policy.json"
    assert initcontainer.TERMINATION_LOG == "/dev/termination-log"
    for environ in ({}, {"MODEL_VERIFY_POLICY": ""}):
        code, report, _ = pod.run(**environ)
        assert code == 3
        assert report["error"].startswith(initcontainer.POLICY)


@pytest.mark.parametrize("raw", [b"", b"{", b"{}", b"kind: ModelValidation", b"\xff"])
def test_a_policy_that_is_none(pod: Pod, raw: bytes) -> None:
    pod.policy.write_bytes(raw)
    assert pod.run()[0] == 3


def test_only_policy_documents_are_mounted(pod: Pod) -> None:
    manifest = {"apiVersion": "ml.sigstore.dev/v1alpha1", "kind": "ModelValidation"}
    pod.policy.write_text(json.dumps(manifest), encoding="utf-8")
    assert pod.run()[0] == 3


def test_models_below_the_roots(pod: Pod) -> None:
    pod.write(pod.policy, models=(ModelRules(None, discover=True),))
    code, report, _ = pod.run(MODEL_VERIFY_ROOTS=f":{pod.model}:")
    assert code == 0
    assert [model["path"] for model in report["models"]] == [str(pod.model)]


@pytest.mark.parametrize("roots", [None, "", ":", "relative", "/data:relative", "/data/../x"])
def test_roots_that_are_none(pod: Pod, roots: str | None) -> None:
    pod.write(pod.policy, models=(ModelRules(None, discover=True),))
    code, report, _ = pod.run(**({} if roots is None else {"MODEL_VERIFY_ROOTS": roots}))
    assert code == 3
    assert "MODEL_VERIFY_ROOTS" in report["error"]


def test_roots_do_not_matter_to_policies_with_paths(pod: Pod) -> None:
    assert pod.run(MODEL_VERIFY_ROOTS="relative")[0] == 0
    pod.write(pod.policy, models=(ModelRules(str(pod.model), discover=True),))
    assert pod.run(MODEL_VERIFY_ROOTS="relative")[0] == 0


def test_warn(pod: Pod) -> None:
    pod.write(pod.policy, mode="warn")
    (pod.model / "a").write_bytes(b"x")
    code, report, lines = pod.run()
    assert (code, report["verdict"], report["mode"]) == (0, "REJECTED", "warn")
    left = pod.left()
    assert (left["verdict"], left["reason"], left["exit"]) == ("REJECTED", "CONTENT_MISMATCH", 0)
    assert events(lines, "verify.finished")[0]["level"] == "error"


@pytest.mark.parametrize(("level", "least"), [("error", 0), ("ERROR", 0), ("debug", 1), ("x", 1)])
def test_the_log_level(pod: Pod, level: str, least: int) -> None:
    lines = pod.run(MODEL_VERIFY_LOG_LEVEL=level)[2]
    assert bool(lines) == bool(least)


def test_an_old_message_is_overwritten(pod: Pod) -> None:
    pod.log.write_bytes(b"x" * 5000)
    pod.run()
    assert pod.left()["verdict"] == "TRUSTED"


@pytest.mark.parametrize("kind", ["fifo", "directory", "absent", "nul", "full", "link"])
def test_a_termination_log_that_cannot_be_written(pod: Pod, kind: str) -> None:
    path = str(pod.path / kind)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        Path(path).mkdir()
    elif kind == "absent":
        path = f"{path}/below"
    elif kind == "full":
        path = "/dev/full"
    elif kind == "link":
        Path(path).symlink_to(pod.path / "elsewhere")
    else:
        path += "\0"
    code, _, lines = pod.run(MODEL_VERIFY_TERMINATION_LOG=path)
    assert code == 0, "the verdict stands"
    assert len(events(lines, "termination.unwritten")) == 1
    assert not (pod.path / "elsewhere").exists()


def test_it_is_created_where_it_is_not_there(pod: Pod) -> None:
    pod.log.unlink()
    pod.run()
    assert pod.left()["verdict"] == "TRUSTED"


def process(pod: Pod, **environ: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [SCRIPT, "init"],
        env={**os.environ, **pod.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_as_a_process(pod: Pod) -> None:
    started = process(pod)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 0
    check_report(out)
    check_log_lines(err)
    assert pod.left()["verdict"] == "TRUSTED"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_a_report(pod: Pod, number: signal.Signals, code: int) -> None:
    """It hashes a sparse file of a terabyte when the signal comes."""
    (pod.model / "a").unlink()
    with (pod.model / "a").open("wb") as file:
        file.truncate(1 << 40)
    started = process(pod)
    assert started.stderr is not None
    log = b""
    while b"tree.scanned" not in log:
        line = started.stderr.readline()
        assert line, log
        log += line
    started.send_signal(number)
    out, err = started.communicate(timeout=60)
    assert started.returncode == code
    report = check_report(out)
    assert (report["verdict"], report["exitCode"]) == ("UNDETERMINED", code)
    check_log_lines(log + err)
    assert pod.left()["exit"] == code


def test_it_needs_nothing_of_its_surroundings(pod: Pod) -> None:
    """No HOME, no PATH, no user name, nothing to write to but the termination log."""
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT, "init"],
        env=pod.environ,
        check=False,
        capture_output=True,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in pod.path.iterdir()) == [
        "model",
        "policy.json",
        "termination-log",
    ]


def test_main_in_this_process(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    from verifier_cli.cli import main

    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    assert main.run(["init"]) == 0
    check_report(capsysbinary.readouterr().out)


def test_a_signal_before_anything_was_begun(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        return 0

    monkeypatch.setattr(initcontainer, "run", run)
    assert initcontainer.main() == 143
    assert pod.log.exists()
