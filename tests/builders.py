"""Builds real models, signs them, damages them in one named way, and says what must come of it.

A test makes a `Model`, signs it (`sign_with_key`, `sign_with_certificate`, `sign_by_sigstore`
sign as people do; `resign` signs any statement properly, also one that nobody should write),
damages something, and calls `expect`. Verification goes through the public entry points:
`verifier_cli.runs.verify` in this process, or the console script (`process`).
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypedDict, TypeVar, Unpack

import blake3
import model_signing
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.damage.chains import Chain, pem
from verifier_cli import policy as rules_of
from verifier_cli.config import document
from verifier_cli.model.progress import Progress
from verifier_cli.runs import Settings, verify
from verifier_cli.verdict import Code, Finding, Reason, Report, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.private_sigstore import Fault, PrivateSigstore
    from verifier_cli.verdict import Mode

Json = dict[str, Any]
_T = TypeVar("_T")

# The contract, written down a second time on purpose: not derived from the code.
EXIT_CODES = {
    "VERIFIED": 0,
    "INTERNAL": 1,
    "USAGE": 2,
    "CONFIG": 3,
    "SIGNATURE_INVALID": 10,
    "SIGNER_UNTRUSTED": 11,
    "CONTENT_MISMATCH": 12,
    "SIGNATURE_MISSING": 13,
    "POLICY_VIOLATION": 14,
    "MODEL_UNREADABLE": 20,
    "TRUST_UNAVAILABLE": 21,
    "ENGINES_DISAGREE": 23,
    "DEADLINE": 124,
    "INTERRUPTED": 130,
    "TERMINATED": 143,
}

FILES: dict[str, bytes] = {
    "config.json": b'{"hidden_size": 4}\n',
    # Above 128 KiB a file is read another way than below.
    "weights.bin": bytes(range(256)) * 640,
    "sub/adapter.bin": b"adapter\n" * 100,
}
LONG_AGO_NS = 1_600_000_000 * 10**9
NOBODY = 65534
IDENTITY, ISSUER = "release@example.com", "https://idp.example.com"
IN_TOTO = "application/vnd.in-toto+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
PREDICATE_TYPE_V02 = "https://model_signing/Digests/v0.1"
_FITTING: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


class Rules(TypedDict, total=False):
    """The fields of `ModelRules` that a test changes."""

    path: str | None
    signature_path: str | None
    ignore_paths: tuple[str, ...]
    ignore_git_paths: bool
    ignore_unsigned_files: bool
    allow_symlinks: bool
    discover: bool


class Silent:
    """An observer that hears nothing."""

    def event(self, event: str, message: str, **fields: object) -> None:
        """Does nothing."""


class On(Silent):
    """An observer that acts once, when it hears of `event`."""

    def __init__(self, event: str, act: Callable[[], object]) -> None:
        self._event, self._act, self.acted = event, act, False

    def event(self, event: str, message: str, **fields: object) -> None:  # noqa: ARG002
        """Acts at the first such event."""
        if event == self._event and not self.acted:
            self.acted = True
            self._act()


class Halfway(Progress):
    """A progress that acts once, after the first bytes of a large file were hashed."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act, self.acted = act, False

    def advance(self, count: int) -> None:
        """Acts, the first time."""
        super().advance(count)
        if not self.acted and not self.sizing:
            self.acted = True
            self._act()


class SigningKey(Protocol):
    """Who signs: makes the bundle of a payload, and says how to trust it."""

    def bundle(self, payload: bytes, payload_type: str) -> Json:
        """A bundle around any payload."""

    def trusted(self) -> rules_of.Signer:
        """The policy's signer that accepts it."""


