"""Signs models, honestly and not, and asks each engine about them on its own.

model-signing is called as its users call it, never through this project's adapter.
"""

import base64
import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import blake3
import certifi
import model_signing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.private_sigstore import PrivateSigstore
from verifier_cli import runs
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules, Policy, Signer
from verifier_cli.verdict import ModelReport

IN_TOTO = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
PREDICATE_TYPE_V02 = "https://model_signing/Digests/v0.1"

CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "p256": (ec.SECP256R1(), hashes.SHA256()),
    "p384": (ec.SECP384R1(), hashes.SHA384()),
    "p521": (ec.SECP521R1(), hashes.SHA512()),
}
DAY = timedelta(days=1)
IDENTITY, ISSUER = "signer@example.com", "https://accounts.example.com"

Json = dict[str, Any]
SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Answer(NamedTuple):
    """What an engine says: yes or no, and why."""

    accepted: bool
    why: str


class Silent:
    """An observer that nobody listens to."""

    def event(self, event: str, message: str, **fields: object) -> None:
        """Does nothing."""


def report(
    model: Path,
    signature: Path,
    *signers: Signer,
    engine: Literal["native", "reference", "both"] = "native",
    workers: int = 1,
    **rules: Any,  # noqa: ANN401  (fields of ModelRules)
) -> ModelReport:
    """Asks this project about one model."""
    wanted = ModelRules(str(model), str(signature), **rules)
    policy = Policy((wanted,), signers, local=True)
    settings = runs.Settings(engine=engine, workers=workers)
    return runs.verify([policy], settings, Silent(), Progress()).models[0]


def ours(
    model: Path,
    signature: Path,
    signer: Signer,
    **rules: Any,  # noqa: ANN401  (fields of ModelRules)
) -> Answer:
    """Asks the native engine."""
    said = report(model, signature, signer, **rules)
    why = "; ".join(
        f"{finding.code.name} {finding.path}: {finding.detail}"
        for finding in said.findings
        if finding.code.reason is not None
    )
    return Answer(said.verdict.name == "TRUSTED", why)


def theirs(
    model: Path,
    signature: Path,
    verifier: Callable[[], model_signing.verifying.Config],
    hashing: model_signing.hashing.Config | None = None,
    *,
    ignore_unsigned_files: bool = False,
) -> Answer:
    """Asks model-signing; without `hashing` it guesses from the signature."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            config = verifier()
            if hashing is not None:
                config.set_hashing_config(hashing)
            config.set_ignore_unsigned_files(ignore_unsigned_files)
            config.verify(model, signature)
        except Exception as error:  # noqa: BLE001  (it raises what its parts happen to raise)
            return Answer(accepted=False, why=f"{type(error).__name__}: {error}")
    return Answer(accepted=True, why="")


def new_hashing(  # noqa: PLR0913  (one parameter for each thing it can be told)
    *,
    ignore: Iterable[Path | str] = (),
    git: bool = True,
    links: bool = False,
    method: Literal["files", "shards"] = "files",
    algorithm: Literal["sha256", "blake2", "blake3"] = "sha256",
    shard_size: int = 1000,
) -> model_signing.hashing.Config:
    """A hashing configuration of model-signing."""
    config = model_signing.hashing.Config()  # type: ignore[no-untyped-call]
    if method == "shards":
        config.use_shard_serialization(hashing_algorithm=algorithm, shard_size=shard_size)
    else:
        config.use_file_serialization(hashing_algorithm=algorithm)
    config.set_ignored_paths(paths=list(ignore), ignore_git_paths=git)
    config.set_allow_symlinks(links)
    return config


def plant(root: Path, files: Mapping[str, bytes]) -> Path:
    """Writes files below `root`, which it makes."""
    root.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def read_tree(root: Path) -> dict[str, bytes]:
    """The files below `root`."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


# --- statements and bundles by hand ---------------------------------------------------------


def digest_of(data: bytes, hash_type: str = "sha256") -> str:
    """The digest of the algorithm registry, in hex."""
    if hash_type == "blake3":
        return blake3.blake3(data).hexdigest()
    return hashlib.new(hash_type, data).hexdigest()


def root_digest(resources: Iterable[Json]) -> str:
    """The subject's digest over all resources in their order."""
    return hashlib.sha256(b"".join(bytes.fromhex(r["digest"]) for r in resources)).hexdigest()


