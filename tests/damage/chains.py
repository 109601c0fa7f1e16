"""Certificate chains, each made for one test: what a certificate is to say, and who issues it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
# sha256WithRSAEncryption and sha1WithRSAEncryption in DER: of one length, so one can stand
# for the other without any other byte moving.
_RSA_SHA256 = bytes.fromhex("06092a864886f70d01010b")
_RSA_SHA1 = bytes.fromhex("06092a864886f70d010105")


def usage(*, sign: bool = False, certify: bool = False) -> x509.KeyUsage:
    """A key usage that allows these two things and nothing else (or encipherment, if neither)."""
    return x509.KeyUsage(
        digital_signature=sign,
        key_cert_sign=certify,
        crl_sign=certify,
        content_commitment=False,
        key_encipherment=not (sign or certify),
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str | None) -> x509.Name:
    """A distinguished name; None gives the empty one."""
    if common_name is None:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True)
class Spec:
    """What one certificate is to say.

    Attributes:
        ca: None leaves the basic constraints out.
        permitted: name constraints, when not empty.
    """

    subject: str | None
    key: PrivateKey = field(default_factory=new_key)
    ca: bool | None = False
    path_length: int | None = None
    purposes: tuple[ObjectIdentifier, ...] | None = (CODE_SIGNING,)
    usage: x509.KeyUsage | None = field(default_factory=lambda: usage(sign=True))
    names: tuple[x509.GeneralName, ...] = (x509.RFC822Name("release@example.com"),)
    start: datetime = NOW - DAY
    end: datetime = NOW + DAY
    permitted: tuple[x509.GeneralName, ...] = ()


LEAF = Spec("Signer")
ROOT = Spec(
    "Root",
    ca=True,
    purposes=None,
    usage=usage(certify=True),
    names=(),
    start=NOW - 10 * DAY,
    end=NOW + 10 * DAY,
)
BETWEEN = dataclasses.replace(ROOT, subject="Intermediate")


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True)
class Chain:
    """A leaf, the intermediates from it upwards, and the root."""

    leaf: Issued
    between: tuple[Issued, ...]
    root: Issued

    def sent(self) -> list[bytes]:
        """What goes into a bundle: leaf and intermediates, DER."""
        return [
            each.certificate.public_bytes(serialization.Encoding.DER)
            for each in (self.leaf, *self.between)
        ]

    def anchors(self) -> str:
        """The root as PEM text."""
        return pem(self.root.certificate).decode()


def chain(*, leaf: Spec = LEAF, between: Spec = BETWEEN, root: Spec = ROOT) -> Chain:
    """A root, one intermediate and a leaf; every call makes new keys."""
    top = issue(fresh(root))
    middle = issue(fresh(between), top)
    return Chain(issue(fresh(leaf), middle), (middle,), top)


def breakable_key() -> rsa.RSAPrivateKey:
    """An RSA key of 1024 bits, as nobody should have one any more."""
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  (the point)


def self_signed(leaf: Spec) -> Chain:
    """A leaf that is its own anchor."""
    alone = issue(fresh(leaf))
    return Chain(alone, (), alone)


def fresh(spec: Spec) -> Spec:
    """The same with a new key, unless the test chose a special one."""
    if isinstance(spec.key, ec.EllipticCurvePrivateKey) and spec.key.curve.name == "secp256r1":
        return dataclasses.replace(spec, key=new_key())
    return spec


def issue(spec: Spec, issuer: Issued | None = None) -> Issued:
    """Issues what `spec` says, by `issuer` or by itself."""
    subject = name(spec.subject)
    signing_key = issuer.key if issuer else spec.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(spec.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(spec.start)
        .not_valid_after(spec.end)
    )
    signer = signing_key.public_key()
    for extension, critical in (
        *_extensions(spec),
        # As every tool writes them: names need not be unique, key identifiers are.
        (x509.SubjectKeyIdentifier.from_public_key(spec.key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return Issued(builder.sign(signing_key, hashes.SHA256()), spec.key)


def _extensions(spec: Spec) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if spec.ca is not None:
        length = spec.path_length if spec.ca else None
        found.append((x509.BasicConstraints(ca=spec.ca, path_length=length), True))
    if spec.usage is not None:
        found.append((spec.usage, True))
    if spec.purposes is not None:
        found.append((x509.ExtendedKeyUsage(spec.purposes), False))
    if spec.names:
        found.append((x509.SubjectAlternativeName(spec.names), spec.subject is None))
    if spec.permitted:
        found.append((x509.NameConstraints(spec.permitted, None), True))
    return found


def with_sha1(issued: Issued, issuer: rsa.RSAPrivateKey) -> Issued:
    """The same certificate signed anew with SHA-1, which no library does any more."""
    old = issued.certificate
    tbs = old.tbs_certificate_bytes.replace(_RSA_SHA256, _RSA_SHA1)
    signature = issuer.sign(tbs, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  (the point)
    der = old.public_bytes(serialization.Encoding.DER)
    der = der.replace(_RSA_SHA256, _RSA_SHA1).replace(old.signature, signature)
    return Issued(x509.load_der_x509_certificate(der), issued.key)


def pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)