@dataclasses.dataclass(frozen=True)
class ByKey:
    """Signs with an elliptic-curve key."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, curve: ec.EllipticCurve | None = None) -> Self:
        return cls(ec.generate_private_key(curve or ec.SECP256R1()))

    @property
    def public_pem(self) -> str:
        return public_pem(self.key.public_key())

    def sign(self, message: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
        return self.key.sign(message, ec.ECDSA(algorithm or _FITTING[self.key.curve.name]))

    def bundle(self, payload: bytes, payload_type: str) -> Json:
        signature = self.sign(encoding(payload, payload_type))
        hint = hashlib.sha256(self.public_pem.encode()).hexdigest()
        material = {"publicKey": {"hint": hint}, "tlogEntries": []}
        return bundle_of(material, payload, payload_type, signature)

    def trusted(self) -> rules_of.Key:
        return rules_of.Key(rules_of.Material(text=self.public_pem))


@dataclasses.dataclass(frozen=True)
class ByCertificate:
    """Signs with the leaf of a chain."""

    chain: Chain
    identity: str | None = None

    def bundle(self, payload: bytes, payload_type: str) -> Json:
        key = self.chain.leaf.key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature = ByKey(key).sign(encoding(payload, payload_type))
        links = [{"rawBytes": b64(der)} for der in self.chain.sent()]
        material = {"x509CertificateChain": {"certificates": links}, "tlogEntries": []}
        return bundle_of(material, payload, payload_type, signature)

    def trusted(self) -> rules_of.Certificate:
        return rules_of.Certificate(rules_of.Material(text=self.chain.anchors()), self.identity)


@dataclasses.dataclass(frozen=True)
class BySigstore:
    """Signs through a private sigstore instance."""

    instance: PrivateSigstore
    identity: str = IDENTITY
    issuer: str = ISSUER
    fault: Fault | None = None

    def bundle(self, payload: bytes, payload_type: str) -> Json:
        text = self.instance.sign_statement(
            payload,
            identity=self.identity,
            issuer=self.issuer,
            payload_type=payload_type,
            fault=self.fault,
        )
        made: Json = json.loads(text)
        return made

    def trusted(self) -> rules_of.Keyless:
        root = rules_of.Material(text=self.instance.trusted_root())
        return rules_of.Keyless(ISSUER, IDENTITY, trust_root=root)


class Model:
    """A model with its signature, and the policy under which it is verified."""

    def __init__(
        self, parent: Path, files: Mapping[str, bytes] | None = None, *, name: str = "model"
    ) -> None:
        self.path = parent / name
        self.path.mkdir(parents=True)
        self.signature = self.path / "model.sig"
        self.rules = rules_of.ModelRules(str(self.path))
        self.signers: tuple[rules_of.Signer, ...] = ()
        self.by: SigningKey = ByKey.new()
        for file, data in (FILES if files is None else files).items():
            self.write(file, data)

    def write(self, name: str, data: bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    # Signing as people do.

    def sign_with_key(self, curve: ec.EllipticCurve | None = None, **how: Unpack[Hashing]) -> Self:
        self.by = by = ByKey.new(curve)
        with tempfile.TemporaryDirectory() as directory:
            key = Path(directory, "key.pem")
            key.write_bytes(private_pem(by.key))
            config = model_signing.signing.Config()  # type: ignore[no-untyped-call]
            config.use_elliptic_key_signer(private_key=key)
            config.set_hashing_config(self._hashing(**how))
            config.sign(self.path, self.signature)
        return self.trust()

    def sign_with_certificate(self, chain: Chain, **how: Unpack[Hashing]) -> Self:
        self.by = ByCertificate(chain)
        with tempfile.TemporaryDirectory() as directory:
            key, leaf, link = (Path(directory, name) for name in ("key", "leaf", "link"))
            key.write_bytes(private_pem(chain.leaf.key))
            leaf.write_bytes(pem(chain.leaf.certificate))
            link.write_bytes(b"".join(pem(each.certificate) for each in chain.between))
            config = model_signing.signing.Config()  # type: ignore[no-untyped-call]
            config.use_certificate_signer(
                private_key=key, signing_certificate=leaf, certificate_chain=[link]
            )
            config.set_hashing_config(self._hashing(**how))
            config.sign(self.path, self.signature)
        return self.trust()

    def sign_by_sigstore(self, instance: PrivateSigstore) -> Self:
        self.by = BySigstore(instance)
        instance.sign(self.path, self.signature, identity=IDENTITY, issuer=ISSUER)
        return self.trust()

    def _hashing(self, **how: Unpack[Hashing]) -> model_signing.hashing.Config:
        config = model_signing.hashing.Config()  # type: ignore[no-untyped-call]
        paths = [self.signature, *(self.path / name for name in how.get("ignore", ()))]
        config.set_ignored_paths(paths=paths, ignore_git_paths=how.get("ignore_git", True))
        config.set_allow_symlinks(how.get("allow_symlinks", False))
        return config

    # Signing by hand.

    def sign(self, by: SigningKey, form: Json | None = None) -> Self:
        """Signs the files that are there, by hand, to the letter of the specification."""
        self.by = by
        return self.resign(statement_of(contents(self.path), **(form or {}))).trust()

    def resign(self, statement: object, *, payload_type: str = IN_TOTO) -> Self:
        """Signs any statement properly: a JSON value, or bytes just as they are."""
        payload = statement if isinstance(statement, bytes) else json.dumps(statement).encode()
        return self.rewrite(self.by.bundle(payload, payload_type)).trust()

    def rewrite(self, bundle: Json | bytes) -> Self:
        """Puts another signature file in the place of the one that is there."""
        data = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        self.signature.write_bytes(data)
        return self

    def trust(self, *signers: rules_of.Signer) -> Self:
        """Trusts these signers, or the one who signed last; and lets the dust settle."""
        self.signers = signers or (self.by.trusted(),)
        return self.settle()

    def settle(self) -> Self:
        """Backdates all times, so that a change is seen however coarse the clock is."""
        for path in (self.path, *self.path.rglob("*")):
            os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS), follow_symlinks=False)
        return self

    @property
    def bundle(self) -> Json:
        read: Json = json.loads(self.signature.read_bytes())
        return read

    @property
    def statement(self) -> Json:
        payload = base64.b64decode(self.bundle["dsseEnvelope"]["payload"])
        read: Json = json.loads(payload)
        return read

    # Verifying.

    def allow(self, **rules: Unpack[Rules]) -> Self:
        """Changes the policy's rules for this model."""
        self.rules = dataclasses.replace(self.rules, **rules)
        return self

    def policy(self, mode: Mode = "enforce") -> rules_of.Policy:
        bare = rules_of.Policy((self.rules,), self.signers, mode)
        return document.finished(bare, document.encode(bare), "test")

    def policy_file(self, path: Path, mode: Mode = "enforce") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document.encode(self.policy(mode)))
        return path

    def verify(
        self,
        *,
        observer: Silent | None = None,
        progress: Progress | None = None,
        settings: Settings | None = None,
    ) -> Report:
        return verify(
            [self.policy()], settings or Settings(), observer or Silent(), progress or Progress()
        )


