"""What is fed to each parser, what may leave it, and what must hold of what it accepts.

Only documented exceptions may leave a parser. Everything else, also a violated invariant, is a
crash. The modules under test are imported here, at the top, so that atheris can instrument them.
"""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import itertools
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.differential.workshop import (
    KeyPair,
    Silent,
    bundle,
    digest_of,
    encode,
    issue,
    plant,
    resources_of,
    seal_by,
    shards_of,
    statement,
    statement_v02,
)
from verifier_cli import runs
from verifier_cli.claims import describe, read_claims, suggest
from verifier_cli.config import document, manifest, material, reader, strictyaml
from verifier_cli.config.loaded import Loaded
from verifier_cli.errors import ConfigError
from verifier_cli.inputs import Malformed, sha256_hex, strict_json
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules, Policy
from verifier_cli.report.document import from_document, printable, to_document
from verifier_cli.signature import certificate, envelope, key, keyless
from verifier_cli.signature import statement as statements
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.signature.statement import decode_statement
from verifier_cli.verdict import ModelReport, Report, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier_cli.policy import Signer
    from verifier_cli.signature.serialization import Piece
    from verifier_cli.signature.statement import SignedManifest

ROOT = Path(__file__).parents[2]
CORPUS, TESTDATA = ROOT / "tests" / "corpus", ROOT / "testdata"
# They load late by themselves; here they are loaded so that they can be instrumented.
INSTRUMENTED = (certificate, envelope, key, keyless, statements, manifest, strictyaml)

