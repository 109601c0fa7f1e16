"""The webhook's own authority and serving certificate: made, renewed and replaced in time.

Pure but for the keys that it makes: the clock is passed in. Whoever checks the webhook's
certificate (the API servers) learns of an authority through `caBundle`, so a new one issues
nothing before it was published, and an old one stays in the bundle until nothing of it is in use.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

AUTHORITY_DAYS = 3650
SERVING_DAYS = 90
# Clocks differ: a certificate holds a little before it was made.
_SKEW = dt.timedelta(hours=1)
# From a third of its life on it is time for the next.
_RENEW = 2 / 3
# What an API server and a kubelet take at most to have what was written.
SPREAD = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate.

        Raises:
            ValueError: it is not PEM.
        """
        return x509.load_pem_x509_certificate(self.certificate)


@dataclass(frozen=True, slots=True)
class Material:
    """All that is kept.

    Attributes:
        authorities: the newest first; only that one issues.
        serving: the webhook's; None before the first.
    """

    authorities: tuple[Pair, ...] = ()
    serving: Pair | None = None

    @property
    def bundle(self) -> bytes:
        """Every authority whose certificates may be in use."""
        return b"".join(pair.certificate for pair in self.authorities)


def advance(
    material: Material, now: dt.datetime, names: Sequence[str], published: Collection[bytes]
) -> Material:
    """The material with whatever it is time for; the same if it is time for nothing.

    Args:
        material: as it is.
        now: in UTC.
        names: DNS names that the webhook is called by.
        published: the authorities (PEM) that every API server knows by now.
    """
    # Without its authority nobody can tell that a certificate is ours.
    serving = material.serving if material.authorities else None
    authorities = material.authorities
    if not authorities or _is_due(authorities[0].parsed, now):
        authorities = (authority(now), *authorities)
    known = next((pair for pair in authorities if pair.certificate in published), None)
    # The first time nobody can know any, and nobody is served yet.
    issuer = known or (authorities[0] if serving is None else None)
    if issuer is not None and (serving is None or _is_to_be_replaced(serving, issuer, now, names)):
        serving = issue(issuer, now, names)
    if serving is not None:
        authorities = _in_use(authorities, serving, now)
    return replace(material, authorities=authorities, serving=serving)


def _is_to_be_replaced(serving: Pair, issuer: Pair, now: dt.datetime, names: Sequence[str]) -> bool:
    certificate = serving.parsed
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    other_names = found.get_values_for_type(x509.DNSName) != list(names)
    return other_names or not _is_issued_by(certificate, issuer) or _is_due(certificate, now)


def _in_use(authorities: tuple[Pair, ...], serving: Pair, now: dt.datetime) -> tuple[Pair, ...]:
    """Drops older authorities once the certificate of a newer one has long spread."""
    certificate = serving.parsed
    if now - (certificate.not_valid_before_utc + _SKEW) < SPREAD:
        return authorities
    for index, pair in enumerate(authorities):
        if _is_issued_by(certificate, pair):
            return authorities[: index + 1]
    return authorities


def _is_issued_by(certificate: x509.Certificate, issuer: Pair) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer.parsed)
    except Exception:  # noqa: BLE001  (InvalidSignature, ValueError, TypeError: it is not)
        return False
    return True


def _is_due(certificate: x509.Certificate, now: dt.datetime) -> bool:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now < start or now > start + (end - start) * _RENEW


def authority(now: dt.datetime) -> Pair:
    """Makes an authority that can issue serving certificates and nothing below itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Each has a name of its own, so that a bundle of two leaves no doubt.
    name = _name(f"model-validation-webhook-ca {now:%Y-%m-%dT%H:%M:%SZ}")
    made = _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_usage(issues=True), critical=True)
    return _pair(made.sign(key, hashes.SHA256()), key)


def issue(issuer: Pair, now: dt.datetime, names: Sequence[str]) -> Pair:
    """Makes a serving certificate for `names`."""
    parent = issuer.parsed
    signing = serialization.load_pem_private_key(issuer.key, password=None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic-curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    made = _builder(_name(names[0][:64]), parent.subject, key.public_key(), now, SERVING_DAYS)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(issues=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (alternatives, False),
        (identifier, False),
    ):
        made = made.add_extension(extension, critical=critical)
    return _pair(made.sign(signing, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), private)