class Hashing(TypedDict, total=False):
    """How model_signing is to hash."""

    ignore: Iterable[str]
    ignore_git: bool
    allow_symlinks: bool


def expect(  # noqa: PLR0913
    model: Model,
    reason: Reason,
    code: Code | None = None,
    path: str = "",
    *,
    also: Sequence[tuple[Code, str]] = (),
    observer: Silent | None = None,
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> Report:
    """Verifies and asserts reason, verdict, exit code, and exactly these error findings."""
    report = model.verify(observer=observer, progress=progress, settings=settings)
    wanted = [*([(code, path)] if code is not None else []), *also]
    check(report, reason, *wanted)
    return report


def check(report: Report, reason: Reason, *errors: tuple[Code, str]) -> None:
    """Asserts what a report says: its reason, verdict, exit code, and its error findings."""
    found = [(f.code, f.path) for f in findings(report) if f.code.severity is Severity.ERROR]
    assert Counter(found) == Counter(errors), findings(report)
    assert report.reason is reason, findings(report)
    assert report.verdict is verdict_of(reason)
    assert report.exit_code == EXIT_CODES[reason.name]
    for finding in findings(report):
        assert finding.detail
    for model in report.models:
        assert (model.verdict is Verdict.TRUSTED) == (model.reason is Reason.VERIFIED)


def findings(report: Report, code: Code | None = None) -> list[Finding]:
    """All findings of a report, or those of one code."""
    found = [*report.findings, *(finding for model in report.models for finding in model.findings)]
    return [finding for finding in found if code in (None, finding.code)]


def verdict_of(reason: Reason) -> Verdict:
    """The verdict by the contract: 0 yes, 10 to 19 no, all others cannot tell."""
    code = EXIT_CODES[reason.name]
    if code == 0:
        return Verdict.TRUSTED
    return Verdict.REJECTED if code in range(10, 20) else Verdict.UNDETERMINED


# The real process.

COMMAND = (str(Path(sys.executable).with_name("model-verify")),)


def environment(**changes: str) -> dict[str, str]:
    """The environment of a process, without what would reach into it from outside."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MODEL_VERIFY")}
    return inherited | changes


def process(*arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[bytes]:
    """Runs `model-verify` with changes to the environment; waits for its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


def verify_process(
    model: Model, *arguments: str | Path, mode: Mode = "enforce", **changes: str
) -> tuple[int, Json]:
    """Verifies through `model-verify verify --policy`; returns exit code and JSON report."""
    with tempfile.TemporaryDirectory() as directory:
        policy = model.policy_file(Path(directory, "policy.json"), mode)
        ended = process("verify", "--policy", policy, "--output", "json", *arguments, **changes)
    report: Json = json.loads(ended.stdout)
    assert b"Traceback" not in ended.stderr
    return ended.returncode, report


def report_errors(report: Json) -> list[tuple[str, str]]:
    """Code and path of the error findings of a JSON report."""
    return [
        (finding["code"], finding["path"])
        for model in report["models"]
        for finding in model["findings"]
        if finding["severity"] == "error"
    ]


def as_nobody(work: Callable[[], _T]) -> _T:
    """Returns what `work` returns when it runs without any privilege.

    Root forks a child that gives up its rights; everybody else has none to give up. Whatever
    `work` imports must be imported already: the child may be unable to read the interpreter.
    """
    if os.geteuid() != 0:
        return work()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads: it only reads
        child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(write, pickle.dumps(work()))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    assert data, "the child without privilege failed"
    result: _T = pickle.loads(data)  # noqa: S301  (our own child's)
    return result


@contextlib.contextmanager
def public_directory() -> Iterator[Path]:
    """A directory that every user can reach; those of pytest are private."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextlib.contextmanager
def mode_of(path: Path, mode: int) -> Iterator[None]:
    """Gives `path` a mode for a while, so that it can be deleted afterwards."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


# Statements and bundles.


def contents(model: Path) -> dict[str, bytes]:
    """The files of a directory by name, without its signature and git's own."""
    return {
        str(path.relative_to(model)): path.read_bytes()
        for path in sorted(model.rglob("*"))
        if path.is_file() and path.name != "model.sig"
    }


def digest(data: bytes, algorithm: str = "sha256") -> str:
    """A digest by its name in the algorithm registry, lower-case hex."""
    if algorithm == "blake3":
        return blake3.blake3(data).hexdigest()
    return hashlib.new(algorithm, data).hexdigest()


def resource(name: str, data: bytes, algorithm: str = "sha256") -> Json:
    """One resource descriptor."""
    return {"name": name, "digest": digest(data, algorithm), "algorithm": algorithm}


def statement_of(
    files: Mapping[str, bytes],
    *,
    hash_type: str = "sha256",
    shard_size: int | None = None,
    **serialization: object,
) -> Json:
    """A statement to the letter of the specification, over files or over shards of them."""
    form: Json = {"method": "files", "hash_type": hash_type, "allow_symlinks": False}
    rows = [(name, data) for name, data in files.items()]
    if shard_size is not None:
        form |= {"method": "shards", "shard_size": shard_size}
        rows = [
            (f"{name}:{start}:{min(start + shard_size, len(data))}", data[start:][:shard_size])
            for name, data in files.items()
            for start in range(0, len(data), shard_size)
        ]
    resources = [resource(name, data, hash_type) for name, data in sorted(rows)]
    return statement_with(resources, form | serialization)


def statement_with(resources: list[Json], serialization: Json | None = None) -> Json:
    """A statement over any resources, whose root digest is right as far as there can be one."""
    form = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    return rooted(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "model", "digest": {"sha256": ""}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"serialization": serialization or form, "resources": resources},
        }
    )


