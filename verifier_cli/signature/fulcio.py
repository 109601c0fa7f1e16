"""What a Fulcio certificate says of its holder (sigstore's OID registry). Only reads."""

from __future__ import annotations

from cryptography.hazmat import asn1
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    OtherName,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
)
from cryptography.x509.oid import ObjectIdentifier

_OTHER_NAME = ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def identities(certificate: Certificate) -> list[str]:
    """The identities it bears: emails, URIs and sigstore's own other name."""
    try:
        san = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return []
    names = [
        *san.get_values_for_type(RFC822Name),
        *san.get_values_for_type(UniformResourceIdentifier),
    ]
    others = [other for other in san.get_values_for_type(OtherName) if other.type_id == _OTHER_NAME]
    return [*names, *(other.value.decode("utf-8", "replace") for other in others)]


def issuer_of(certificate: Certificate) -> str | None:
    """The OIDC issuer it names, in the old extension or the new one; None without either."""
    for oid in (_ISSUER, _ISSUER_V2):
        try:
            raw = certificate.extensions.get_extension_for_oid(oid).value.public_bytes()
            return raw.decode() if oid == _ISSUER else asn1.decode_der(str, raw)
        except (ExtensionNotFound, ValueError):
            continue
    return None