def resources_of(files: Mapping[str, bytes], hash_type: str = "sha256") -> list[Json]:
    """Resource descriptors of whole files, sorted by name."""
    return [
        {"name": name, "algorithm": hash_type, "digest": digest_of(data, hash_type)}
        for name, data in sorted(files.items())
    ]


def shards_of(
    files: Mapping[str, bytes],
    size: int,
    algorithm: str = "sha256",
    hash_type: str = "sha256",
) -> list[Json]:
    """Resource descriptors of shards; an empty file has none."""
    return [
        {
            "name": f"{name}:{start}:{min(start + size, len(data))}",
            "algorithm": algorithm,
            "digest": digest_of(data[start : start + size], hash_type),
        }
        for name, data in sorted(files.items())
        for start in range(0, len(data), size)
    ]


def statement(
    resources: Sequence[Json],
    *,
    name: str | None = "model",
    **serialization: Any,  # noqa: ANN401  (JSON)
) -> Json:
    """A v1.0 statement with a fitting root digest; `serialization` overrides its parameters."""
    subject: Json = {"digest": {"sha256": root_digest(resources)}}
    if name is not None:
        subject["name"] = name
    form = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, **serialization}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [subject],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"serialization": form, "resources": list(resources)},
    }


def statement_v02(files: Mapping[str, bytes]) -> Json:
    """A statement as model_signing 0.2.0 wrote it."""
    subjects = [
        {
            "name": name,
            "digest": {"sha256": digest_of(data)},
            "annotations": {"actual_hash_algorithm": "file-sha256"},
        }
        for name, data in sorted(files.items())
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE_V02,
        "predicate": {"unused": "Unused, just passed due to API requirements"},
    }


def encode(value: object) -> bytes:
    """JSON text."""
    return json.dumps(value).encode()


