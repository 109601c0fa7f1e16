"""model-signing behind its adapter: each method, captured output, every error a finding."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from OpenSSL.crypto import X509StoreContextError
from sigstore.errors import CertValidationError, VerificationError

from tests.unit.signing import Signer, chain_material, leaf, resources, root, shards, statement
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules
from verifier_cli.signature import reference
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.verdict import Code, Evidence, Finding

TESTDATA = Path(__file__).parents[3] / "testdata"
FILES = {"a": b"1", "b/c": b"22"}
TRUST = TESTDATA / "trust"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "m"


def verify(
    model: Path,
    signer: Signer,
    *,
    signature: Path | None = None,
    rules: ModelRules | None = None,
) -> Evidence | Finding:
    policy = Key(Material(text="unused"), "us")
    path = str(signature or model / "model.sig")
    return ask(path, rules or ModelRules(str(model)), policy, signer.pem)


def ask(
    signature: str, rules: ModelRules, signer: Key | Certificate | Keyless, material: bytes
) -> Evidence | Finding:
    bundle = parse_bundle(Path(signature).read_bytes())
    return reference.verify(signature, bundle, rules, signer, material)


def test_a_sound_model(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    signer = Signer()
    signer.sign_tree(model, FILES)
    assert verify(model, signer) == Evidence("key", name="us")
    assert capfd.readouterr().out == "", "what the library prints would be taken for the report"


def test_nothing_is_written(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer()
    signer.sign_tree(model, FILES)
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert verify(model, signer) == Evidence("key", name="us")


def test_where_there_are_no_files_in_memory(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer()
    signer.sign_tree(model, FILES)
    monkeypatch.delattr(os, "memfd_create")
    assert verify(model, signer) == Evidence("key", name="us")


def test_a_signature_beside_the_model(model: Path, tmp_path: Path) -> None:
    signer = Signer()
    moved = signer.sign_tree(model, FILES).rename(tmp_path / "beside.sig")
    assert isinstance(verify(model, signer, signature=moved), Evidence)


def test_a_single_file() -> None:
    path = TESTDATA / "gguf/tiny.gguf"
    signature = TESTDATA / "gguf/tiny.gguf.sig"
    policy = Key(Material(text="unused"))
    pem = (TRUST / "key.pub").read_bytes()
    found = ask(str(signature), ModelRules(str(path)), policy, pem)
    assert isinstance(found, Evidence)


def test_a_planted_file_does_not_pass_in_the_next_model(tmp_path: Path) -> None:
    signer = Signer()
    for name in ("first", "second"):
        signer.sign_tree(tmp_path / name, FILES)
    (tmp_path / "second/planted").write_bytes(b"x")
    assert isinstance(verify(tmp_path / "first", signer), Evidence)
    assert isinstance(verify(tmp_path / "second", signer), Finding)


def test_the_policys_rules_about_the_tree(model: Path) -> None:
    signer = Signer()
    signer.sign_tree(model, FILES)
    (model / "extra").mkdir()
    (model / "extra/file").write_bytes(b"x")
    assert isinstance(verify(model, signer), Finding)
    ignoring = ModelRules(str(model), ignore_paths=("extra",))
    assert isinstance(verify(model, signer, rules=ignoring), Evidence)
    tolerant = ModelRules(str(model), ignore_unsigned_files=True)
    assert isinstance(verify(model, signer, rules=tolerant), Evidence)


@pytest.mark.parametrize("hash_type", ["blake2b", "blake3"])
def test_other_hashes(model: Path, hash_type: str) -> None:
    signer = Signer()
    signer.sign_tree(model, FILES)
    document = signer.bundle(statement(resources(FILES, hash_type), hash_type=hash_type))
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    # By itself it could not verify the BLAKE2b that it signs: it knows it by two names.
    assert isinstance(verify(model, signer), Evidence)
    (model / "a").write_bytes(b"2")
    assert isinstance(verify(model, signer), Finding)


def test_shards_are_refused_without_a_crash(model: Path) -> None:
    signer = Signer()
    signer.sign_tree(model, FILES)
    rows = shards(FILES, 1)
    document = signer.bundle(statement(rows, method="shards", shard_size=1))
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    assert isinstance(verify(model, signer), Finding)


DAMAGES: dict[str, tuple[Any, Code]] = {
    "file changed": (lambda m: (m / "a").write_bytes(b"2"), Code.FILE_MODIFIED),
    "file gone": (lambda m: (m / "a").unlink(), Code.FILE_MODIFIED),
    "file added": (lambda m: (m / "x").write_bytes(b"2"), Code.FILE_MODIFIED),
    "link": (lambda m: (m / "l").symlink_to("a"), Code.SYMLINK_FORBIDDEN),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damages(model: Path, name: str) -> None:
    damage, code = DAMAGES[name]
    signer = Signer()
    signer.sign_tree(model, FILES)
    damage(model)
    found = verify(model, signer)
    assert isinstance(found, Finding)
    assert found.code is code
    assert found.detail.startswith("model-signing refuses: ")


def test_another_key(model: Path) -> None:
    Signer().sign_tree(model, FILES)
    found = verify(model, Signer())
    assert isinstance(found, Finding)
    assert found.code is Code.KEY_MISMATCH


def test_a_broken_signature(model: Path) -> None:
    signer = Signer()
    path = signer.sign_tree(model, FILES)
    document = json.loads(path.read_text(encoding="utf-8"))
    broken = base64.b64encode(signer.signature(b"else")).decode()
    document["dsseEnvelope"]["signatures"][0]["sig"] = broken
    path.write_text(json.dumps(document), encoding="utf-8")
    found = verify(model, signer)
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_WRONG


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"predicate": []}', b"\xff"])
def test_what_is_no_statement(model: Path, payload: bytes) -> None:
    signer = Signer()
    model.mkdir()
    (model / "model.sig").write_text(json.dumps(signer.bundle(payload or b" ")), encoding="utf-8")
    assert isinstance(verify(model, signer), Finding)


def test_a_certificate(model: Path) -> None:
    authority = root()
    signed_by = leaf(authority)
    signer = Signer(signed_by.key)
    signer.sign_tree(model, FILES)
    chain = chain_material(signed_by.certificate)
    document = signer.bundle(statement(resources(FILES)), **chain)
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")

    def by(pem: bytes, identity: str | None) -> Evidence | Finding:
        policy = Certificate(Material(text="unused"), identity)
        return ask(str(model / "model.sig"), ModelRules(str(model)), policy, pem)

    named = by(authority.pem, "release@example.com")
    assert named == Evidence("certificate", identity="release@example.com")
    assert by(authority.pem, None) == Evidence("certificate", identity="CN=Release")
    # It does not know identities; the adapter does.
    other = by(authority.pem, "other@example.com")
    assert isinstance(other, Finding)
    assert other.code is Code.IDENTITY_MISMATCH
    found = by(root("Other").pem, "release@example.com")
    assert isinstance(found, Finding)
    assert found.code is Code.CHAIN_UNTRUSTED


@pytest.mark.parametrize(
    ("identity", "issuer", "code"),
    [
        ("release@example.com", "https://idp.example.com", None),
        ("other@example.com", "https://idp.example.com", Code.IDENTITY_MISMATCH),
        ("release@example.com", "https://other.example.com", Code.IDENTITY_MISMATCH),
    ],
)
def test_sigstore(identity: str, issuer: str, code: Code | None) -> None:
    path = TESTDATA / "savedmodel-sigstore"
    trust = (TRUST / "trust-config.json").read_bytes()
    signer = Keyless(issuer, identity=identity)
    found = ask(str(path / "model.sig"), ModelRules(str(path)), signer, trust)
    if code is None:
        assert found == Evidence("sigstore", identity=identity, issuer=issuer)
    else:
        assert isinstance(found, Finding)
        assert found.code is code


def test_an_expression_is_more_than_it_knows() -> None:
    path = TESTDATA / "savedmodel-sigstore"
    signer = Keyless("https://x", identity_regexp="a")
    with pytest.raises(ConfigError, match="identityRegexp: the reference engine knows exact"):
        ask(str(path / "model.sig"), ModelRules(str(path)), signer, b"")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidSignature(""), Code.SIGNATURE_WRONG),
        (CertValidationError("no"), Code.CHAIN_UNTRUSTED),
        (X509StoreContextError("no", [], None), Code.CHAIN_UNTRUSTED),  # type: ignore[arg-type]
        (VerificationError("no"), Code.SIGNATURE_WRONG),
        (PermissionError(13, "Permission denied"), Code.UNREADABLE),
        (KeyError("x"), Code.BUNDLE_MALFORMED),
        (TypeError(), Code.BUNDLE_MALFORMED),
        (ValueError("Key mismatch: a\nb"), Code.KEY_MISMATCH),
        (ValueError("Cannot use x as file or directory. Unreadable"), Code.UNREADABLE),
        (ValueError("the certificate cannot be used for signing"), Code.CERTIFICATE_PURPOSE),
    ],
)
def test_whatever_it_raises_is_a_finding_of_one_line(error: Exception, code: Code) -> None:
    found = reference._finding(error)
    assert found.code is code
    assert "\n" not in found.detail


def test_how_many_files_a_statement_lists() -> None:
    def count(document: object) -> int:
        return reference.claimed_files(json.dumps(document).encode())

    assert count(statement(resources(FILES))) == 2
    assert count(statement(shards(FILES, 1), method="shards", shard_size=1)) == 2
    assert count({"subject": [{"name": "a"}, {"name": "b"}], "predicate": {}}) == 2
    assert count(statement([])) == 0
