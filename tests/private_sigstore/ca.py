"""The certificate authority (Fulcio) and its certificate-transparency log."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from .keys import ServiceKey

LEAF_LIFETIME = timedelta(minutes=10)

# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


@dataclass(frozen=True)
class Leaf:
    """What a signing certificate is to say.

    Attributes:
        public_key: The key it certifies.
        identity: The SAN, an email address or a URI.
        issuer: The OIDC issuer that vouched for the identity.
        valid_from: The start of its ten minutes.
        usage: Its only extended key usage.
    """

    public_key: ec.EllipticCurvePublicKey
    identity: str
    issuer: str
    valid_from: datetime
    usage: ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING


class CertificateAuthority:
    """A root and an intermediate, which issues the leaves."""

    def __init__(self) -> None:
        root_key, self._key = ServiceKey(), ServiceKey()
        root = _ca_certificate("root", root_key, "root", root_key, path_length=1)
        intermediate = _ca_certificate("intermediate", self._key, "root", root_key, path_length=0)
        self.chain = (intermediate, root)

    def issue(self, leaf: Leaf, ct_log: ServiceKey | None) -> x509.Certificate:
        """Issues a leaf that embeds a timestamp from `ct_log`, or none without one."""
        builder = self._leaf_builder(leaf)
        if ct_log is None:
            return builder.sign(self._key.private, hashes.SHA256())
        # RFC 6962, 3.2: the log signs the TBSCertificate as it is without the timestamps.
        precertificate = builder.sign(self._key.private, hashes.SHA256())
        sct = _timestamp(ct_log, self._key, precertificate.tbs_certificate_bytes)
        builder = builder.add_extension(_sct_list(sct), critical=False)
        return builder.sign(self._key.private, hashes.SHA256())

    def _leaf_builder(self, leaf: Leaf) -> x509.CertificateBuilder:
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self._key.private.public_key()
        )
        builder = _builder(leaf.public_key, leaf.valid_from, LEAF_LIFETIME)
        builder = builder.subject_name(x509.Name([])).issuer_name(self.chain[0].subject)
        # The subject is empty, so RFC 5280, 4.1.2.6 wants the SAN critical.
        builder = builder.add_extension(_subject_alternative_name(leaf.identity), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([leaf.usage]), critical=False)
        builder = builder.add_extension(key_usage(ca=False), critical=True)
        builder = builder.add_extension(authority_id, critical=False)
        for oid, value in (
            (_ISSUER, leaf.issuer.encode()),
            (_ISSUER_V2, asn1.encode_der(leaf.issuer)),
        ):
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        return builder


def _subject_alternative_name(identity: str) -> x509.SubjectAlternativeName:
    name = (
        x509.UniformResourceIdentifier(identity) if "://" in identity else x509.RFC822Name(identity)
    )
    return x509.SubjectAlternativeName([name])


def _ca_certificate(
    name: str, key: ServiceKey, issuer: str, issuer_key: ServiceKey, *, path_length: int
) -> x509.Certificate:
    public_key = key.private.public_key()
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        issuer_key.private.public_key()
    )
    builder = _builder(public_key, datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=36500))
    builder = builder.subject_name(_name(name)).issuer_name(_name(issuer))
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    builder = builder.add_extension(constraints, critical=True)
    builder = builder.add_extension(key_usage(ca=True), critical=True)
    subject_id = x509.SubjectKeyIdentifier.from_public_key(public_key)
    builder = builder.add_extension(subject_id, critical=False)
    builder = builder.add_extension(authority_id, critical=False)
    return builder.sign(issuer_key.private, hashes.SHA256())


def _builder(
    public_key: ec.EllipticCurvePublicKey, valid_from: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + lifetime)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "private sigstore"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(*, ca: bool) -> x509.KeyUsage:
    """Returns the usage of a certificate that signs others, or else data."""
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _timestamp(ct_log: ServiceKey, issuer: ServiceKey, tbs: bytes) -> bytes:
    """Returns a SignedCertificateTimestamp for a precertificate (RFC 6962, 3.2)."""
    # Whole seconds: sigstore-python takes the milliseconds through a float.
    milliseconds = int(datetime.now(UTC).timestamp()) * 1000
    no_extensions = struct.pack("!H", 0)
    precertificate_entry = issuer.id + len(tbs).to_bytes(3, "big") + tbs
    signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + precertificate_entry + no_extensions
    signature = ct_log.sign(signed)
    sha256_ecdsa = struct.pack("!BBH", 4, 3, len(signature))
    head = struct.pack("!B32sQ", 0, ct_log.id, milliseconds)
    return head + no_extensions + sha256_ecdsa + signature


def _sct_list(sct: bytes) -> x509.UnrecognizedExtension:
    entry = struct.pack("!H", len(sct)) + sct
    value = asn1.encode_der(struct.pack("!H", len(entry)) + entry)
    return x509.UnrecognizedExtension(_SCT_LIST, value)


def pem(certificate: x509.Certificate) -> bytes:
    """Returns a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def der(certificate: x509.Certificate) -> bytes:
    """Returns a certificate as DER."""
    return certificate.public_bytes(serialization.Encoding.DER)
