"""Those who sign the models: two of each kind, of whom the first is trusted."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from model_signing import hashing, signing

from tests.private_sigstore import PrivateSigstore
from tests.private_sigstore.ca import key_usage, pem

# Committed data must not expire.
_START = datetime(2026, 1, 1, tzinfo=UTC)
_END = datetime(2126, 1, 1, tzinfo=UTC)


class Signer(Protocol):
    """Signs a model."""

    def sign(self, model: Path, signature: Path, *, allow_symlinks: bool = False) -> None:
        """Writes the signature of a model."""


class KeySigner:
    """Signs with a P-256 key."""

    def __init__(self, secrets: Path) -> None:
        """Makes the key; its private half stays in `secrets`."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._path = _write_key(secrets / "key.pem", key)
        self.public_key = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, model: Path, signature: Path, *, allow_symlinks: bool = False) -> None:
        """Writes the signature of a model."""
        config = _config(model, signature, allow_symlinks=allow_symlinks)
        config.use_elliptic_key_signer(private_key=self._path)
        config.sign(model, signature)


class CertificateSigner:
    """Signs with a certificate under an intermediate under a root of its own."""

    def __init__(self, secrets: Path, email: str) -> None:
        """Makes the three certificates; their private keys stay in `secrets`."""
        root_key, middle_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in "123")
        root_name = _name("Root CA")
        middle_name = _name("Model Signing CA")
        root = _ca(root_name, root_key, root_name, root_key, path_length=1)
        middle = _ca(middle_name, middle_key, root_name, root_key, path_length=0)
        leaf = _leaf(_name("Model Release"), email, leaf_key, middle_name, middle_key)
        self._key = _write_key(secrets / "leaf-key.pem", leaf_key)
        self._leaf = _write_certificate(secrets / "leaf.pem", leaf)
        self._middle = _write_certificate(secrets / "middle.pem", middle)
        self.root = pem(root)

    def sign(self, model: Path, signature: Path, *, allow_symlinks: bool = False) -> None:
        """Writes the signature of a model."""
        config = _config(model, signature, allow_symlinks=allow_symlinks)
        config.use_certificate_signer(
            private_key=self._key,
            signing_certificate=self._leaf,
            certificate_chain=[self._middle],
        )
        config.sign(model, signature)


class SigstoreSigner:
    """Signs as an identity of a private sigstore instance."""

    def __init__(self, sigstore: PrivateSigstore, identity: str, issuer: str) -> None:
        """Takes a running instance and whom it is to certify."""
        self._sigstore = sigstore
        self._identity = identity
        self._issuer = issuer

    def sign(self, model: Path, signature: Path, *, allow_symlinks: bool = False) -> None:
        """Writes the signature of a model."""
        self._sigstore.sign(
            model,
            signature,
            identity=self._identity,
            issuer=self._issuer,
            hashing=_hashing(model, signature, allow_symlinks=allow_symlinks),
        )

    @property
    def trust_config(self) -> str:
        """The instance's ClientTrustConfig, without the port that it happens to listen on."""
        here = "https://private-sigstore.test"
        return self._sigstore.trust_config().replace(self._sigstore.url, here) + "\n"


def _config(model: Path, signature: Path, *, allow_symlinks: bool) -> signing.Config:
    config = signing.Config()  # type: ignore[no-untyped-call]
    config.set_hashing_config(_hashing(model, signature, allow_symlinks=allow_symlinks))
    return config


def _hashing(model: Path, signature: Path, *, allow_symlinks: bool) -> hashing.Config:
    config = hashing.Config()  # type: ignore[no-untyped-call]
    if signature.is_relative_to(model):
        config.set_ignored_paths(paths=[signature.relative_to(model)])
    return config.set_allow_symlinks(allow_symlinks)


def _name(common_name: str) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Models")
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _ca(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    path_length: int,
) -> x509.Certificate:
    return (
        _builder(name, key, issuer, issuer_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(ca=True), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _leaf(
    name: x509.Name,
    email: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    return (
        _builder(name, key, issuer, issuer_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    public_key, issuer_public_key = key.public_key(), issuer_key.public_key()
    subject_id = x509.SubjectKeyIdentifier.from_public_key(public_key)
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public_key)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START)
        .not_valid_after(_END)
        .add_extension(subject_id, critical=False)
        .add_extension(authority_id, critical=False)
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def _write_certificate(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(pem(certificate))
    return path