def pae(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """What DSSE signs."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def pae_v02(payload: bytes) -> bytes:
    """What model_signing 0.2.0 signed instead."""
    return f"DSSEV1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} {payload!r}".encode()


def b64(data: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(data).decode()


def bundle(payload: bytes, signature: bytes, material: Json, payload_type: str = IN_TOTO) -> Json:
    """A signature file."""
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {**material, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": b64(payload),
            "payloadType": payload_type,
            "signatures": [{"sig": b64(signature), "keyid": ""}],
        },
    }


@dataclass(frozen=True)
class KeyPair:
    """A key, as files and as objects."""

    directory: Path
    curve: str = "p256"
    private: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "private", ec.generate_private_key(CURVES[self.curve][0]))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.private_path.write_bytes(private_pem(self.private))
        self.public_path.write_bytes(self.pem)

    @property
    def private_path(self) -> Path:
        """PEM file of the private half."""
        return self.directory / f"{self.curve}.key"

    @property
    def public_path(self) -> Path:
        """PEM file of the public half."""
        return self.directory / f"{self.curve}.pub"

    @property
    def pem(self) -> bytes:
        """The public half."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def hint(self) -> str:
        """The fingerprint that bundles hold."""
        return hashlib.sha256(self.pem).hexdigest()

    @property
    def signer(self) -> Key:
        """The policy's signer."""
        return Key(Material(text=self.pem.decode()))

    def verifier(self) -> model_signing.verifying.Config:
        """model-signing's verifier."""
        return key_verifier(self.public_path)()

    def sign(
        self, model: Path, signature: Path, hashing: model_signing.hashing.Config | None = None
    ) -> None:
        """Signs by model-signing."""
        config = model_signing.signing.Config()  # type: ignore[no-untyped-call]
        config.set_hashing_config(hashing or new_hashing())
        config.use_elliptic_key_signer(private_key=self.private_path)
        config.sign(model, signature)

    def seal(
        self, payload: bytes, payload_type: str = IN_TOTO, *, signed_type: str | None = None
    ) -> Json:
        """A bundle over any payload whatever."""
        message = pae(payload, payload_type if signed_type is None else signed_type)
        signature = self.private.sign(message, ec.ECDSA(CURVES[self.curve][1]))
        return bundle(payload, signature, {"publicKey": {"hint": self.hint}}, payload_type)

    def seal_v02(self, payload: bytes) -> Json:
        """A bundle with the faulty encoding of 0.2.0, always SHA-256."""
        signature = self.private.sign(pae_v02(payload), ec.ECDSA(hashes.SHA256()))
        raw = {"rawBytes": b64(self.pem), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        return bundle(payload, signature, {"publicKey": raw})


def key_verifier(path: Path) -> Callable[[], model_signing.verifying.Config]:
    """model-signing's verifier for the key in this file."""

    def verifier() -> model_signing.verifying.Config:
        config = model_signing.verifying.Config()  # type: ignore[no-untyped-call]
        return config.use_elliptic_key_verifier(public_key=path)

    return verifier


def private_pem(key: SigningKey) -> bytes:
    """A private key as unencrypted PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def private_sigstore_verifier(
    sigstore: PrivateSigstore, path: Path, identity: str = IDENTITY, issuer: str = ISSUER
) -> Callable[[], model_signing.verifying.Config]:
    """model-signing's verifier for a private instance."""
    path.write_text(sigstore.trust_config(), encoding="utf-8")

    def verifier() -> model_signing.verifying.Config:
        config = model_signing.verifying.Config()  # type: ignore[no-untyped-call]
        return config.use_sigstore_verifier(
            identity=identity, oidc_issuer=issuer, trust_config=path
        )

    return verifier


def keyless(sigstore: PrivateSigstore, identity: str = IDENTITY, issuer: str = ISSUER) -> Keyless:
    """The policy's signer for a private instance."""
    return Keyless(issuer, identity, trust_root=Material(text=sigstore.trusted_root()))


# --- certificates ---------------------------------------------------------------------------

CODE_SIGNING = (ExtendedKeyUsageOID.CODE_SIGNING,)
TLS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: SigningKey

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def anchor(self) -> Certificate:
        """A policy's signer that trusts what this certificate issued."""
        return Certificate(Material(text=self.pem.decode()))


def issue(  # noqa: PLR0913  (one parameter for each thing a certificate can say)
    name: str,
    by: Issued | None = None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    key: SigningKey | None = None,
    purposes: Sequence[x509.ObjectIdentifier] | None = None,
    usage: x509.KeyUsage | Literal["fitting"] | None = "fitting",
    names: Sequence[x509.GeneralName] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    constraints: x509.NameConstraints | None = None,
    key_ids: bool = False,
) -> Issued:
    """Issues a certificate; without `by` it is self-signed.

    A leaf gets code signing unless `purposes` says otherwise; an empty sequence leaves the
    extended key usage out.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start or now - DAY)
        .not_valid_after(end or now + DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    )
    if usage == "fitting":
        usage = key_usage("key_cert_sign", "crl_sign") if ca else key_usage("digital_signature")
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    if purposes is None:
        purposes = () if ca else CODE_SIGNING
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if key_ids:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = (by.key if by else key).public_key()
        theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer)
        builder = builder.add_extension(own, critical=False).add_extension(theirs, critical=False)
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    return Issued(builder.sign(by.key if by else key, hashes.SHA256()), key)


def key_usage(*bits: str) -> x509.KeyUsage:
    """A key usage with these bits set."""
    known = (
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
    return x509.KeyUsage(**{bit: bit in bits for bit in known})


def seal_by(leaf: Issued, payload: bytes, *links: Issued) -> Json:
    """A bundle over any payload by a certificate, its chain after it."""
    assert isinstance(leaf.key, ec.EllipticCurvePrivateKey)
    name = {256: "p256", 384: "p384", 521: "p521"}[leaf.key.key_size]
    signature = leaf.key.sign(pae(payload), ec.ECDSA(CURVES[name][1]))
    chain = [{"rawBytes": b64(link.der)} for link in (leaf, *links)]
    return bundle(payload, signature, {"x509CertificateChain": {"certificates": chain}})


def seal_by_a_public_root(payload: bytes) -> Json:
    """A bundle that claims a root of the web as its leaf; only its signature is wrong.

    Nobody here has such a root's key. That its chain is accepted shows in the next check.
    """
    signature = ec.generate_private_key(ec.SECP256R1()).sign(payload, ec.ECDSA(hashes.SHA256()))
    for root in x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes()):
        if not isinstance(root.public_key(), ec.EllipticCurvePublicKey):
            continue
        usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
        if usage.digital_signature and root.not_valid_after_utc > datetime.now(UTC):
            der = root.public_bytes(serialization.Encoding.DER)
            chain = {"x509CertificateChain": {"certificates": [{"rawBytes": b64(der)}]}}
            return bundle(payload, signature, chain)
    raise AssertionError("certifi has no elliptic-curve root that may sign data")


def certificate_verifier(
    path: Path, *roots: Issued
) -> Callable[[], model_signing.verifying.Config]:
    """model-signing's verifier for certificates under these roots."""
    path.write_bytes(b"".join(root.pem for root in roots))

    def verifier() -> model_signing.verifying.Config:
        config = model_signing.verifying.Config()  # type: ignore[no-untyped-call]
        return config.use_certificate_verifier(certificate_chain=[path])

    return verifier


def sign_by_certificate(
    leaf: Issued,
    model: Path,
    signature: Path,
    links: Sequence[Issued],
    hashing: model_signing.hashing.Config | None = None,
) -> None:
    """Signs by model-signing with a certificate and the rest of its chain."""
    work = signature.parent / f"{signature.name}.material"
    work.mkdir()
    key, certificate, chain = work / "leaf.key", work / "leaf.pem", work / "chain.pem"
    key.write_bytes(private_pem(leaf.key))
    certificate.write_bytes(leaf.pem)
    chain.write_bytes(b"".join(link.pem for link in links))
    config = model_signing.signing.Config()  # type: ignore[no-untyped-call]
    config.set_hashing_config(hashing or new_hashing())
    config.use_certificate_signer(
        private_key=key, signing_certificate=certificate, certificate_chain=[chain]
    )
    config.sign(model, signature)


# --- the three methods behind one face ------------------------------------------------------


@dataclass(frozen=True)
class Method:
    """A way to sign, and whom the two engines are told to trust."""

    name: str
    signer: Signer
    verifier: Callable[[], model_signing.verifying.Config]
    sign: Callable[[Path, Path, model_signing.hashing.Config | None], None]
    seal: Callable[[bytes], Json]
    other: Signer
    other_verifier: Callable[[], model_signing.verifying.Config]


def key_method(directory: Path, curve: str = "p256") -> Method:
    """Signs with a key; `other` is a key that did not sign."""
    key, other = KeyPair(directory / "own", curve), KeyPair(directory / "other", curve)
    return Method(
        f"key-{curve}", key.signer, key.verifier, key.sign, key.seal, other.signer, other.verifier
    )


def certificate_method(directory: Path, curve: str = "p256") -> Method:
    """Signs with a leaf under an intermediate; `other` is an authority that issued neither."""
    directory.mkdir(parents=True)
    root, other = issue("root", ca=True), issue("other root", ca=True)
    middle = issue("middle", root, ca=True, path_length=0)
    leaf = issue("leaf", middle, key=ec.generate_private_key(CURVES[curve][0]))
    return Method(
        f"certificate-{curve}",
        root.anchor,
        certificate_verifier(directory / "root.pem", root),
        lambda model, signature, hashing: sign_by_certificate(
            leaf, model, signature, [middle], hashing
        ),
        lambda payload: seal_by(leaf, payload, middle),
        other.anchor,
        certificate_verifier(directory / "other.pem", other),
    )


def sigstore_method(directory: Path, sigstore: PrivateSigstore) -> Method:
    """Signs as an identity; `other` is another identity of the same issuer."""
    directory.mkdir(parents=True)
    other = "other@example.com"

    def sign(model: Path, signature: Path, hashing: model_signing.hashing.Config | None) -> None:
        sigstore.sign(model, signature, identity=IDENTITY, issuer=ISSUER, hashing=hashing)

    def seal(payload: bytes) -> Json:
        sealed: Json = json.loads(
            sigstore.sign_statement(payload, identity=IDENTITY, issuer=ISSUER)
        )
        return sealed

    return Method(
        "sigstore",
        keyless(sigstore),
        private_sigstore_verifier(sigstore, directory / "trust.json"),
        sign,
        seal,
        keyless(sigstore, other),
        private_sigstore_verifier(sigstore, directory / "other.json", other),
    )


METHODS = (
    *(f"key-{curve}" for curve in CURVES),
    *(f"certificate-{curve}" for curve in CURVES),
    "sigstore",
)


class Bench:
    """Makes each method once, when it is first asked for."""

    def __init__(self, directory: Path, sigstore: PrivateSigstore) -> None:
        self._directory = directory
        self.sigstore = sigstore
        self._made: dict[str, Method] = {}

    def __getitem__(self, name: str) -> Method:
        if name not in self._made:
            kind, _, curve = name.partition("-")
            directory = self._directory / name
            if kind == "key":
                self._made[name] = key_method(directory, curve)
            elif kind == "certificate":
                self._made[name] = certificate_method(directory, curve)
            else:
                self._made[name] = sigstore_method(directory, self.sigstore)
        return self._made[name]
