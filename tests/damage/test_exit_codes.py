"""The contract's table of exit codes: each row reached, and none to be changed unnoticed."""

from __future__ import annotations

import itertools

import pytest

from tests.builders import (
    EXIT_CODES,
    verdict_of,
)
from verifier_cli.judge import Examination, exit_code, judge
from verifier_cli.runs import Clock, undecided
from verifier_cli.verdict import Code, Evidence, Finding, Mode, Reason, Severity, Verdict

# The contract: with several findings the verdict takes the first of these.
PRECEDENCE = (3, 13, 10, 11, 20, 12, 14)

REASONS_OF_ERRORS = {
    "SIGNATURE_MISSING": {"SIGNATURE_NOT_FOUND", "SIGNATURE_AMBIGUOUS"},
    "SIGNATURE_INVALID": {
        "BUNDLE_UNREADABLE",
        "BUNDLE_MALFORMED",
        "STATEMENT_MALFORMED",
        "SIGNATURE_WRONG",
    },
    "SIGNER_UNTRUSTED": {
        "METHOD_MISMATCH",
        "KEY_MISMATCH",
        "IDENTITY_MISMATCH",
        "CHAIN_UNTRUSTED",
        "CERTIFICATE_EXPIRED",
        "CERTIFICATE_PURPOSE",
        "CERTIFICATE_WEAK",
    },
    "MODEL_UNREADABLE": {"MODEL_NOT_FOUND", "UNREADABLE", "CHANGED_WHILE_READ", "TOO_LARGE"},
    "CONTENT_MISMATCH": {"FILE_MODIFIED", "FILE_MISSING", "FILE_UNSIGNED", "SIGNED_BUT_IGNORED"},
    "POLICY_VIOLATION": {
        "SYMLINK_FORBIDDEN",
        "SYMLINK_ESCAPES",
        "SYMLINK_DANGLING",
        "SYMLINK_CYCLE",
        "SPECIAL_FILE",
        "NO_FILE_SIGNED",
    },
}


def test_the_table() -> None:
    assert {reason.name: reason.exit_code for reason in Reason} == EXIT_CODES


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_the_verdict_of_a_reason(reason: Reason) -> None:
    assert reason.verdict is verdict_of(reason)
    with pytest.raises(TypeError):
        bool(reason.verdict)


def test_the_reason_of_every_error() -> None:
    found: dict[str, set[str]] = {}
    for code in Code:
        if code.severity is Severity.ERROR:
            assert code.reason is not None
            found.setdefault(code.reason.name, set()).add(code.name)
        else:
            assert code.reason is None
    assert found == REASONS_OF_ERRORS


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_what_the_modes_make_of_a_reason(reason: Reason, mode: Mode) -> None:
    excused = mode == "warn" and EXIT_CODES[reason.name] in range(10, 30)
    assert exit_code([(reason, mode)]) == (0 if excused else EXIT_CODES[reason.name])
    if reason is not Reason.VERIFIED:
        report = undecided(reason, "x", Clock())
        assert report.exit_code == EXIT_CODES[reason.name]
        assert report.verdict is not Verdict.TRUSTED


def examined(*codes: Code, **changes: object) -> Examination:
    sound: dict[str, object] = {
        "evidence": Evidence("key"),
        "signed": 1,
        "equal": 1,
        "complete": True,
        "findings": tuple(Finding(code, "x") for code in codes),
    }
    return Examination(**(sound | changes))  # type: ignore[arg-type]


ERRORS = [code for code in Code if code.severity is Severity.ERROR]


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(ERRORS, 2)])
def test_the_weightier_of_two_findings(one: Code, other: Code) -> None:
    codes = sorted(
        (EXIT_CODES[c.reason.name] for c in (one, other) if c.reason), key=PRECEDENCE.index
    )
    for pair in ((one, other), (other, one)):
        assert judge(examined(*pair)).exit_code == codes[0]


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(PRECEDENCE, 2)])
def test_the_weightier_of_two_models(one: int, other: int) -> None:
    by_code = {EXIT_CODES[reason.name]: reason for reason in Reason}
    found = exit_code([(by_code[one], "enforce"), (by_code[other], "enforce")])
    assert found == min(one, other, key=PRECEDENCE.index)
    assert exit_code([(by_code[one], "enforce"), (Reason.VERIFIED, "enforce")]) == one


def test_a_sound_examination() -> None:
    assert judge(examined()) is Reason.VERIFIED


@pytest.mark.parametrize("code", [code for code in Code if code.severity is not Severity.ERROR])
def test_warnings_and_notes_reject_nothing(code: Code) -> None:
    assert judge(examined(code)) is Reason.VERIFIED


@pytest.mark.parametrize("code", ERRORS, ids=lambda code: code.name)
def test_every_error_rejects(code: Code) -> None:
    assert judge(examined(code)) is code.reason
    assert judge(examined(Code.EMPTY_DIRECTORY, code)).verdict is not Verdict.TRUSTED


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": None},
        {"complete": False},
        {"signed": 0, "equal": 0},
        {"signed": 2},
        {"equal": 0},
        {"equal": 2},
    ],
    ids=repr,
)
def test_what_is_not_whole_is_never_trusted(changes: dict[str, object]) -> None:
    assert judge(examined(**changes)) is Reason.INTERNAL


def test_no_model_at_all_is_never_trusted() -> None:
    assert exit_code([]) == EXIT_CODES["INTERNAL"]
