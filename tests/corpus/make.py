"""Makes the corpus: bundles signed by every released version of model-signing.

For each release, a throw-away virtual environment gets that release, and signs the
same small model with the same throw-away keys. The private keys are never kept.

Run with any Python 3.11 or later that has `cryptography`:

    python make.py [--python 3.11=/path/to/python3.11 ...] [--only 1.1.1 ...]

The same file is run again inside each environment, as `make.py --worker IN OUT`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import importlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = pathlib.Path(__file__).resolve().parent
CURVES: dict[str, ec.EllipticCurve] = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
}
SHARD_SIZE = 1000
IGNORED = ["config.json", "sub"]
REFERENCE = "1.1.1"

# Up to 1.0.1 the bundles are written with sigstore-protobuf-specs, which sigstore 4
# dropped; pyOpenSSL is imported by every release and declared by none.
_OLD = ("sigstore==3.6.7", "sigstore-protobuf-specs==0.3.2", "pyOpenSSL==26.2.0")
_NEW = ("sigstore==4.1.0", "sigstore-models==0.0.5", "pyOpenSSL==25.3.0")

# Release -> Python, and what must be pinned (protobuf as of the release: it writes
# the payload).
RELEASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "0.1.0": ("3.11", (*_OLD, "protobuf==5.28.3")),
    "0.1.1": ("3.11", (*_OLD, "protobuf==5.28.3")),
    "0.2.0": ("3.11", (*_OLD, "protobuf==5.29.3")),
    "0.3.0": ("3.12", (*_OLD, "protobuf==6.30.2")),
    "0.3.1": ("3.12", (*_OLD, "protobuf==6.30.2")),
    "1.0.0": ("3.12", (*_OLD, "protobuf==6.30.2")),
    "1.0.1": ("3.12", (*_OLD, "protobuf==6.30.2")),
    "1.1.0": ("3.13", (*_NEW, "protobuf==6.32.1")),
    "1.1.1": ("3.13", (*_NEW, "protobuf==6.32.1")),
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to sign the model.

    Attributes:
        name: The bundle's file name, without `.sig`.
        since: The first release that gets this variant.
        until: The last release that gets this variant.
        curve: The signing key's curve.
        method: `key` or `certificate`.
        files: Whether to hash whole files (else shards of `SHARD_SIZE` bytes).
        hash_name: The hash, as the release's own API calls it.
        payload: For releases before 0.3.0, the payload class.
        model: The model's path below this directory.
        ignore: Paths in the model to leave out.
        ignore_git: Whether to leave git's own files out (the default since 0.3.1).
        symlinks: Whether to allow symbolic links.
        root: Whether the chain in the bundle has the root certificate too.
        inside: Whether to sign by the command line, with the signature in the model.
        dot: Whether to sign the working directory, given as `.`.
    """

    name: str
    since: str = "0.1.0"
    until: str = "1.1.1"
    curve: str = "p256"
    method: str = "key"
    files: bool = True
    hash_name: str = "sha256"
    payload: str = "DigestsIntotoPayload"
    model: str = "model"
    ignore: bool = False
    ignore_git: bool = True
    symlinks: bool = False
    root: bool = False
    inside: bool = False
    dot: bool = False

    @property
    def label(self) -> str:
        """Says what was hashed, and how."""
        parts = ["files" if self.files else "shards", self.hash_name]
        if self.payload != Variant.payload and not self.payload.startswith("Shard"):
            parts.append(self.payload.removesuffix("IntotoPayload"))
        flags = {
            "single": self.model != "model",
            "ignore": self.ignore,
            "git": not self.ignore_git,
            "symlinks": self.symlinks,
            "root": self.root,
            "inside": self.inside,
            "dot": self.dot,
        }
        return "-".join(parts + [name for name, on in flags.items() if on])

    @property
    def material(self) -> str:
        """The file to verify with."""
        return f"keys/{self.curve}.pub" if self.method == "key" else "keys/root.pem"


