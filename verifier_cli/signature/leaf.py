"""What a leaf certificate says of its holder. Only reads; nothing here is proven."""

from __future__ import annotations

import re

from cryptography.hazmat import asn1
from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtendedKeyUsage,
    ExtensionNotFound,
    OtherName,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    load_der_x509_certificate,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from verifier_cli.inputs import Malformed

_SUBJECT = re.compile(r"[A-Za-z0-9.]+=")
_OTHER_NAME = ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def parse_certificate(der: bytes) -> Certificate:
    """Parses a certificate to its last field, which the library does only when asked.

    Raises:
        Malformed: it is not a certificate in DER, or a part of it is not.
    """
    try:
        certificate = load_der_x509_certificate(der)
        certificate.public_key()
        certificate.issuer.rfc4514_string()
        certificate.not_valid_before_utc.isoformat()
        certificate.not_valid_after_utc.isoformat()
        names(certificate)
    except Exception as error:  # noqa: BLE001  (whatever a hostile certificate provokes)
        kind = type(error).__name__
        raise Malformed(f"holds a certificate that cannot be parsed ({kind})") from None
    return certificate


def subject(certificate: Certificate) -> str:
    """The subject as RFC 4514 writes it; may be empty."""
    return certificate.subject.rfc4514_string()


def names(certificate: Certificate) -> dict[str, list[str]]:
    """Its names by kind: `email`, `uri`, `dns` (from the SAN) and `subject`.

    Kinds are kept apart, because an authority may vouch for one kind and not for another.
    """
    found: dict[str, list[str]] = {"email": [], "uri": [], "dns": [], "subject": []}
    if text := subject(certificate):
        found["subject"].append(text)
    if (san := _san(certificate)) is not None:
        found["email"] += san.get_values_for_type(RFC822Name)
        found["uri"] += san.get_values_for_type(UniformResourceIdentifier)
        found["dns"] += san.get_values_for_type(DNSName)
    return found


def kind_of(identity: str) -> str:
    """Which kind of name somebody means by `identity`, by its form."""
    if "://" in identity or identity.startswith("urn:"):
        return "uri"
    if _SUBJECT.match(identity):
        return "subject"
    return "email" if "@" in identity else "dns"


def fulcio_identities(certificate: Certificate) -> list[str]:
    """The identities of a Fulcio certificate: emails, URIs and sigstore's own other name."""
    if (san := _san(certificate)) is None:
        return []
    others = [other for other in san.get_values_for_type(OtherName) if other.type_id == _OTHER_NAME]
    return [
        *san.get_values_for_type(RFC822Name),
        *san.get_values_for_type(UniformResourceIdentifier),
        *filter(None, (_utf8_string(other.value) for other in others)),
    ]


def fulcio_issuers(certificate: Certificate) -> set[str]:
    """The OIDC issuers that it names, in the old extension and the new one."""
    issuers: set[str] = set()
    for oid in (_ISSUER, _ISSUER_V2):
        try:
            raw = certificate.extensions.get_extension_for_oid(oid).value.public_bytes()
        except ExtensionNotFound:
            continue
        try:
            issuers.add(raw.decode() if oid == _ISSUER else _utf8_string(raw) or "")
        except UnicodeDecodeError:
            # Unreadable is not the same as absent: no issuer is called so.
            issuers.add("")
    return issuers


def purposes_of(certificate: Certificate) -> set[ObjectIdentifier] | None:
    """Its extended key usages; None without the extension, which allows all."""
    try:
        return set(certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value)
    except ExtensionNotFound:
        return None


def signs_code(certificate: Certificate) -> bool:
    """Whether it carries the extended key usage code signing."""
    return ExtendedKeyUsageOID.CODE_SIGNING in (purposes_of(certificate) or ())


def _utf8_string(der: bytes) -> str | None:
    try:
        return asn1.decode_der(str, der)
    except ValueError:
        return None


def _san(certificate: Certificate) -> SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return None