FILES = {"a.txt": b"a", "a/b": b"b", "weights": bytes(range(256)) * 10, "ünïcode": b""}


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        run: tries one input; returns whether it was accepted, raises if anything is wrong.
        seeds: good inputs to start from; most of them are accepted.
    """

    name: str
    run: Callable[[bytes], bool]
    seeds: Callable[[], list[bytes]]


def check(holds: object, what: str) -> None:
    """Raises if an invariant does not hold."""
    if not holds:
        raise AssertionError(what)


# --- signature file -------------------------------------------------------------------------


def run_bundle(raw: bytes) -> bool:
    """Parses a signature file, and says what `inspect` says of it."""
    try:
        parsed = parse_bundle(raw)
    except Malformed:
        try:
            read_claims(raw)
        except Malformed:
            return False
        raise AssertionError("inspect reads what verify does not") from None
    check(parsed.raw == raw, "the raw bytes are kept")
    check(parsed.payload_type == "application/vnd.in-toto+json", "payload type")
    check(parsed.method in ("key", "certificate", "sigstore"), "method")
    check((parsed.method == "key") == (not parsed.certificates), "certificates go with a method")
    check(strict_json(raw)["dsseEnvelope"]["payload"] == _b64(parsed.payload), "payload")
    claims = read_claims(raw)
    described = describe(claims)
    check(described["verified"] is False, "nothing is verified by looking")
    check(json.dumps(printable(described)).isprintable(), "what is shown is printable")
    try:
        suggested = suggest(claims)
    except Malformed:
        return True
    text = strictyaml.dump(printable(suggested.manifest))
    check(text, "a suggestion can be written")
    return True


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@functools.cache
def bundles() -> list[bytes]:
    """Signature files of every release and of each method."""
    paths = sorted([*CORPUS.glob("bundles/*/*.sig"), *TESTDATA.glob("**/*.sig")])
    return [path.read_bytes() for path in paths]


# --- statement ------------------------------------------------------------------------------


def run_statement(raw: bytes) -> bool:
    """Decodes a signed statement."""
    try:
        decoded = decode_statement(raw)
    except Malformed:
        return False
    check_manifest(decoded, json.loads(raw))
    return True


def check_manifest(decoded: SignedManifest, signed: dict[str, Any]) -> None:
    """What holds of everything that was accepted, told from the JSON by other means."""
    for name, pieces in decoded.files.items():
        check(name == "." or _is_plain(name), f"the name {name!r} is not normalised")
        _check_pieces(pieces, sharded=decoded.sharded, hash_type=decoded.hash_type)
    for path in decoded.ignore_paths:
        check(_is_plain(path), f"the ignore path {path!r} is not normalised")
        check(not set(path) & set("*?["), f"the ignore path {path!r} is a glob")
    check(isinstance(decoded.allow_symlinks, bool), "allow_symlinks")
    if decoded.format == "v0.2":
        rows = [entry["digest"]["sha256"] for entry in signed["subject"]]
        names = [entry["name"] for entry in signed["subject"]]
    else:
        rows = [entry["digest"] for entry in signed["predicate"]["resources"]]
        names = [entry["name"] for entry in signed["predicate"]["resources"]]
        check(signed["subject"][0]["digest"]["sha256"] == decoded.root_digest, "root digest")
    check(len(set(names)) == len(names), "a name stands there twice")
    check(sum(map(len, decoded.files.values())) == len(names), "an entry was lost")
    root = hashlib.sha256(b"".join(map(bytes.fromhex, rows))).hexdigest()
    check(root == decoded.root_digest, "the root digest is that of the entries")


def _is_plain(name: str) -> bool:
    parts = name.split("/")
    return "\0" not in name and not {"", ".", ".."} & set(parts) and bool(name.encode())


def _check_pieces(pieces: tuple[Piece, ...], *, sharded: bool, hash_type: str) -> None:
    size = {"sha256": 32, "blake2b": 64, "blake3": 32}[hash_type]
    check(all(len(piece.digest) == size for piece in pieces), "digest size")
    if not sharded:
        check([(piece.start, piece.end) for piece in pieces] == [(0, None)], "one whole piece")
        return
    check(pieces[0].start == 0, "the shards start at 0")
    for before, after in itertools.pairwise(pieces):
        check(before.end == after.start, "the shards leave a gap or overlap")
    lengths = [(piece.end or 0) - piece.start for piece in pieces]
    check(all(length == lengths[0] for length in lengths[:-1]), "unequal shards")
    check(0 < lengths[-1] <= lengths[0], "the last shard")


@functools.cache
def payloads() -> list[bytes]:
    """Signed statements of every release, and some by hand."""
    found = {parse_bundle(raw).payload for raw in bundles()}
    by_hand = [
        statement(resources_of(FILES)),
        statement(resources_of(FILES, "blake3"), hash_type="blake3", ignore_paths=["x", "y/z"]),
        statement(shards_of(FILES, 1000), method="shards", shard_size=1000, allow_symlinks=True),
        statement_v02(FILES),
    ]
    return sorted(found) + [encode(signed) for signed in by_hand]


# --- policies -------------------------------------------------------------------------------


def run_policy(raw: bytes) -> bool:
    """Decodes a policy document."""
    try:
        policy = document.decode(raw, "fuzz")
    except ConfigError as error:
        _check_error(error)
        return False
    check(policy.sha256 == sha256_hex(raw), "the digest is that of the bytes")
    _check_policy(policy)
    return True


def run_manifest(raw: bytes) -> bool:
    """Reads a file of policies: YAML or JSON, ModelValidations, ConfigMaps, documents."""
    try:
        found = reader.parse(raw, "fuzz")
    except ConfigError as error:
        _check_error(error)
        return False
    check(found, "at least one policy")
    for parsed in found:
        _check_policy(parsed.policy)
    return True


def _check_error(error: ConfigError) -> None:
    check(error.problems, "an error names a problem")
    check(all(problem.detail for problem in error.problems), "a problem says what is wrong")


def _check_policy(policy: Policy) -> None:
    check(policy.models, "a policy has models")
    check(policy.signers, "a policy has signers")
    check(policy.timeout_seconds > 0, "time limit")
    for rules in policy.models:
        check(rules.path is None or rules.path.startswith("/"), "absolute paths")
        check(rules.path is not None or rules.discover, "a path, or discovery")
    for signer in policy.signers:
        _check_signer(signer)
    again = document.decode(document.encode(policy), "fuzz")
    check((again.models, again.signers) == (policy.models, policy.signers), "it is read back")
    check((again.mode, again.timeout_seconds) == (policy.mode, policy.timeout_seconds), "rules")
    try:
        material.check_inline(policy)
    except ConfigError as error:
        _check_error(error)


def _check_signer(signer: Signer) -> None:
    if isinstance(signer, Keyless):
        check(signer.issuer.startswith("https://"), "an issuer")
        check((signer.identity is None) != (signer.identity_regexp is None), "an identity")
        check(signer.identity != "", "an identity that is not empty")
    else:
        given = signer.public_key if isinstance(signer, Key) else signer.trust_anchors
        check((given.text is None) != (given.path is None), "material, once")


@functools.cache
def manifests() -> list[bytes]:
    """ModelValidations, ConfigMaps and documents, as YAML and as JSON."""
    found = [path.read_bytes() for path in sorted(TESTDATA.glob("policies/*.yaml"))]
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"policy.json": policies()[0].decode()},
    }
    found += [encode(strictyaml.load_all(raw)[0]) for raw in found]
    found += [encode(config_map), strictyaml.dump(config_map).encode()]
    found += [_SIGNERS, _PREDECESSOR, b"---\n".join((_SIGNERS, _PREDECESSOR))]
    return found + [strictyaml.dump(json.loads(raw)).encode() for raw in policies()]


_PREDECESSOR = b"""apiVersion: rhtas.redhat.com/v1alpha1
kind: ModelValidation
metadata:
  name: demo
