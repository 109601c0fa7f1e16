"""The init container under several policies, and with models to be discovered."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    ByKey,
    Model,
    report_errors,
)
from tests.damage.pods import Pod
from verifier_cli.config import document
from verifier_cli.host.logs import Log
from verifier_cli.model.progress import Progress
from verifier_cli.runs import Settings, verify

if TYPE_CHECKING:
    from pathlib import Path

    from verifier_cli.verdict import Mode


SIZE = sum(map(len, FILES.values()))


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_all_policies_must_hold(pod: Pod) -> None:
    other = Model(pod.path, name="other").sign(ByKey.new())
    other.write("new", b"")
    pod.add("one")
    pod.add("two", other)
    code, report, message = pod.run()
    assert (code, report["verdict"]) == (12, "REJECTED")
    assert [model["verdict"] for model in report["models"]] == ["TRUSTED", "REJECTED"]
    assert "new" in message["finding"]


def test_a_model_under_two_policies_with_other_signers(pod: Pod) -> None:
    pod.add("one")
    pod.model.signers = (ByKey.new().trusted(),)
    pod.add("two")
    code, report, _ = pod.run()
    assert (code, [model["reason"] for model in report["models"]]) == (
        11,
        ["VERIFIED", "SIGNER_UNTRUSTED"],
    )


def test_a_model_under_two_policies_is_hashed_once(pod: Pod) -> None:
    paths = [pod.add("one"), pod.add("two", mode="warn")]
    policies = [document.decode(path.read_bytes(), str(path)) for path in paths]
    progress = Progress()
    report = verify(policies, Settings(), Log(StringIO()), progress)
    assert report.exit_code == 0
    assert [model.bytes for model in report.models] == [SIZE, SIZE]
    assert progress.done == progress.total == SIZE


def test_a_model_under_two_policies_with_other_rules_is_looked_at_twice(pod: Pod) -> None:
    pod.model.write("new", b"")
    one = document.decode(pod.add("one").read_bytes(), "one")
    pod.model.allow(ignore_unsigned_files=True)
    two = document.decode(pod.add("two").read_bytes(), "two")
    report = verify([two, one], Settings(), Log(StringIO()), Progress())
    assert [model.reason.name for model in report.models] == ["VERIFIED", "CONTENT_MISMATCH"]


def test_progress_is_about_all_models(pod: Pod) -> None:
    other = Model(pod.path, {"x": b"x"}, name="other").sign(ByKey.new())
    progress = Progress()
    policies = [pod.model.policy(), other.policy()]
    assert verify(policies, Settings(), Log(StringIO()), progress).exit_code == 0
    assert progress.done == SIZE + 1
    assert progress.done <= progress.total


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("enforce", "enforce", 12),
        ("warn", "enforce", 12),
        ("enforce", "warn", 0),
        ("warn", "warn", 0),
    ],
)
def test_only_the_policy_that_says_warn_is_excused(
    pod: Pod, first: Mode, second: Mode, code: int
) -> None:
    other = Model(pod.path, name="other").sign(ByKey.new())
    other.write("new", b"")
    pod.add("one", mode=first)
    pod.add("two", other, mode=second)
    found, report, _ = pod.run()
    assert (found, report["verdict"]) == (code, "REJECTED")


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_no_policy_excuses_a_policy_that_cannot_be_used(pod: Pod, mode: Mode) -> None:
    pod.add("one", mode=mode)
    assert pod.run(POLICY_SHA256="0" * 64)[0] == 3


# Roots.


def discovering(pod: Pod) -> None:
    pod.model.allow(path=None, discover=True)
    pod.add()


def test_models_are_discovered_below_the_roots(pod: Pod) -> None:
    discovering(pod)
    code, report, _ = pod.run(ROOTS=str(pod.model.path))
    assert code == 0
    assert [model["path"] for model in report["models"]] == [str(pod.model.path)]


def test_a_root_without_a_model(pod: Pod) -> None:
    discovering(pod)
    empty = pod.path / "empty"
    empty.mkdir()
    code, report, _ = pod.run(ROOTS=f"{pod.model.path}:{empty}")
    assert (code, report_errors(report)) == (13, [("SIGNATURE_NOT_FOUND", "")])


def test_a_file_below_a_root_that_no_model_covers(pod: Pod) -> None:
    discovering(pod)
    volume = pod.path / "volume"
    volume.mkdir()
    pod.model.path.rename(volume / "model")
    (volume / "loose").write_bytes(b"")
    code, report, _ = pod.run(ROOTS=str(volume))
    assert (code, report_errors(report)) == (12, [("FILE_UNSIGNED", "loose")])


@pytest.mark.parametrize(
    "roots", ["", "data", "./data", "/data/../x", "/data/", "/:/data", ":", "/a:b"]
)
def test_roots_that_are_none(pod: Pod, roots: str) -> None:
    discovering(pod)
    code, report, message = pod.run(ROOTS=roots)
    assert (code, report["reason"]) == (3, "CONFIG")
    assert "MODEL_VERIFY_ROOTS" in message["finding"]
