"""The two tables, row by row, as the contract has them: written down a second time on purpose."""

from __future__ import annotations

import pytest

from verifier_cli.verdict import Code, Finding, Reason, Severity, Verdict

# reason -> exit code, verdict, whether `mode: warn` may end with 0 all the same
REASONS = {
    "VERIFIED": (0, "TRUSTED", False),
    "INTERNAL": (1, "UNDETERMINED", False),
    "USAGE": (2, "UNDETERMINED", False),
    "CONFIG": (3, "UNDETERMINED", False),
    "SIGNATURE_INVALID": (10, "REJECTED", True),
    "SIGNER_UNTRUSTED": (11, "REJECTED", True),
    "CONTENT_MISMATCH": (12, "REJECTED", True),
    "SIGNATURE_MISSING": (13, "REJECTED", True),
    "POLICY_VIOLATION": (14, "REJECTED", True),
    "MODEL_UNREADABLE": (20, "UNDETERMINED", True),
    "TRUST_UNAVAILABLE": (21, "UNDETERMINED", True),
    "ENGINES_DISAGREE": (23, "UNDETERMINED", True),
    "DEADLINE": (124, "UNDETERMINED", False),
    "INTERRUPTED": (130, "UNDETERMINED", False),
    "TERMINATED": (143, "UNDETERMINED", False),
}

# code -> the reason of an error, or the severity of what is none
CODES = {
    "SIGNATURE_NOT_FOUND": "SIGNATURE_MISSING",
    "SIGNATURE_AMBIGUOUS": "SIGNATURE_MISSING",
    "BUNDLE_UNREADABLE": "SIGNATURE_INVALID",
    "BUNDLE_MALFORMED": "SIGNATURE_INVALID",
    "STATEMENT_MALFORMED": "SIGNATURE_INVALID",
    "SIGNATURE_WRONG": "SIGNATURE_INVALID",
    "METHOD_MISMATCH": "SIGNER_UNTRUSTED",
    "KEY_MISMATCH": "SIGNER_UNTRUSTED",
    "IDENTITY_MISMATCH": "SIGNER_UNTRUSTED",
    "CHAIN_UNTRUSTED": "SIGNER_UNTRUSTED",
    "CERTIFICATE_EXPIRED": "SIGNER_UNTRUSTED",
    "CERTIFICATE_PURPOSE": "SIGNER_UNTRUSTED",
    "CERTIFICATE_WEAK": "SIGNER_UNTRUSTED",
    "MODEL_NOT_FOUND": "MODEL_UNREADABLE",
    "UNREADABLE": "MODEL_UNREADABLE",
    "CHANGED_WHILE_READ": "MODEL_UNREADABLE",
    "TOO_LARGE": "MODEL_UNREADABLE",
    "FILE_MODIFIED": "CONTENT_MISMATCH",
    "FILE_MISSING": "CONTENT_MISMATCH",
    "FILE_UNSIGNED": "CONTENT_MISMATCH",
    "SIGNED_BUT_IGNORED": "CONTENT_MISMATCH",
    "SYMLINK_FORBIDDEN": "POLICY_VIOLATION",
    "SYMLINK_ESCAPES": "POLICY_VIOLATION",
    "SYMLINK_DANGLING": "POLICY_VIOLATION",
    "SYMLINK_CYCLE": "POLICY_VIOLATION",
    "SPECIAL_FILE": "POLICY_VIOLATION",
    "NO_FILE_SIGNED": "POLICY_VIOLATION",
    "SIGNER_UNNAMED": "warning",
    "MATERIAL_UNPINNED": "warning",
    "FORMAT_DEPRECATED": "warning",
    "NOT_TO_THE_LETTER": "warning",
    "ENGINE_REFERENCE": "warning",
    "UNSIGNED_TOLERATED": "note",
    "EMPTY_DIRECTORY": "note",
    "OUTCOME_OF_ENGINE": "note",
    "LEFT_OUT": "note",
    "FROM_ENVIRONMENT": "note",
}


@pytest.mark.parametrize("name", REASONS)
def test_reason(name: str) -> None:
    reason = Reason[name]
    found = (reason.exit_code, reason.verdict.value, reason.excusable)
    assert found == REASONS[name]
    assert reason.meaning


def test_every_reason_stands_in_the_contract() -> None:
    assert set(Reason.__members__) == set(REASONS)
    assert len({reason.exit_code for reason in Reason}) == len(Reason)


@pytest.mark.parametrize("name", CODES)
def test_code(name: str) -> None:
    code = Code[name]
    if code.reason is None:
        assert code.severity.value == CODES[name]
        assert code.severity is not Severity.ERROR
    else:
        assert code.reason.name == CODES[name]
        assert code.severity is Severity.ERROR
        assert code.reason.excusable, "an error of a model is an answer about a model"
    assert code.meaning


def test_every_code_stands_in_the_contract() -> None:
    assert set(Code.__members__) == set(CODES)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_no_truth_value(verdict: Verdict) -> None:
    with pytest.raises(TypeError, match=r"compare it with Verdict\.TRUSTED"):
        bool(verdict)


def test_a_verdict_cannot_be_asked_by_accident() -> None:
    with pytest.raises(TypeError):
        any([Verdict.REJECTED])


def test_findings_compare_by_value() -> None:
    assert Finding(Code.FILE_MISSING, "gone", "a") == Finding(Code.FILE_MISSING, "gone", "a")
