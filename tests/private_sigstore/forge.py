"""A careless client: it signs what it is given and fabricates evidence on request."""

import json
import time
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from .ca import LEAF_LIFETIME, CertificateAuthority, Leaf, der
from .dsse import Envelope, log_body
from .keys import ServiceKey
from .log import Entry, TransparencyLog

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class Fault(Enum):
    """The one thing that is wrong with a bundle."""

    FOREIGN_CA = "the certificate is by another authority"
    NO_CODE_SIGNING = "the certificate is not for code signing"
    NO_SCT = "the certificate embeds no certificate timestamp"
    FOREIGN_SCT = "the certificate timestamp is by another log"
    LEAF_EXPIRED = "the certificate had expired when the entry was logged"
    LOGGED_BEFORE_LEAF = "the entry was logged before the certificate was valid"
    FOREIGN_SET = "the signed entry timestamp is by another log"
    PROOF_OF_ANOTHER_LEAF = "the inclusion proof is that of another entry"
    CHECKPOINT_OF_ANOTHER_TREE = "the checkpoint is of the tree before the entry was in it"
    FOREIGN_CHECKPOINT = "the checkpoint is signed by another key in the log's name"
    ENTRY_OF_ANOTHER_ENVELOPE = "the log entry records another envelope of the same signer"
    SIGNED_BY_ANOTHER_KEY = "the envelope is signed by a key that is not the certificate's"


class Forger:
    """Makes bundles from the parts of an instance, bypassing what its servers check."""

    def __init__(
        self, authority: CertificateAuthority, ct_log: ServiceKey, log: TransparencyLog
    ) -> None:
        self._authority = authority
        self._ct_log = ct_log
        self._log = log

    def bundle(
        self, payload: bytes, payload_type: str, identity: str, issuer: str, fault: Fault | None
    ) -> str:
        """Returns a bundle over any payload that is sound but for `fault`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(key.public_key(), identity, issuer, fault)
        if fault is Fault.SIGNED_BY_ANOTHER_KEY:
            key = ec.generate_private_key(ec.SECP256R1())
        envelope = Envelope.sign(key, payload, payload_type)
        logged = envelope
        if fault is Fault.ENTRY_OF_ANOTHER_ENVELOPE:
            logged = Envelope.sign(key, b"{}", payload_type)
        entry = self._entry(log_body(logged, certificate), fault)
        return self._to_json(certificate, envelope, entry)

    def _certificate(
        self,
        public_key: ec.EllipticCurvePublicKey,
        identity: str,
        issuer: str,
        fault: Fault | None,
    ) -> x509.Certificate:
        authority, ct_log = self._authority, self._ct_log
        leaf = Leaf(public_key, identity, issuer, datetime.now(UTC).replace(microsecond=0))
        match fault:
            case Fault.FOREIGN_CA:
                authority = CertificateAuthority()
            case Fault.NO_CODE_SIGNING:
                leaf = replace(leaf, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
            case Fault.NO_SCT:
                return authority.issue(leaf, ct_log=None)
            case Fault.FOREIGN_SCT:
                ct_log = ServiceKey()
            case Fault.LEAF_EXPIRED:
                expired = leaf.valid_from - LEAF_LIFETIME - timedelta(minutes=1)
                leaf = replace(leaf, valid_from=expired)
        return authority.issue(leaf, ct_log)

    def _entry(self, body: bytes, fault: Fault | None) -> Entry:
        log, now = self._log, int(time.time())
        if fault is Fault.LOGGED_BEFORE_LEAF:
            return log.append(body, now - 3600)
        entry = log.append(body, now)
        match fault:
            case Fault.FOREIGN_SET:
                promised = log.promised(body, now, entry.index)
                return replace(entry, promise=ServiceKey().sign(promised))
            case Fault.PROOF_OF_ANOTHER_LEAF:
                return replace(entry, index=3, path=log.path(3))
            case Fault.CHECKPOINT_OF_ANOTHER_TREE:
                return replace(entry, checkpoint=log.checkpoint(entry.size - 1, log.key))
            case Fault.FOREIGN_CHECKPOINT:
                return replace(entry, checkpoint=log.checkpoint(entry.size, ServiceKey()))
        return entry

    def _to_json(self, certificate: x509.Certificate, envelope: Envelope, entry: Entry) -> str:
        material = {
            "certificate": {"rawBytes": b64encode(der(certificate)).decode()},
            "tlogEntries": [self._log.material(entry)],
            "timestampVerificationData": {"rfc3161Timestamps": []},
        }
        bundle = {
            "mediaType": _MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": json.loads(envelope.to_json()),
        }
        return json.dumps(bundle)