def rooted(statement: Json) -> Json:
    """Makes the root digest of a statement right, after its resources were changed."""
    raw = b""
    for entry in statement["predicate"]["resources"]:
        with contextlib.suppress(TypeError, ValueError):
            raw += bytes.fromhex(entry["digest"])
    statement["subject"][0]["digest"]["sha256"] = digest(raw)
    return statement


def statement_v02(files: Mapping[str, bytes]) -> Json:
    """A statement as model_signing 0.2.0 wrote it."""
    subjects = [
        {
            "name": name,
            "digest": {"sha256": digest(data)},
            "annotations": {"actual_hash_algorithm": "file-sha256"},
        }
        for name, data in files.items()
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE_V02,
        "predicate": {"unused": "Unused, just passed due to API requirements"},
    }


def bundle_of(material: Json, payload: bytes, payload_type: str, signature: bytes) -> Json:
    """A bundle of these parts."""
    envelope = {
        "payload": b64(payload),
        "payloadType": payload_type,
        "signatures": [{"sig": b64(signature), "keyid": ""}],
    }
    return {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": envelope,
    }


def encoding(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """The pre-authentication encoding of DSSE v1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def faulty_encoding(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """The pre-authentication encoding as model_signing 0.2.0 and before wrote it."""
    return f"DSSEV1 {len(payload_type)} {payload_type} {len(payload)} {payload!r}".encode()


def b64(data: bytes) -> str:
    """Base64 text."""
    return base64.b64encode(data).decode()


def public_pem(key: ec.EllipticCurvePublicKey) -> str:
    """A public key as PEM text."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(key: object) -> bytes:
    """A private key as PEM, without a password."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
