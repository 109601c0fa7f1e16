"""Checks the signature of a DSSE envelope with an elliptic-curve key (OMS 6.7 and 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from verifier_cli.signature.statement import is_v02
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from verifier_cli.signature.bundle import Bundle

# The hash that fits the curve: as many bits as the curve has, or the most there are.
HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """PAE of DSSE v1: what is really signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def faulty_encoding_v02(payload_type: str, payload: bytes) -> bytes:
    """PAE as model_signing 0.2.0 wrote it: `DSSEV1`, and the payload's Python repr.

    The repr of bytes is one-to-one and no DSSEv1 encoding starts with `DSSEV1`, so this
    form cannot be mistaken for the right one.
    """
    return f"DSSEV1 {len(payload_type)} {payload_type} {len(payload)} {payload!r}".encode()


def check_envelope(bundle: Bundle, key: ec.EllipticCurvePublicKey) -> Finding | None:
    """Returns None if `key` signed exactly this payload, else the finding that says it did not.

    `key` must be on a curve of `HASHES`.
    """
    encoding = pre_authentication_encoding(bundle.payload_type, bundle.payload)
    if _signed(key, bundle.signature, encoding, HASHES[key.curve.name]):
        return None
    # Only statements of 0.2.0 may carry its faulty encoding, always with SHA-256.
    faulty = faulty_encoding_v02(bundle.payload_type, bundle.payload)
    if _signed(key, bundle.signature, faulty, hashes.SHA256()) and is_v02(bundle.payload):
        return None
    return Finding(
        Code.SIGNATURE_WRONG,
        "the signature does not fit the signed statement and this key: one of them was changed",
    )


def _signed(
    key: ec.EllipticCurvePublicKey,
    signature: bytes,
    message: bytes,
    algorithm: hashes.HashAlgorithm,
) -> bool:
    try:
        key.verify(signature, message, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True
