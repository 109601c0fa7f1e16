"""The sigstore method: verified by sigstore-python's public API, offline (OMS 4.1, 8.2).

This is the only module that asks sigstore for a verdict. The signer's identity is part of
what sigstore checks, so no path through here authenticates a bundle without it.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from sigstore.errors import CertValidationError, Error, MetadataError, VerificationError
from sigstore.models import Bundle as SigstoreBundle
from sigstore.verify import Verifier
from sigstore.verify.policy import AnyOf, OIDCIssuer, OIDCIssuerV2

from verifier_cli.errors import ConfigError, Problem
from verifier_cli.signature.fulcio import identities, issuer_of
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
        # Old and new Fulcio certificates hold the issuer in two extensions; either will do.
        self._issuer = AnyOf([OIDCIssuer(signer.issuer), OIDCIssuerV2(signer.issuer)])

    def verify(self, cert: Certificate) -> None:
        """Raises unless both the identity and the issuer are the signer's."""
        names = identities(cert)
        if not any(self.accepts(name) for name in names):
            raise _OtherIdentity("identity")
        try:
            self._issuer.verify(cert)
        except VerificationError:
            raise _OtherIdentity("issuer") from None

    def accepts(self, name: str) -> bool:
        """Whether `name`, whole, is the identity that the signer demands."""
        if self._signer.identity is not None:
            return name == self._signer.identity
        pattern = self._signer.identity_regexp
        return pattern is not None and re.fullmatch(pattern, name) is not None


class _AnySignerDangerously:
    """Accepts every identity. Only for wording a refusal that is already certain."""

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
    except Error as error:
        raise ConfigError(Problem("trustRoot", f"cannot be used: {error}")) from None
    try:
        theirs = SigstoreBundle.from_json(bundle.raw)
    except Exception as error:  # noqa: BLE001  (sigstore raises many kinds on hostile input)
        return _not_authentic(error)
    try:
        payload_type, payload = verifier.verify_dsse(theirs, exactly)
    except _OtherIdentity:
        return _refusal_by_identity(signer, verifier, theirs)
    except MetadataError as error:
        raise ConfigError(Problem("trustRoot", f"cannot be used: {error}")) from None
    except CertValidationError:
        detail = "the certificate was issued by an instance that the trust root does not name"
        return Finding(Code.CHAIN_UNTRUSTED, detail)
    except Exception as error:  # noqa: BLE001  (as above)
        return _not_authentic(error)
    if (payload_type, payload) != (bundle.payload_type, bundle.payload):
        return Finding(Code.SIGNATURE_WRONG, "two readers of the file see two signed statements")
    leaf = theirs.signing_certificate
    return Evidence(
        "sigstore",
        name=signer.name,
        identity=next(name for name in identities(leaf) if exactly.accepts(name)),
        issuer=signer.issuer,
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        log_index=bundle.log_index,
        signed_at=_signed_at(bundle, theirs),
    )


def _refusal_by_identity(signer: Keyless, verifier: Verifier, theirs: SigstoreBundle) -> Finding:
    """Words the refusal: is it a sound signature by somebody else, or not even that?"""
    try:
        verifier.verify_dsse(theirs, _AnySignerDangerously())
    except Exception as error:  # noqa: BLE001  (as above; both outcomes refuse)
        return _not_authentic(error)
    leaf = theirs.signing_certificate
    actual = f"{', '.join(identities(leaf)) or '(none)'} by {issuer_of(leaf)}"
    wanted = signer.identity or f"/{signer.identity_regexp}/"
    return Finding(
        Code.IDENTITY_MISMATCH,
        "signed by another identity or issuer",
        expected=f"{wanted} by {signer.issuer}",
        actual=actual,
    )


def _not_authentic(error: Exception) -> Finding:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Finding(Code.SIGNATURE_WRONG, f"sigstore refuses the bundle: {said}")


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
