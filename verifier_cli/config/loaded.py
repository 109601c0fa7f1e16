"""What was read of a signer's trust material."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class Loaded:
    """A signer's material, read.

    Attributes:
        data: the bytes; None for a sigstore instance whose root is not in the policy.
        where: field path or file, for messages.
        keys: parsed, for the key method.
        certificates: parsed, for the certificate method.
    """

    data: bytes | None
    where: str
    keys: tuple[ec.EllipticCurvePublicKey, ...] = ()
    certificates: tuple[x509.Certificate, ...] = ()
