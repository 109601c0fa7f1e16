"""Findings to verdict. Pure: no I/O, no clock, nothing but its arguments.

This is the only place that says TRUSTED, and it says so only about a model whose signer
was established and whose every signed file was found equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier_cli.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from verifier_cli.verdict import Evidence, Finding, Mode

# With several findings the first of these that occurs is the reason (docs/reference/exit-codes.md).
PRECEDENCE = (
    Reason.INTERNAL,
    Reason.TERMINATED,
    Reason.INTERRUPTED,
    Reason.DEADLINE,
    Reason.USAGE,
    Reason.CONFIG,
    Reason.SIGNATURE_MISSING,
    Reason.SIGNATURE_INVALID,
    Reason.SIGNER_UNTRUSTED,
    Reason.TRUST_UNAVAILABLE,
    Reason.ENGINES_DISAGREE,
    Reason.MODEL_UNREADABLE,
    Reason.CONTENT_MISMATCH,
    Reason.POLICY_VIOLATION,
    Reason.VERIFIED,
)


@dataclass(frozen=True, slots=True)
class Examination:
    """What the procedure established about one model.

    Attributes:
        evidence: who signed; None when nobody whom the policy accepts did.
        signed: how many files the signature covers.
        equal: how many of them were read whole and found equal.
        complete: whether every step of the procedure ran to its end.
        findings: all that was found on the way.
    """

    evidence: Evidence | None
    signed: int
    equal: int
    complete: bool
    findings: tuple[Finding, ...]


def judge(examination: Examination) -> Reason:
    """Returns the reason that the examination leads to; `VERIFIED` is the last resort.

    An examination without an error that is not whole either is a bug of the procedure:
    it ends as `INTERNAL`, so that a forgotten step can never read as a yes.
    """
    reasons = {f.code.reason for f in examination.findings if f.code.reason is not None}
    if reasons:
        return weightiest(reasons)
    whole = (
        examination.evidence is not None
        and examination.complete
        and examination.signed > 0
        and examination.equal == examination.signed
    )
    return Reason.VERIFIED if whole else Reason.INTERNAL


def weightiest(reasons: Iterable[Reason]) -> Reason:
    """Returns the first of `PRECEDENCE` among `reasons`; nothing at all is `INTERNAL`."""
    present = set(reasons)
    return next((reason for reason in PRECEDENCE if reason in present), Reason.INTERNAL)


def exit_code(outcomes: Sequence[tuple[Reason, Mode]]) -> int:
    """Returns the exit code for models judged with these reasons under these modes.

    `warn` excuses answers about a model (10 to 29), never a wrong call, a bug or a deadline.
    """
    binding = [
        Reason.VERIFIED if mode == "warn" and reason.excusable else reason
        for reason, mode in outcomes
    ]
    return weightiest(binding).exit_code
