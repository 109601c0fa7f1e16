"""The second opinion: model-signing's answer, alone or held against the native engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier_cli.config import trustroot
from verifier_cli.judge import judge
from verifier_cli.procedure import Trail
from verifier_cli.verdict import Code, Evidence, Finding, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.config.loaded import Loaded
    from verifier_cli.policy import Policy


def reference(policy: Policy, loaded: Sequence[Loaded], prepared: Trail) -> Trail:
    """Asks the reference engine about a model whose signature was found and read.

    Raises:
        ConfigError: some material cannot be used, or the policy asks for more than it can.
    """
    from verifier_cli.signature import reference as engine  # 0.4 s of import

    detail = "judged by model-signing, which looks at less than the native engine does"
    trail = Trail(prepared.rules, [Finding(Code.ENGINE_REFERENCE, detail)])
    trail.bundle, trail.signature = prepared.bundle, prepared.signature
    if prepared.bundle is None or prepared.signature is None:
        trail.findings += prepared.findings
        return trail
    refusals: list[Finding] = []
    for signer, given in zip(policy.signers, loaded, strict=True):
        if signer.method != prepared.bundle.method:
            refusals.append(Finding(Code.METHOD_MISMATCH, "signed by another method"))
            continue
        data = trustroot.reference_form(signer, given)
        outcome = engine.verify(
            prepared.signature.path, prepared.bundle, prepared.rules, signer, data
        )
        if isinstance(outcome, Evidence):
            trail.evidence, trail.complete = outcome, True
            trail.signed = trail.equal = engine.claimed_files(prepared.bundle.payload)
            if not trail.signed:
                detail = "the signature covers no file, so it vouches for nothing"
                trail.findings.append(Finding(Code.NO_FILE_SIGNED, detail))
            return trail
        refusals.append(outcome)
    trail.findings += dict.fromkeys(refusals)
    return trail


def compare(native: Trail, other: Trail) -> Reason:
    """Returns the native engine's reason, or ENGINES_DISAGREE if only one engine said yes.

    Leaves in `native` a note of what each engine said.
    """
    ours, theirs = judge(native.examination()), judge(other.examination())
    notes = [_said("native", ours, native), _said("reference", theirs, other)]
    native.findings += notes
    agree = (ours is Reason.VERIFIED) == (theirs is Reason.VERIFIED)
    return ours if agree else Reason.ENGINES_DISAGREE


def _said(engine: str, reason: Reason, trail: Trail) -> Finding:
    why = "; ".join(finding.detail for finding in trail.findings if finding.code.reason)
    return Finding(Code.OUTCOME_OF_ENGINE, f"{engine} engine: {reason.name}{why and ': '}{why}")
