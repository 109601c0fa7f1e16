"""The keys that the services of the private instance sign with."""

import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class ServiceKey:
    """A P-256 key, known by the SHA-256 of its public half as in RFC 6962."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.public_der = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.id = hashlib.sha256(self.public_der).digest()

    def sign(self, data: bytes) -> bytes:
        """Returns the ECDSA signature over the SHA-256 of `data`."""
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))
