"""The signature file: a Sigstore bundle around a DSSE envelope (OMS 4), parsed strictly.

Nothing in a parsed `Bundle` is authenticated: it is what the file claims.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.inputs import Malformed, sha256_hex, strict_json
from verifier_cli.signature.serialization import list_of

if TYPE_CHECKING:
    from verifier_cli.verdict import Method

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
# Sigstore's own bundles also come in older forms; there a chain stands for the certificate.
_CHAIN_MEDIA_TYPES = (
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
)
_SIGSTORE_MEDIA_TYPES = (
    MEDIA_TYPE,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
)
# A genuine bundle has some hundred entries and a chain of two to four.
MAX_ITEMS = 20_000
MAX_CERTIFICATES = 16
_MATERIALS = ("publicKey", "x509CertificateChain", "certificate")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a signature file claims.

    Attributes:
        raw: the file's bytes, exactly as read.
        method: follows from the verification material (OMS 4.1).
        payload: the signed bytes; `payload_type` and they are what the signature covers.
        signature: DER-encoded ECDSA signature.
        hint: key method: fingerprint of the key, when given.
        raw_key: key method before 1.1: the public key itself (PEM or DER), when given.
        certificates: DER, leaf first.
        log_index: index of the transparency-log entry; None unless the log promised it
            with a signature.
        integrated_time: POSIX seconds at which the log took the entry; None likewise.
    """

    raw: bytes
    media_type: str
    method: Method
    payload_type: str
    payload: bytes
    signature: bytes
    hint: str | None = None
    raw_key: bytes | None = None
    certificates: tuple[bytes, ...] = ()
    log_index: int | None = None
    integrated_time: int | None = None

    @property
    def sha256(self) -> str:
        """Digest of the file, lower-case hex."""
        return sha256_hex(self.raw)


def parse_bundle(raw: bytes) -> Bundle:
    """Parses a signature file.

    Raises:
        Malformed: the file is not JSON, a field is missing, unknown, twice there or of the
            wrong type, or there is not exactly one signature.
    """
    top = _message(strict_json(raw, most=MAX_ITEMS), "the bundle", _TOP)
    media_type = _text(top, "mediaType")
    if "messageSignature" in top:
        raise Malformed("holds a messageSignature: it signs one file as a blob, not a model")
    material = _message(top.get("verificationMaterial"), "verificationMaterial", _MATERIAL)
    envelope = _message(top.get("dsseEnvelope"), "dsseEnvelope", _ENVELOPE)
    payload_type = _text(envelope, "payloadType")
    if payload_type != PAYLOAD_TYPE:
        raise Malformed(f"payloadType is {payload_type!r}, not {PAYLOAD_TYPE!r}")
    signature = _message(_only(envelope, "signatures"), "signatures[0]", _SIGNATURE)
    if not isinstance(signature.get("keyid", ""), str):
        raise Malformed("signatures[0].keyid is not text")
    method = _method(material, media_type)
    if method != "sigstore" and any(material.get(name) for name in _EVIDENCE):
        raise Malformed(f"holds log entries or timestamps, which the {method} method never checks")
    hint, raw_key = _key(material)
    log_index, integrated_time = _log_entry(material)
    return Bundle(
        raw=raw,
        media_type=media_type,
        method=method,
        payload_type=payload_type,
        payload=_base64(envelope, "payload"),
        signature=_base64(signature, "sig"),
        hint=hint,
        raw_key=raw_key,
        certificates=_certificates(material),
        log_index=log_index,
        integrated_time=integrated_time,
    )


_TOP = frozenset({"mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"})
_EVIDENCE = ("tlogEntries", "timestampVerificationData")
_MATERIAL = frozenset({*_MATERIALS, *_EVIDENCE})
_ENVELOPE = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE = frozenset({"sig", "keyid"})
_LAST_TIME = 253_402_300_799
_U64 = re.compile(r"[0-9]{1,20}")
_KEY = frozenset({"hint", "rawBytes", "keyDetails", "validFor"})


def _method(material: dict[str, Any], media_type: str) -> Method:
    present = [name for name in _MATERIALS if name in material]
    if len(present) != 1:
        raise Malformed(
            f"verificationMaterial holds {present or 'none'} of {', '.join(_MATERIALS)}"
        )
    content = present[0]
    if content == "certificate" and media_type in _SIGSTORE_MEDIA_TYPES:
        return "sigstore"
    if content == "x509CertificateChain" and media_type in _CHAIN_MEDIA_TYPES:
        return "sigstore"
    if content != "certificate" and media_type == MEDIA_TYPE:
        return "key" if content == "publicKey" else "certificate"
    raise Malformed(f"mediaType {media_type!r} does not go with {content}")


def _key(material: dict[str, Any]) -> tuple[str | None, bytes | None]:
    if "publicKey" not in material:
        return None, None
    key = _message(material["publicKey"], "publicKey", _KEY)
    hint = key.get("hint", "")
    if not isinstance(hint, str):
        raise Malformed("hint is not text")
    return hint or None, _base64(key, "rawBytes") if "rawBytes" in key else None


def _certificates(material: dict[str, Any]) -> tuple[bytes, ...]:
    if "certificate" in material:
        chain = [material["certificate"]]
    elif "x509CertificateChain" in material:
        holder = _message(
            material["x509CertificateChain"], "x509CertificateChain", frozenset({"certificates"})
        )
        chain = list_of(holder.get("certificates"), "certificates")
    else:
        return ()
    if not 1 <= len(chain) <= MAX_CERTIFICATES:
        raise Malformed(f"holds {len(chain)} certificates, not 1 to {MAX_CERTIFICATES}")
    raw = frozenset({"rawBytes"})
    return tuple(_base64(_message(link, "certificate", raw), "rawBytes") for link in chain)


def _log_entry(material: dict[str, Any]) -> tuple[int | None, int | None]:
    entries = list_of(material["tlogEntries"], "tlogEntries") if "tlogEntries" in material else []
    if not entries or not isinstance(entries[0], dict):
        return None, None
    if not entries[0].get("inclusionPromise"):
        # Only the promise is a signature over these two numbers.
        return None, None
    time = _number(entries[0].get("integratedTime"))
    # Past the year 9999 there is no calendar to name the time in.
    known = time if time is not None and 0 < time <= _LAST_TIME else None
    return _number(entries[0].get("logIndex")), known


def _number(value: object) -> int | None:
    if isinstance(value, str) and _U64.fullmatch(value):
        return int(value)
    return None


def _message(value: object, where: str, known: frozenset[str]) -> dict[str, Any]:
    """Returns the object's fields that are set: in protobuf JSON null means not set."""
    if not isinstance(value, dict):
        raise Malformed(f"{where} is {'missing' if value is None else 'not an object'}")
    if unknown := sorted(value.keys() - known):
        raise Malformed(f"{where} holds the unknown field {unknown[0]!r}")
    return {name: field for name, field in value.items() if field is not None}


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is {'missing' if not value else 'not text'}")
    return value


def _only(fields: dict[str, Any], name: str) -> object:
    values = list_of(fields.get(name), name)
    if len(values) != 1:
        raise Malformed(f"{name} has {len(values)} entries where exactly one is allowed")
    return values[0]


def _base64(fields: dict[str, Any], name: str) -> bytes:
    text = _text(fields, name)
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Malformed(f"{name} is not base64") from None
    # The one form that every decoder reads alike: padded, unused bits zero, nothing behind.
    if not data or binascii.b2a_base64(data, newline=False).decode() != text:
        raise Malformed(f"{name} is not canonical base64")
    return data