spec:
  config:
    sigstoreConfig:
      certificateIdentity: "https://github.com/org/model/.github/workflows/sign.yaml@refs/tags/v1"
      certificateOidcIssuer: "https://token.actions.githubusercontent.com"
    clientTrustConfig:
      trustConfigPath: /trust/config.json
  model:
    path: /data/model
    signaturePath: /data/model/model.sig
"""
_SIGNERS = b"""apiVersion: ml.sigstore.dev/v1alpha1
kind: ClusterModelValidation
metadata: {name: all, labels: {a: b}}
spec:
  mode: warn
  timeoutSeconds: 60
  mounts: Preserve
  selector: {matchLabels: {x: "y"}}
  namespaceSelector: {matchExpressions: [{key: x, operator: In, values: [y, z]}]}
  resources: {limits: {memory: 1Gi}}
  models:
  - {path: /data/a, ignorePaths: [log], ignoreGitPaths: false, allowSymlinks: true}
  - {discover: true}
  signers:
  - name: k
    key: {publicKey: {path: /trust/key.pub, sha256: "%s"}}
  - certificate: {trustAnchors: {path: /trust/ca.pem}, identity: a@example.com}
  - sigstore: {issuer: "https://a.example", identityRegexp: ".*@example[.]com"}
""" % (b"0" * 64)


@functools.cache
def policies() -> list[bytes]:
    """Policy documents."""
    models = (
        ModelRules("/data/a", "/data/a/model.sig", ("log", "x/y"), ignore_unsigned_files=True),
        ModelRules(None, discover=True, allow_symlinks=True, ignore_git_paths=False),
    )
    trust = (TESTDATA / "trust" / "trust-config.json").read_text(encoding="utf-8")
    signers: tuple[Signer, ...] = (
        Key(Material(text=pem("key.pub")), "k"),
        Key(Material(path="/trust/key.pub", sha256="0" * 64)),
        Certificate(Material(text=pem("ca.pem")), "a@example.com", require_code_signing=False),
        Keyless("https://a.example", "a@example.com", trust_root=Material(text=trust)),
        Keyless("https://a.example", identity_regexp=".*@example[.]com"),
    )
    whole = Policy(models, signers, "warn", 60)
    return [
        document.encode(whole),
        *(document.encode(Policy(models[:1], (signer,))) for signer in signers),
    ]


def pem(name: str) -> str:
    """Trust material of testdata."""
    return (TESTDATA / "trust" / name).read_text(encoding="ascii")


# --- trust material -------------------------------------------------------------------------


def run_key(raw: bytes) -> bool:
    """Parses public keys."""
    try:
        found = material.public_keys(Loaded(raw, "fuzz"))
    except ConfigError as error:
        _check_error(error)
        return False
    check(found, "at least one key")
    for each in found:
        check(each.curve.name in material.CURVES, "a curve that is known")
    return True


def run_certificates(raw: bytes) -> bool:
    """Parses trust anchors."""
    try:
        check(material.certificates(Loaded(raw, "fuzz")), "at least one certificate")
    except ConfigError as error:
        _check_error(error)
        return False
    return True


def run_trust_root(raw: bytes) -> bool:
    """Verifies a good bundle under any trust root."""
    good = _good("sigstore")
    path = good.signature.with_name("trust-root.json")
    path.write_bytes(raw)
    try:
        root = Material(path=str(path))
        said = good.verify(Keyless(_ISSUER, _IDENTITY, trust_root=root))
    except ConfigError as error:
        _check_error(error)
        return False
    return said.verdict is Verdict.TRUSTED


# --- signed by a real key, then changed -----------------------------------------------------

_IDENTITY, _ISSUER = "release@example.com", "https://idp.example.com"


@dataclass(frozen=True)
class Good:
    """A model with a signature that is good, until it is overwritten."""

    model: Path
    signature: Path
    signer: Signer
    raw: bytes

    def verify(self, signer: Signer | None = None) -> ModelReport:
        """Verifies what is there."""
        rules = ModelRules(str(self.model), str(self.signature))
        policy = Policy((rules,), (signer or self.signer,), local=True)
        return runs.verify([policy], runs.Settings(), Silent(), Progress()).models[0]

    def verify_with(self, raw: bytes) -> ModelReport:
        """Verifies the model with another signature."""
        self.signature.write_bytes(raw)
        try:
            return self.verify()
        finally:
            self.signature.write_bytes(self.raw)


@functools.cache
def _good(method: str) -> Good:
    work = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    signature = work / "model.sig"
    if method == "sigstore":
        source = TESTDATA / "savedmodel-sigstore"
        files = {
            path.relative_to(source).as_posix(): path.read_bytes()
            for path in source.rglob("*")
            if path.is_file() and path.name != "model.sig"
        }
        raw = (source / "model.sig").read_bytes()
        trust = (TESTDATA / "trust" / "trust-config.json").read_text(encoding="utf-8")
        signer: Signer = Keyless(_ISSUER, _IDENTITY, trust_root=Material(text=trust))
    else:
        files = FILES
        raw = encode(signers()[method].seal(encode(statement(resources_of(FILES)))))
        signer = signers()[method].signer
    plant(work / "model", files)
    signature.write_bytes(raw)
    return Good(work / "model", signature, signer, raw)


@dataclass(frozen=True)
class Sealer:
    """Signs anything with a real key."""

    signer: Signer
    seal: Callable[[bytes], dict[str, Any]]


@functools.cache
def signers() -> dict[str, Sealer]:
    """A key, and a certificate under an authority."""
    pair = KeyPair(Path(tempfile.mkdtemp(prefix="fuzz-")))
    root = issue("root", ca=True, key_ids=True)
    leaf = issue("leaf", root, names=[x509.RFC822Name(_IDENTITY)], key_ids=True)
    for path in (pair.private_path, pair.public_path):
        path.unlink()
    pair.directory.rmdir()
    return {
        "key": Sealer(pair.signer, pair.seal),
        "certificate": Sealer(
            Certificate(Material(text=root.pem.decode()), _IDENTITY),
            lambda payload: seal_by(leaf, payload),
        ),
    }


def _run_changed_bundle(method: str, raw: bytes) -> bool:
    """A changed bundle is trusted only if it still holds the very statement that was signed."""
    good = _good(method)
    said = good.verify_with(raw)
    if said.verdict is not Verdict.TRUSTED:
        check(said.reason.name != "INTERNAL", "a bundle leads to a bug")
        return False
    check(parse_bundle(raw).payload == parse_bundle(good.raw).payload, "another statement")
    return True


def _run_changed_payload(method: str, raw: bytes) -> bool:
    """A changed statement, signed again, is trusted only if it lists exactly what is there."""
    good = _good(method)
    said = good.verify_with(encode(signers()[method].seal(raw)))
    if said.verdict is not Verdict.TRUSTED:
        check(said.reason.name != "INTERNAL", "a statement leads to a bug")
        return False
    decoded = decode_statement(raw)
    check_manifest(decoded, json.loads(raw))
    there = {
        name: digest_of(data, decoded.hash_type)
        for name, data in FILES.items()
        if not any(f"{name}/".startswith(f"{path}/") for path in decoded.ignore_paths)
    }
    check(set(decoded.files) == set(there), "a statement about other files is trusted")
    if not decoded.sharded:
        listed = {name: pieces[0].digest.hex() for name, pieces in decoded.files.items()}
        check(listed == there, "a statement about something else is trusted")
    return True


def run_leaf(raw: bytes) -> bool:
    """Verifies by a certificate that says anything, with a signature that its key made."""
    good = _good("certificate")
    sealed = json.loads(good.raw)
    chain = sealed["verificationMaterial"]["x509CertificateChain"]["certificates"]
    original = base64.b64decode(chain[0]["rawBytes"])
    chain[0]["rawBytes"] = _b64(raw)
    changed = encode(sealed)
    if raw:
        try:
            described = describe(read_claims(changed))
        except Malformed:
            described = {}
        check(json.dumps(printable(described)).isprintable(), "what is shown is printable")
    said = good.verify_with(changed)
    if said.verdict is Verdict.TRUSTED:
        check(raw == original, "a changed certificate is trusted")
        return True
    check(said.reason.name != "INTERNAL", "a certificate leads to a bug")
    return False


def leaves() -> list[bytes]:
    """Leaves of every kind, the trusted one first."""
    raws = [_good("certificate").raw, *bundles()]
    return list(dict.fromkeys(der for raw in raws for der in parse_bundle(raw).certificates))


# --- report ---------------------------------------------------------------------------------


def run_report(raw: bytes) -> bool:
    """Reads a report back."""
    try:
        value = strict_json(raw)
    except Malformed:
        return False
    try:
        report = from_document(value)
    except (KeyError, ValueError, TypeError):
        return False
    _check_report(report)
    return True


def _check_report(report: Report) -> None:
    try:
        written = to_document(report)
    except (AttributeError, TypeError, ValueError, KeyError):
        # Fields that nobody looked at may hold anything; a report of ours never does.
        return
    again = to_document(from_document(written))
    check(again == written, "what is written is read back")


@functools.cache
def reports() -> list[bytes]:
    """Reports of good and bad models."""
    found = []
    for name in ("savedmodel-key", "savedmodel-tampered", "savedmodel-unsigned", "gguf"):
        model = TESTDATA / name
        path = model / "tiny.gguf" if name == "gguf" else model
        rules = ModelRules(str(path), f"{path}.sig" if name == "gguf" else str(path / "model.sig"))
        policy = Policy((rules,), (Key(Material(text=pem("key.pub"))),), sha256="0" * 64)
        report = runs.verify([policy], runs.Settings(), Silent(), Progress())
        found.append(encode(to_document(report)))
    return found


def _pems() -> list[bytes]:
    names = ("key.pub", "other-key.pub")
    keys = [pem(name).encode() for name in names]
    keys += [path.read_bytes() for path in sorted(CORPUS.glob("keys/*.pub"))]
    return [*keys, b"".join(keys)]


def _anchors() -> list[bytes]:
    found = [pem("ca.pem").encode(), pem("other-ca.pem").encode()]
    found.append((CORPUS / "keys" / "root.pem").read_bytes())
    found += [
        x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
        for der in leaves()[:3]
    ]
    return [*found, b"".join(found)]


def _roots() -> list[bytes]:
    config = (TESTDATA / "trust" / "trust-config.json").read_bytes()
    return [config, encode(json.loads(config)["trustedRoot"])]


def _statements() -> list[bytes]:
    return [encode(statement(resources_of(FILES))), *payloads()[-4:]]


def _junk_bundles(method: str) -> list[bytes]:
    unsigned = bundle(b"{}", b"junk", {"publicKey": {}})
    return [_good(method).raw, encode(unsigned), *bundles()[-3:]]


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("bundle", run_bundle, bundles),
        Target("statement", run_statement, payloads),
        Target("policy", run_policy, policies),
        Target("manifest", run_manifest, manifests),
        Target("key", run_key, _pems),
        Target("certificates", run_certificates, _anchors),
        Target("leaf", run_leaf, leaves),
        Target("trust-root", run_trust_root, _roots),
        Target("report", run_report, reports),
        *(
            Target(
                f"changed-{method}-bundle",
                functools.partial(_run_changed_bundle, method),
                functools.partial(_junk_bundles, method),
            )
            for method in ("key", "certificate", "sigstore")
        ),
        Target("changed-key-payload", functools.partial(_run_changed_payload, "key"), _statements),
    )
}
