"""Judging is pure: findings in, reason and exit code out."""

from __future__ import annotations

import dataclasses
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import pytest

from verifier_cli.judge import Examination, exit_code, judge, weightiest
from verifier_cli.verdict import Code, Evidence, Finding, Reason, Severity

if TYPE_CHECKING:
    from verifier_cli.verdict import Mode

WHOLE = Examination(Evidence("key"), signed=2, equal=2, complete=True, findings=())

# The contract's order, and where the contract is silent: what says more about the run first.
ORDER = [
    Reason.CONFIG,
    Reason.SIGNATURE_MISSING,
    Reason.SIGNATURE_INVALID,
    Reason.SIGNER_UNTRUSTED,
    Reason.MODEL_UNREADABLE,
    Reason.CONTENT_MISMATCH,
    Reason.POLICY_VIOLATION,
    Reason.VERIFIED,
]
BY_REASON = {code.reason: code for code in Code if code.reason is not None}


def finding(code: Code) -> Finding:
    return Finding(code, "it is so")


def test_a_whole_examination_is_verified() -> None:
    assert judge(WHOLE) is Reason.VERIFIED


@pytest.mark.parametrize("code", [c for c in Code if c.severity is not Severity.ERROR])
def test_warnings_and_notes_do_not_reject(code: Code) -> None:
    assert judge(dataclasses.replace(WHOLE, findings=(finding(code),))) is Reason.VERIFIED


@pytest.mark.parametrize("code", [c for c in Code if c.severity is Severity.ERROR])
def test_every_error_decides(code: Code) -> None:
    found = (finding(Code.EMPTY_DIRECTORY), finding(code))
    assert judge(dataclasses.replace(WHOLE, findings=found)) is code.reason


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": None},
        {"complete": False},
        {"equal": 1},
        {"equal": 3},
        {"equal": 0},
        {"signed": 0, "equal": 0},
    ],
    ids=str,
)
def test_what_is_not_whole_is_a_bug_and_never_a_yes(change: dict[str, object]) -> None:
    assert judge(dataclasses.replace(WHOLE, **change)) is Reason.INTERNAL  # type: ignore[arg-type]


@pytest.mark.parametrize(("first", "second"), [*combinations(ORDER[1:-1], 2)])
def test_of_two_findings_the_weightier_decides(first: Reason, second: Reason) -> None:
    for pair in permutations((first, second)):
        findings = tuple(finding(BY_REASON[reason]) for reason in pair)
        assert judge(dataclasses.replace(WHOLE, findings=findings)) is first


@pytest.mark.parametrize(("first", "second"), [*combinations(ORDER, 2)])
def test_of_two_models_the_weightier_decides(first: Reason, second: Reason) -> None:
    assert weightiest([second, first, second]) is first


def test_nothing_at_all_is_a_bug() -> None:
    assert weightiest([]) is Reason.INTERNAL
    assert exit_code([]) == Reason.INTERNAL.exit_code


@pytest.mark.parametrize("reason", Reason)
def test_enforced_every_reason_ends_with_its_exit_code(reason: Reason) -> None:
    assert exit_code([(reason, "enforce")]) == reason.exit_code


@pytest.mark.parametrize("reason", Reason)
def test_warn_excuses_only_answers_about_a_model(reason: Reason) -> None:
    expected = 0 if 10 <= reason.exit_code < 30 else reason.exit_code
    assert exit_code([(reason, "warn")]) == expected


@pytest.mark.parametrize("modes", [("warn", "enforce"), ("enforce", "warn")])
def test_one_policy_that_warns_does_not_excuse_another(modes: tuple[Mode, Mode]) -> None:
    outcomes = list(zip((Reason.CONTENT_MISMATCH, Reason.CONTENT_MISMATCH), modes, strict=True))
    assert exit_code(outcomes) == 12
    mixed: list[tuple[Reason, Mode]] = [
        (Reason.SIGNATURE_MISSING, "warn"),
        (Reason.POLICY_VIOLATION, "enforce"),
    ]
    assert exit_code(mixed) == 14
    assert exit_code([(Reason.SIGNATURE_MISSING, "warn"), (Reason.VERIFIED, "enforce")]) == 0
