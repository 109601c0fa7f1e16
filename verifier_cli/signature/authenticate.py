"""Step 4: one signer of the policy must accept the envelope.

Each method's module is imported only when a bundle needs it: a pod waits for every import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from verifier_cli.verdict import Code, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from sigstore.models import TrustedRoot

    from verifier_cli.policy import Certificate, Key, Keyless, Signer
    from verifier_cli.signature.bundle import Bundle


class Trust(NamedTuple):
    """How to get a signer's parsed trust material; called only if the method fits."""

    keys: Callable[[Key], tuple[ec.EllipticCurvePublicKey, ...]]
    certificates: Callable[[Certificate], tuple[x509.Certificate, ...]]
    root: Callable[[Keyless], TrustedRoot]


def authenticate(
    bundle: Bundle, signers: Iterable[Signer], trust: Trust, now: datetime
) -> Evidence | tuple[Finding, ...]:
    """Returns the evidence of the first signer that accepts, else why each one did not.

    Raises:
        ConfigError: some material that was needed cannot be used.
        Malformed: the bundle holds a certificate that cannot be parsed.
    """
    refusals: list[Finding] = []
    for signer in signers:
        outcome = _by(bundle, signer, trust, now)
        if isinstance(outcome, Evidence):
            return outcome
        refusals.append(outcome)
    return tuple(dict.fromkeys(refusals))


def _by(bundle: Bundle, signer: Signer, trust: Trust, now: datetime) -> Evidence | Finding:
    if signer.method != bundle.method:
        return Finding(
            Code.METHOD_MISMATCH,
            "the signature was made by another method than the policy's signer uses",
            expected=signer.method,
            actual=bundle.method,
        )
    if signer.method == "key":
        from verifier_cli.signature import key

        return key.authenticate(bundle, signer, trust.keys(signer))
    if signer.method == "certificate":
        from verifier_cli.signature import certificate

        return certificate.authenticate(bundle, signer, trust.certificates(signer), now)
    from verifier_cli.signature import keyless

    return keyless.authenticate(bundle, signer, trust.root(signer))
