"""The sigstore method: verified by sigstore-python's public API, offline (OMS 4.1, 8.2).

This is the only module that asks sigstore for a verdict. The signer's identity is part of
what sigstore checks, so no path through here authenticates a bundle without it.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from sigstore.errors import CertValidationError, Error, MetadataError, VerificationError
from sigstore.models import Bundle as SigstoreBundle
from sigstore.verify import Verifier

from verifier_cli.errors import ConfigError, Problem
from verifier_cli.expressions import matches_whole
from verifier_cli.inputs import first_lines
from verifier_cli.signature.leaf import fulcio_identities, fulcio_issuers, signs_code
from verifier_cli.verdict import Code, Evidence, Finding

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import TrustedRoot

    from verifier_cli.policy import Keyless
    from verifier_cli.signature.bundle import Bundle

# sigstore logs what it is about to raise; the finding says it once, in one place.
logging.getLogger("sigstore").addHandler(logging.NullHandler())


class _OtherIdentity(VerificationError):  # noqa: N818  (an answer, not a fault)
    """The certificate names somebody else."""


class _ExactlySigner:
    """sigstore policy: the SAN and the issuer that the policy's signer demands, both."""

    def __init__(self, signer: Keyless) -> None:
        self._signer = signer

    def verify(self, cert: Certificate) -> None:
        """Raises unless both the identity and the issuer are the signer's."""
        if not any(self.accepts(name) for name in fulcio_identities(cert)):
            raise _OtherIdentity("identity")
        # Fulcio writes the issuer into one or two extensions; all that are there must say it.
        if fulcio_issuers(cert) != {self._signer.issuer}:
            raise _OtherIdentity("issuer")

    def accepts(self, name: str) -> bool:
        """Whether `name`, whole, is the identity that the signer demands."""
        if self._signer.identity is not None:
            return name == self._signer.identity
        pattern = self._signer.identity_regexp
        return pattern is not None and matches_whole(pattern, name)


class _AnySignerDangerously:
    """Accepts every identity. Only for wording a refusal that is already certain.

    sigstore's own UnsafeNoOp would log a warning about something that is not done here.
    """

    def verify(self, cert: Certificate) -> None:
        """Does nothing."""


def authenticate(bundle: Bundle, signer: Keyless, root: TrustedRoot) -> Evidence | Finding:
    """Returns evidence if the signer's identity made this bundle, else why not.

    Checked by sigstore: chain, SCT, identity and issuer, transparency-log entry with its
    inclusion proof and promise, times, signature, and that the entry is of this envelope.

    Raises:
        ConfigError: the trust root lacks something that every verification needs.
    """
    exactly = _ExactlySigner(signer)
    try:
        verifier = Verifier(trusted_root=root)
    except (Error, ValueError) as error:
        raise ConfigError(Problem("trustRoot", f"cannot be used: {error}")) from None
    try:
        theirs = SigstoreBundle.from_json(bundle.raw)
    except Exception as error:  # noqa: BLE001  (sigstore raises many kinds on hostile input)
        return _not_authentic(error)
    try:
        payload_type, payload = verifier.verify_dsse(theirs, exactly)
    except MetadataError as error:
        raise ConfigError(Problem("trustRoot", f"cannot be used: {error}")) from None
    except Exception as error:  # noqa: BLE001  (as above)
        return _refusal(error, bundle, signer, verifier, theirs)
    if (payload_type, payload) != (bundle.payload_type, bundle.payload):
        return Finding(Code.SIGNATURE_WRONG, "two readers of the file see two signed statements")
    leaf = theirs.signing_certificate
    return Evidence(
        "sigstore",
        name=signer.name,
        identity=next(name for name in fulcio_identities(leaf) if exactly.accepts(name)),
        issuer=signer.issuer,
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        log_index=bundle.log_index,
        signed_at=_signed_at(bundle, theirs),
    )


def _refusal(
    error: Exception,
    bundle: Bundle,
    signer: Keyless,
    verifier: Verifier,
    theirs: SigstoreBundle,
) -> Finding:
    """Words what sigstore refused, by the facts of the certificate and not by its sentences."""
    if isinstance(error, _OtherIdentity):
        return _refusal_by_identity(signer, verifier, theirs)
    leaf, at = theirs.signing_certificate, bundle.integrated_time
    if isinstance(error, CertValidationError):
        moment = None if at is None else datetime.fromtimestamp(at, UTC)
        if moment and not leaf.not_valid_before_utc <= moment <= leaf.not_valid_after_utc:
            detail = "the certificate was not valid when the log took the signature"
            return Finding(Code.CERTIFICATE_EXPIRED, detail)
        detail = "the certificate was not issued by the instance that the trust root names"
        return Finding(Code.CHAIN_UNTRUSTED, detail)
    if not signs_code(leaf):
        return Finding(Code.CERTIFICATE_PURPOSE, "the certificate is not one for signing code")
    return _not_authentic(error)


def _refusal_by_identity(signer: Keyless, verifier: Verifier, theirs: SigstoreBundle) -> Finding:
    """Words the refusal: is it a sound signature by somebody else, or not even that?"""
    try:
        verifier.verify_dsse(theirs, _AnySignerDangerously())
    except Exception as error:  # noqa: BLE001  (as above; both outcomes refuse)
        return _not_authentic(error)
    leaf = theirs.signing_certificate
    who, issuers = fulcio_identities(leaf), sorted(fulcio_issuers(leaf))
    actual = f"{', '.join(who) or '(none)'} by {', '.join(issuers) or '(none)'}"
    wanted = signer.identity or f"/{signer.identity_regexp}/"
    return Finding(
        Code.IDENTITY_MISMATCH,
        "signed by another identity or issuer",
        expected=f"{wanted} by {signer.issuer}",
        actual=actual,
    )


def _not_authentic(error: Exception) -> Finding:
    return Finding(Code.SIGNATURE_WRONG, f"sigstore refuses the bundle: {first_lines(error)}")


def _signed_at(bundle: Bundle, theirs: SigstoreBundle) -> str | None:
    if bundle.integrated_time is not None:
        moment = datetime.fromtimestamp(bundle.integrated_time, UTC)
    else:
        # Without a promise of the log, a timestamp authority was what sigstore relied on.
        timestamps = theirs.verification_material.timestamp_verification_data
        if timestamps is None or len(timestamps.rfc3161_timestamps) != 1:
            return None
        moment = timestamps.rfc3161_timestamps[0].tst_info.gen_time
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