VARIANTS = [
    *[Variant(f"key-{curve}", curve=curve) for curve in CURVES],
    *[Variant(f"certificate-{c}", curve=c, method="certificate") for c in CURVES],
    Variant("certificate-p256-root", since="1.0.0", method="certificate", root=True),
    Variant("key-p256-file", model="model/weights.bin"),
    Variant("key-p256-ignore", ignore=True),
    Variant("key-p256-symlinks", symlinks=True),
    Variant("key-p256-git", since="0.3.1", ignore_git=False),
    Variant("key-p256-blake2", hash_name="blake2"),
    Variant("key-p256-blake3", since="1.1.0", hash_name="blake3"),
    Variant("key-p256-shards", files=False, payload="ShardDigestsIntotoPayload"),
    Variant("key-p256-shards-blake2", since="0.3.0", files=False, hash_name="blake2"),
    Variant("key-p256-shards-blake3", since="1.1.0", files=False, hash_name="blake3"),
    Variant("key-p256-shards-file", since="0.3.0", files=False, model="model/weights.bin"),
    Variant("key-p256-dot", since="0.3.0", dot=True),
    Variant("key-p256-digest", "0.2.0", "0.2.0", payload="SingleDigestIntotoPayload"),
    Variant("key-p256-digests", "0.2.0", "0.2.0", payload="DigestOfDigestsIntotoPayload"),
    Variant(
        "key-p256-shard-digests",
        "0.2.0",
        "0.2.0",
        files=False,
        payload="DigestOfShardDigestsIntotoPayload",
    ),
    Variant("key-p256-inside", since="1.1.0", inside=True),
    Variant("certificate-p384-inside", "1.1.1", curve="p384", method="certificate", inside=True),
]


def number(version: str) -> tuple[int, ...]:
    """Turns `1.0.1` into `(1, 0, 1)`, to compare."""
    return tuple(int(part) for part in version.split("."))


# --- Run inside each environment ---------------------------------------------------


class Hashing(Protocol):
    """A hashing configuration, of any release."""

    def hash(self, model: pathlib.Path) -> object:
        """Makes the model's manifest."""


@dataclasses.dataclass(frozen=True)
class Signer:
    """The files to sign with.

    Attributes:
        key: The private key.
        leaf: Its certificate.
        chain: The certificates above that.
    """

    key: pathlib.Path
    leaf: pathlib.Path
    chain: list[pathlib.Path]


