"""The certificates of a cluster, made for one run."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """The cluster's own authority, which issues to servers and users alike."""

    directory: Path
    certificate: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, directory: Path) -> Self:
        """Makes a key and a certificate of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster")])
        made = _builder(name, name, key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        path = directory / "ca.crt"
        path.write_bytes(_pem(made.sign(key, hashes.SHA256())))
        return cls(directory, path, name, key)

    def issue(self, name: str, *, group: str | None = None, hosts: Sequence[str] = ()) -> Pair:
        """A certificate for a server at `hosts`, or for the user `name` of a group."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if group:
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        made = _builder(x509.Name(attributes), self.name, key.public_key())
        made = made.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            made = made.add_extension(names, critical=False)
        pair = Pair(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        pair.certificate.write_bytes(_pem(made.sign(self.key, hashes.SHA256())))
        pair.key.write_bytes(_private(key))
        return pair

    def kubeconfig(self, user: str, url: str, *, group: str | None = None) -> Path:
        """A kubeconfig by which kubectl is `user`."""
        pair = self.issue(user, group=group)
        cluster = {"server": url, "certificate-authority": str(self.certificate)}
        files = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": user}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": user, "user": files}],
        }
        path = self.directory / f"{user}.kubeconfig"
        path.write_text(json.dumps(config), encoding="utf-8")
        return path


def service_account_keys(directory: Path) -> tuple[Path, Path]:
    """The private and the public key of service accounts' tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = directory / "accounts.key", directory / "accounts.pub"
    private.write_bytes(_private(key))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return private, public


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
