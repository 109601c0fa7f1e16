"""The key method: a long-lived elliptic-curve key (OMS 4.1, 8.2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from verifier_cli.signature.envelope import check_envelope
from verifier_cli.verdict import Code, Evidence, Finding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from verifier_cli.policy import Key
    from verifier_cli.signature.bundle import Bundle


def authenticate(
    bundle: Bundle, signer: Key, keys: tuple[ec.EllipticCurvePublicKey, ...]
) -> Evidence | Finding:
    """Returns evidence if one of the signer's `keys` signed, else why none did."""
    refusals: list[Finding] = []
    for key in keys:
        pem = _encoded(key, serialization.Encoding.PEM)
        fingerprint = hashlib.sha256(pem).hexdigest()
        refusal = _mismatch(bundle, key, fingerprint) or check_envelope(bundle, key)
        if refusal is None:
            return Evidence("key", name=signer.name, fingerprint=fingerprint)
        refusals.append(refusal)
    # That the right key's signature is broken says more than that other keys did not sign.
    broken = [refusal for refusal in refusals if refusal.code is Code.SIGNATURE_WRONG]
    return next(iter([*broken, *refusals]), Finding(Code.KEY_MISMATCH, "the policy names no key"))


def _mismatch(bundle: Bundle, key: ec.EllipticCurvePublicKey, fingerprint: str) -> Finding | None:
    """Compares the key with what the bundle says of it: a hint, or before 1.1 the key itself."""
    der = _encoded(key, serialization.Encoding.DER)
    claimed = bundle.hint
    if claimed is not None and claimed.lower() not in (
        fingerprint,
        hashlib.sha256(der).hexdigest(),
    ):
        return _other_key(fingerprint, claimed)
    raw, pem = bundle.raw_key, _encoded(key, serialization.Encoding.PEM)
    # Only PEM without the white space around it: the last byte of DER can be one too.
    if raw is None or raw == der or raw.strip() == pem.strip():
        return None
    return _other_key(fingerprint, hashlib.sha256(raw).hexdigest())


def _other_key(expected: str, actual: str) -> Finding:
    detail = "signed by another key, by the SHA-256 of its PEM"
    return Finding(Code.KEY_MISMATCH, detail, expected=expected, actual=actual)


def _encoded(key: ec.EllipticCurvePublicKey, encoding: serialization.Encoding) -> bytes:
    return key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