class Signing:
    """Signs and verifies with the release installed in this environment."""

    def __init__(self, version: str, secrets: pathlib.Path) -> None:
        """Keeps what every job needs.

        Args:
            version: The installed release.
            secrets: The directory with private keys and certificates.
        """
        self.version = number(version)
        self.secrets = secrets

    def sign(self, variant: Variant, model: pathlib.Path, bundle: pathlib.Path) -> None:
        """Signs a model.

        Args:
            variant: How to sign.
            model: The model.
            bundle: Where to write the bundle.
        """
        signer = Signer(
            self.secrets / f"{variant.curve}.key",
            self.secrets / f"{variant.curve}.pem",
            [self.secrets / "intermediate.pem"],
        )
        if variant.root:
            signer.chain.append(HERE / "keys/root.pem")
        if variant.inside:
            self._sign_by_command(variant, model, bundle, signer)
        elif self.version < (0, 3):
            self._sign_old(variant, model, bundle, signer)
        else:
            module = importlib.import_module("model_signing.signing")

            class Config(module.Config):  # type: ignore[misc, name-defined]
                def use_sigstore_signer(self, **_: object) -> Self:
                    # The constructor calls this up to 1.0.1, and it needs the network.
                    return self

            config = Config()
            if variant.method == "key":
                config.use_elliptic_key_signer(private_key=signer.key)
            else:
                config.use_certificate_signer(
                    private_key=signer.key,
                    signing_certificate=signer.leaf,
                    certificate_chain=signer.chain,
                )
            with contextlib.chdir(model if variant.dot else HERE):
                path = pathlib.Path() if variant.dot else model
                config.set_hashing_config(self._hashing(variant, path)).sign(path, bundle)

    def verify(
        self, variant: Variant, model: pathlib.Path, bundle: pathlib.Path, *, guess: bool
    ) -> None:
        """Verifies a bundle; raises whatever the release raises.

        Args:
            variant: How it was signed.
            model: The model.
            bundle: The bundle.
            guess: Whether to use only default settings (needs 0.3.1 or later).
        """
        material = HERE / variant.material
        if self.version < (0, 3):
            self._verify_old(variant, model, bundle, material)
            return
        if self.version == (0, 3, 0):
            # verifying.Config of 0.3.0 reads every bundle as a Sigstore one; its
            # command line does it this way instead.
            module = importlib.import_module("model_signing._signing.sign_sigstore_pb")
            keys = importlib.import_module("model_signing._signing.sign_ec_key")
            signed = keys.Verifier(material).verify(module.Signature.read(bundle))
            if signed != self._hashing(variant, model).hash(model):
                raise ValueError("Signature mismatch")
            return
        config = importlib.import_module("model_signing.verifying").Config()
        if variant.method == "key":
            config.use_elliptic_key_verifier(public_key=material)
        else:
            config.use_certificate_verifier(certificate_chain=[material])
        if not guess:
            config.set_hashing_config(self._hashing(variant, model))
        config.verify(model, bundle)

    def _hashing(self, variant: Variant, model: pathlib.Path) -> Hashing:
        """Builds the hashing configuration for 0.3.0 and later."""
        config: Any = importlib.import_module("model_signing.hashing").Config()
        options: dict[str, Any] = {
            "hashing_algorithm": variant.hash_name,
            "allow_symlinks": variant.symlinks,
        }
        if variant.files:
            config.use_file_serialization(**options)
        else:
            config.use_shard_serialization(shard_size=SHARD_SIZE, **options)
        if self.version >= (1, 1):
            config.set_allow_symlinks(variant.symlinks)
        # Before 1.1.0 a relative path is not looked up in the model.
        ignored = [model / path for path in IGNORED if variant.ignore]
        if self.version >= (0, 3, 1):
            config.set_ignored_paths(paths=ignored, ignore_git_paths=variant.ignore_git)
        else:
            config.set_ignored_paths(ignored)
        hashing: Hashing = config
        return hashing

    def _sign_by_command(
        self, variant: Variant, model: pathlib.Path, bundle: pathlib.Path, given: Signer
    ) -> None:
        """Signs with the release's command line."""
        command = [sys.executable, "-m", "model_signing", "sign", variant.method, str(model)]
        command += ["--signature", str(bundle), "--private_key", str(given.key)]
        if variant.method == "certificate":
            command += ["--signing_certificate", str(given.leaf)]
            for path in given.chain:
                command += ["--certificate_chain", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def _hash_old(self, variant: Variant, model: pathlib.Path) -> object:
        """Hashes a model with a release before 0.3.0."""
        config = importlib.import_module("model_signing.api").HashingConfig()
        options: dict[str, Any] = {
            "hashing_algorithm": variant.hash_name,
            "allow_symlinks": variant.symlinks,
        }
        if variant.payload == "SingleDigestIntotoPayload":
            config.set_serialize_by_file_to_digest(**options)
        elif variant.files:
            # One worker: 0.1.0 shares one hasher between its threads (and up to
            # 0.2.0 so do shards), which gives wrong digests.
            config.set_serialize_by_file_to_manifest(max_workers=1, **options)
        else:
            config.set_serialize_by_file_shard_to_manifest(
                max_workers=1, shard_size=SHARD_SIZE, **options
            )
        config.set_ignored_paths([model / path for path in IGNORED if variant.ignore])
        manifest: object = config.hash(model)
        return manifest

    def _sign_old(
        self, variant: Variant, model: pathlib.Path, bundle: pathlib.Path, given: Signer
    ) -> None:
        """Signs with a release before 0.3.0."""
        payloads = importlib.import_module("model_signing.signing.in_toto")
        signatures = importlib.import_module("model_signing.signing.in_toto_signature")
        if variant.method == "key":
            keys = importlib.import_module("model_signing.signature.key")
            signer = keys.ECKeySigner.from_path(given.key)
        else:
            pki = importlib.import_module("model_signing.signature.pki")
            signer = pki.PKISigner.from_path(given.key, given.leaf, given.chain)
        manifest = self._hash_old(variant, model)
        payload = getattr(payloads, variant.payload).from_manifest(manifest)
        signatures.IntotoSigner(signer).sign(payload).write(bundle)

    def _verify_old(
        self,
        variant: Variant,
        model: pathlib.Path,
        bundle: pathlib.Path,
        material: pathlib.Path,
    ) -> None:
        """Verifies with a release before 0.3.0."""
        signatures = importlib.import_module("model_signing.signing.in_toto_signature")
        if variant.method == "key":
            keys = importlib.import_module("model_signing.signature.key")
            verifier = keys.ECKeyVerifier.from_path(material)
        else:
            pki = importlib.import_module("model_signing.signature.pki")
            verifier = pki.PKIVerifier.from_paths([material])
        signature = signatures.IntotoSignature.read(bundle)
        signed = signatures.IntotoVerifier(verifier).verify(signature)
        if signed != self._hash_old(variant, model):
            raise ValueError("Signature mismatch")


def error_of(error: BaseException) -> str:
    """Says in one short line what went wrong, without any path of this machine."""
    text = " ".join(str(error).split()).replace(str(HERE), "")
    return f"{type(error).__name__}: {text}"[:120].rstrip(": ")


def worker(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Does the jobs of one environment.

    Args:
        request: The release, the directory of secrets, and the jobs.

    Returns:
        For each job, `error`: `None` or what went wrong.
    """
    signing = Signing(request["version"], pathlib.Path(request["secrets"]))
    results = []
    for job in request["jobs"]:
        variant = Variant(**job["variant"])
        model, bundle = HERE / variant.model, HERE / job["bundle"]
        error = None
        with tempfile.TemporaryDirectory() as name:
            path = bundle
            if variant.inside:
                model = pathlib.Path(name) / "model"
                shutil.copytree(HERE / "model", model)
                path = model / "model.sig"
            try:
                if job["action"] == "sign":
                    signing.sign(variant, model, path)
                    if variant.inside:
                        shutil.copy(path, bundle)
                else:
                    if variant.inside:
                        shutil.copy(bundle, path)
                    signing.verify(variant, model, path, guess=job["guess"])
            except Exception as caught:  # noqa: BLE001 - each release raises its own
                error = error_of(caught)
        results.append({"error": error})
    return results


# --- Run by hand -------------------------------------------------------------------


def make_model(directory: pathlib.Path) -> None:
    """Writes the model, the same every time.

    Args:
        directory: Where.
    """
    numbers = random.Random(0)  # noqa: S311 - the same bytes every time
    contents = {
        "config.json": b'{"layers": 2}\n',
        "weights.bin": numbers.randbytes(5003),
        "sub/adapter.bin": numbers.randbytes(2000),
        "empty.txt": b"",
        "name with space.txt": b"space\n",
        "a/b.txt": b"in a directory\n",
        "a.txt": b"beside the directory\n",
        "\u00fcn\u00efcode.txt": b"not ASCII\n",
    }
    for name, content in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def pem(key: ec.EllipticCurvePublicKey | x509.Certificate) -> bytes:
    """Encodes something public as PEM."""
    if isinstance(key, x509.Certificate):
        return key.public_bytes(serialization.Encoding.PEM)
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    start: dt.datetime,
) -> x509.Certificate:
    """Issues a certificate, valid until 2126.

    Args:
        name: The subject's common name; a name that starts with `Test CA` is a CA's.
        key: The subject's key.
        issuer: The issuer's common name.
        issuer_key: The issuer's key.
        start: When it starts being valid.

    Returns:
        The certificate.
    """
    authority = name.startswith("Test CA")
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(dt.datetime(2126, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not authority:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def make_keys(public: pathlib.Path, secrets: pathlib.Path) -> None:
    """Makes new keys and certificates.

    Args:
        public: Where to write what is kept.
        secrets: Where to write what is not.
    """
    utc = dt.UTC
    public.mkdir(parents=True, exist_ok=True)
    root, middle = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_start, start = (dt.datetime(year, 1, 1, tzinfo=utc) for year in (2024, 2025))
    root_name, middle_name = "Test CA root", "Test CA intermediate"
    root_certificate = certificate(root_name, root.public_key(), root_name, root, root_start)
    (public / "root.pem").write_bytes(pem(root_certificate))
    issued = certificate(middle_name, middle.public_key(), root_name, root, root_start)
    (secrets / "intermediate.pem").write_bytes(pem(issued))
    for name, curve in CURVES.items():
        key = ec.generate_private_key(curve)
        (public / f"{name}.pub").write_bytes(pem(key.public_key()))
        (secrets / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        leaf = certificate(f"Test signer {name}", key.public_key(), middle_name, middle, start)
        (secrets / f"{name}.pem").write_bytes(pem(leaf))


def run(python: pathlib.Path, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs this file's worker in an environment.

    Args:
        python: The environment's Python.
        request: See `worker`.

    Returns:
        See `worker`.
    """
    with tempfile.TemporaryDirectory() as name:
        source, target = pathlib.Path(name) / "in.json", pathlib.Path(name) / "out.json"
        source.write_text(json.dumps(request))
        command = [str(python), str(HERE / "make.py"), "--worker", str(source), str(target)]
        # The warnings of old releases say nothing of use here.
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        results: list[dict[str, Any]] = json.loads(target.read_text())
        return results


def install(version: str, pythons: dict[str, str], directory: pathlib.Path) -> pathlib.Path:
    """Makes the environment of one release.

    Args:
        version: The release.
        pythons: Interpreters given by hand.
        directory: Where to put it.

    Returns:
        The environment's Python.
    """
    wanted, pins = RELEASES[version]
    interpreter = pythons.get(wanted, f"python{wanted}")
    subprocess.run([interpreter, "-m", "venv", str(directory)], check=True)
    python = directory / "bin/python"
    command = [str(python), "-m", "pip", "install", "--quiet", f"model-signing=={version}"]
    subprocess.run([*command, *pins], check=True)
    return python


def make(versions: Sequence[str], pythons: dict[str, str]) -> None:
    """Makes the whole corpus anew.

    Args:
        versions: The releases to use; the reference one is needed in any case.
        pythons: Interpreters given by hand.
    """
    for name in ("model", "keys", "bundles"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    make_model(HERE / "model")
    index: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        make_keys(HERE / "keys", scratch)
        environments = {v: install(v, pythons, scratch / f"venv-{v}") for v in versions}
        for version in versions:
            index += sign_all(version, environments, scratch)
    (HERE / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def sign_all(
    version: str, environments: dict[str, pathlib.Path], scratch: pathlib.Path
) -> list[dict[str, Any]]:
    """Makes the bundles of one release, and tries them.

    Args:
        version: The release.
        environments: The Python of each release.
        scratch: The directory of secrets.

    Returns:
        The index's entries.
    """
    (HERE / "bundles" / version).mkdir(parents=True)
    variants = [v for v in VARIANTS if number(v.since) <= number(version) <= number(v.until)]
    jobs = [
        {
            "variant": dataclasses.asdict(variant),
            "bundle": f"bundles/{version}/{variant.name}.sig",
            "guess": number(version) > (0, 3, 0),
            "action": "sign",
        }
        for variant in variants
    ]

    def do(who: str, **changes: object) -> list[str | None]:
        request = {
            "version": who,
            "secrets": str(scratch),
            "jobs": [{**job, **changes} for job in jobs],
        }
        return [result["error"] for result in run(environments[who], request)]

    failures = do(version)
    for job, error in zip(jobs, failures, strict=True):
        if error:
            sys.stderr.write(f"{job['bundle']}: cannot sign: {error}\n")
            (HERE / str(job["bundle"])).unlink(missing_ok=True)
    kept = [not error for error in failures]
    variants = [variant for variant, good in zip(variants, kept, strict=True) if good]
    jobs = [job for job, good in zip(jobs, kept, strict=True) if good]
    tried = [
        ("self", do(version, action="verify"), do(version, action="verify", guess=False)),
        (
            REFERENCE,
            do(REFERENCE, action="verify", guess=True),
            do(REFERENCE, action="verify", guess=False),
        ),
    ]
    entries = []
    for position, (variant, job) in enumerate(zip(variants, jobs, strict=True)):
        notes = []
        for who, by_default, configured in tried:
            if by_default[position]:
                notes.append(f"{who}: {by_default[position]}")
                if not configured[position]:
                    notes.append(f"{who} accepts when given the hashing configuration")
        entry = {
            "bundle": job["bundle"],
            "version": version,
            "method": variant.method,
            "material": variant.material,
            "model": variant.model,
            "variant": variant.label,
            "note": "; ".join(notes),
            "self_verifies": tried[0][1][position] is None,
            "reference_accepts": tried[1][1][position] is None,
        }
        if variant.ignore:
            entry["ignore"] = IGNORED
        if variant.inside:
            entry["inside"] = True
        entries.append(entry)
    return entries


def main(arguments: Sequence[str]) -> None:
    """Reads the command line.

    Args:
        arguments: Without the program's name.
    """
    if arguments[:1] == ["--worker"]:
        source, target = map(pathlib.Path, arguments[1:3])
        target.write_text(json.dumps(worker(json.loads(source.read_text()))))
        return
    parser = argparse.ArgumentParser(description="Makes the corpus anew.")
    parser.add_argument("--python", action="append", default=[], metavar="3.X=PATH")
    only = "make only this release; the others' bundles are removed"
    parser.add_argument("--only", action="append", default=[], choices=RELEASES, help=only)
    options = parser.parse_args(arguments)
    pythons = dict(item.split("=", 1) for item in options.python)
    chosen = set(options.only or RELEASES) | {REFERENCE}
    make([version for version in RELEASES if version in chosen], pythons)


if __name__ == "__main__":
    main(sys.argv[1:])
