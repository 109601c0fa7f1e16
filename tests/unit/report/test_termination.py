"""What a pod's status shows: whole JSON of at most 1024 bytes, whatever happened."""

from __future__ import annotations

import pytest

from tests.schemas import MAX_TERMINATION_BYTES, check_termination
from tests.unit.report.reports import DIGEST, REPORTS, model, rejected, report
from verifier_cli.report import termination
from verifier_cli.report.document import to_document
from verifier_cli.verdict import (
    Code,
    Evidence,
    Finding,
    ModelReport,
    PolicyFacts,
    Reason,
    Report,
    Verdict,
)


def message(found: Report) -> dict[str, object]:
    return check_termination(termination.render(to_document(found)))


def test_the_shape_of_the_contract() -> None:
    assert message(report(model())) == {
        "v": 1,
        "verdict": "TRUSTED",
        "reason": "VERIFIED",
        "exit": 0,
        "models": [{"path": "/data/m", "signer": "release@example.com", "rootDigest": DIGEST}],
        "finding": "",
        "policy": [DIGEST],
    }


@pytest.mark.parametrize("name", REPORTS)
def test_every_report(name: str) -> None:
    found = message(REPORTS[name])
    expected = REPORTS[name]
    assert (found["verdict"], found["reason"], found["exit"]) == (
        expected.verdict.value,
        expected.reason.name,
        expected.exit_code,
    )


def test_the_limit_is_that_of_kubernetes_for_one_container() -> None:
    assert termination.MAX_BYTES == MAX_TERMINATION_BYTES == 1024


def test_the_finding_that_decides() -> None:
    found = message(report(rejected()))
    assert found["finding"] == "FILE_MODIFIED weights.bin: is not the file that was signed"


def test_a_finding_without_a_path() -> None:
    found = message(report(rejected(Finding(Code.KEY_MISMATCH, "another key"))))
    assert found["finding"] == "KEY_MISMATCH another key"


def test_the_error_of_the_run_comes_first() -> None:
    assert message(report(rejected(), error="it broke"))["finding"] == "it broke"


def test_the_model_that_decides_comes_first() -> None:
    light = rejected(Finding(Code.SPECIAL_FILE, "is a FIFO", "f"), reason=Reason.POLICY_VIOLATION)
    heavy = rejected(Finding(Code.KEY_MISMATCH, "another key"), reason=Reason.SIGNER_UNTRUSTED)
    both = report(
        light,
        heavy,
        reason=Reason.SIGNER_UNTRUSTED,
        verdict=Verdict.REJECTED,
        exit_code=11,
    )
    assert message(both)["finding"] == "KEY_MISMATCH another key"


@pytest.mark.parametrize(
    ("signer", "shown"),
    [
        (Evidence("key", name="us", fingerprint=DIGEST), "us"),
        (Evidence("key", fingerprint=DIGEST), DIGEST),
        (Evidence("certificate", "us", "CN=x"), "CN=x"),
        (Evidence("certificate"), ""),
        (None, ""),
    ],
)
def test_the_signer(signer: Evidence | None, shown: str) -> None:
    reported = rejected(signer=signer)
    models = message(report(reported))["models"]
    assert isinstance(models, list)
    assert models[0]["signer"] == shown


def test_at_most_four_models_and_policies() -> None:
    many = report(
        *[model()] * 9, policies=tuple(PolicyFacts(DIGEST, "", "enforce") for _ in range(9))
    )
    found = message(many)
    assert len(found["models"]) <= 4  # type: ignore[arg-type]
    assert len(found["policy"]) <= 4  # type: ignore[arg-type]


LONG = ["x" * 5000, "ü" * 5000, "\U0001f9ff" * 5000, '"\\' * 5000, "\n" * 5000, "\udcff" * 5000]


@pytest.mark.parametrize("text", LONG, ids=["x", "ü", "emoji", "quotes", "newlines", "bytes"])
@pytest.mark.parametrize("models", [0, 1, 4, 50])
def test_what_is_too_long_is_cut_but_stays_whole(text: str, models: int) -> None:
    long: ModelReport = rejected(
        Finding(Code.FILE_UNSIGNED, text, text),
        path=text,
        signer=Evidence("certificate", identity=text),
    )
    found = message(report(*[long] * models, error=text if not models else None))
    assert found["finding"], "something of the finding is left"
    if models == 1:
        assert found["models"], "one model has room"
