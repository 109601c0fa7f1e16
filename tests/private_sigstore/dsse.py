"""DSSE envelopes, and the Rekor entry that records one."""

import hashlib
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from .ca import pem

IN_TOTO = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Envelope:
    """A payload with its type and one signature over both."""

    payload: bytes
    payload_type: str
    signature: bytes

    @classmethod
    def sign(cls, key: ec.EllipticCurvePrivateKey, payload: bytes, payload_type: str) -> "Envelope":
        """Signs a payload, whatever it holds."""
        signature = key.sign(_pae(payload, payload_type), ec.ECDSA(hashes.SHA256()))
        return cls(payload, payload_type, signature)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Envelope":
        """Reads an envelope that has exactly one signature."""
        raw = json.loads(text)
        (signature,) = raw["signatures"]
        return cls(b64decode(raw["payload"]), raw["payloadType"], b64decode(signature["sig"]))

    def to_json(self) -> str:
        """Returns the envelope as JSON."""
        return json.dumps(
            {
                "payload": b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [{"sig": b64encode(self.signature).decode()}],
            }
        )

    def verify(self, key: ec.EllipticCurvePublicKey) -> None:
        """Checks the signature.

        Raises:
            cryptography.exceptions.InvalidSignature: It is not by `key`.
        """
        data = _pae(self.payload, self.payload_type)
        key.verify(self.signature, data, ec.ECDSA(hashes.SHA256()))


def _pae(payload: bytes, payload_type: str) -> bytes:
    type_ = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(type_), type_, len(payload), payload)


def log_body(envelope: Envelope, certificate: x509.Certificate) -> bytes:
    """Returns the body of the dsse 0.0.1 entry that records an envelope."""
    signature = {
        "signature": b64encode(envelope.signature).decode(),
        "verifier": b64encode(pem(certificate)).decode(),
    }
    spec: dict[str, Any] = {
        "envelopeHash": _sha256(envelope.to_json().encode()),
        "payloadHash": _sha256(envelope.payload),
        "signatures": [signature],
    }
    return rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})


def _sha256(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}
