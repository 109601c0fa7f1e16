"""Signs by hand, after the specification: real keys, statements made of dictionaries.

What no signer writes can so be signed as well.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from blake3 import blake3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

Json = dict[str, Any]
PAYLOAD_TYPE = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


def digest(data: bytes, algorithm: str = "sha256") -> str:
    """The digest in lower-case hex."""
    return (
        blake3(data).hexdigest()
        if algorithm == "blake3"
        else hashlib.new(algorithm, data).hexdigest()
    )


def resources(files: Mapping[str, bytes], algorithm: str = "sha256") -> list[Json]:
    """Resource descriptors of whole files, sorted."""
    return [
        {"name": name, "digest": digest(files[name], algorithm), "algorithm": algorithm}
        for name in sorted(files)
    ]


def shards(files: Mapping[str, bytes], size: int, algorithm: str = "sha256") -> list[Json]:
    """Resource descriptors of shards of `size` bytes, sorted by code point."""
    rows = [
        {
            "name": f"{name}:{start}:{min(start + size, len(data))}",
            "digest": digest(data[start : start + size], algorithm),
            "algorithm": algorithm,
        }
        for name, data in files.items()
        for start in range(0, len(data), size)
    ]
    return sorted(rows, key=lambda row: row["name"])


def statement(
    rows: Sequence[Json], *, hash_type: str = "sha256", name: str = "model", **form: object
) -> Json:
    """A sound v1.0 statement over resource descriptors; `form` goes into `serialization`."""
    root = hashlib.sha256(b"".join(bytes.fromhex(row["digest"]) for row in rows)).hexdigest()
    serialization_form = {"method": "files", "hash_type": hash_type, "allow_symlinks": False}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"serialization": serialization_form | form, "resources": list(rows)},
    }


def statement_v02(files: Mapping[str, bytes]) -> Json:
    """The deprecated form: the files are the subjects."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": digest(data)}, "annotations": {}}
            for name, data in files.items()
        ],
        "predicateType": "https://model_signing/Digests/v0.1",
        "predicate": {"unused": "Unused, just passed due to API"},
    }


def pem(key: Any) -> bytes:  # noqa: ANN401
    """A public key in PEM."""
    encoded: bytes = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


@dataclass
class Signer:
    """A key, by default on P-256."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def pem(self) -> bytes:
        """Its public half."""
        return pem(self.key.public_key())

    @property
    def hint(self) -> str:
        """The fingerprint that model_signing writes."""
        return hashlib.sha256(self.pem).hexdigest()

    def signature(self, payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
        """Signs the DSSE encoding."""
        kind = payload_type.encode()
        encoding = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        algorithm = _CURVE_HASHES.get(self.key.curve.name, hashes.SHA256())
        return self.key.sign(encoding, ec.ECDSA(algorithm))

    def bundle(self, document: object, **material: object) -> Json:
        """A bundle over a statement, or over any bytes."""
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        return bundle(
            payload,
            self.signature(payload),
            material or {"publicKey": {"hint": self.hint}, "tlogEntries": []},
        )

    def sign_tree(
        self, model: Path, files: Mapping[str, bytes] | None = None, **form: object
    ) -> Path:
        """Writes `files` (else takes those that are there) and `model.sig`; returns the latter."""
        if files is not None:
            write_tree(model, files)
        signature = model / "model.sig"
        found = files if files is not None else read_tree(model)
        signature.write_text(
            json.dumps(self.bundle(statement(resources(found), **form))),  # type: ignore[arg-type]
            encoding="utf-8",
        )
        return signature


def bundle(payload: bytes, signature: bytes, material: object) -> Json:
    """A bundle of any parts."""
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": {
            "payload": b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": b64encode(signature).decode(), "keyid": ""}],
        },
    }


def chain_material(*chain: x509.Certificate) -> Json:
    """Verification material of the certificate method, leaf first."""
    links = [
        {"rawBytes": b64encode(c.public_bytes(serialization.Encoding.DER)).decode()} for c in chain
    ]
    return {"x509CertificateChain": {"certificates": links}, "tlogEntries": []}


def write_tree(model: Path, files: Mapping[str, bytes]) -> None:
    """Writes files with their directories."""
    for name, data in files.items():
        path = model / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read_tree(model: Path) -> dict[str, bytes]:
    """All regular files but the signature."""
    return {
        path.relative_to(model).as_posix(): path.read_bytes()
        for path in model.rglob("*")
        if path.is_file() and path.name != "model.sig"
    }


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def key_usage(*allowed: str) -> x509.KeyUsage:
    """A key usage extension that allows exactly these."""
    kinds = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{kind: kind in allowed for kind in kinds})


def name(common_name: str) -> x509.Name:
    """A subject of one common name; none for ""."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def issue(  # noqa: PLR0913
    subject: str,
    by: Issued | None = None,
    *,
    key: Any = None,  # noqa: ANN401
    ca: bool = False,
    extensions: Iterable[x509.ExtensionType] = (),
    valid: tuple[datetime, datetime] = (NOW - DAY, NOW + 365 * DAY),
    algorithm: hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None,
) -> Issued:
    """Issues a certificate, self-signed without `by`."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer = name(subject) if by is None else by.certificate.subject
    issuing_key: CertificateIssuerPrivateKeyTypes = key if by is None else by.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
    if ca:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Issued(builder.sign(issuing_key, algorithm or hashes.SHA256()), key)


CODE_SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])


def email(address: str) -> x509.SubjectAlternativeName:
    """A SAN of one email address."""
    return x509.SubjectAlternativeName([x509.RFC822Name(address)])


def root(subject: str = "Root", **rules: Any) -> Issued:  # noqa: ANN401
    """A certificate authority."""
    return issue(subject, ca=True, extensions=[key_usage("key_cert_sign")], **rules)


def leaf(by: Issued | None, subject: str = "Release", **rules: Any) -> Issued:  # noqa: ANN401
    """A code-signing leaf for release@example.com."""
    usual = [key_usage("digital_signature"), CODE_SIGNING, email("release@example.com")]
    return issue(subject, by, **({"extensions": usual} | rules))
