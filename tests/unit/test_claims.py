"""What a signature says of itself, and the policy that would accept exactly this signer."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.conftest import REPOSITORY
from tests.unit.signing import (
    CODE_SIGNING,
    Issued,
    Signer,
    chain_material,
    issue,
    key_usage,
    leaf,
    resources,
    root,
    statement,
)
from verifier_cli.claims import describe, read_claims, suggest
from verifier_cli.config import manifest
from verifier_cli.host.logs import Log
from verifier_cli.inputs import Malformed
from verifier_cli.model.progress import Progress
from verifier_cli.policy import ModelRules, Policy
from verifier_cli.runs import Settings, verify
from verifier_cli.verdict import Reason, Report

if TYPE_CHECKING:
    from pathlib import Path

TESTDATA = REPOSITORY / "testdata"
FILES = {"a": b"1", "d/b": b"22"}
SIGNER = Signer()


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def test_a_key() -> None:
    raw = encoded(SIGNER.bundle(statement(resources(FILES), ignore_paths=["x"])))
    found = describe(read_claims(raw))
    assert found["verified"] is False
    assert (found["method"], found["fault"]) == ("key", None)
    assert found["signer"] == {"keySha256": SIGNER.hint}
    assert found["statement"]["files"] == ["a", "d/b"]
    assert found["statement"]["ignorePaths"] == ["x"]
    assert (found["statement"]["format"], found["statement"]["hashType"]) == ("v1.0", "sha256")
    assert (found["logIndex"], found["loggedAt"]) == (None, None)


def test_a_key_that_comes_with_the_signature() -> None:
    material = {"rawBytes": b64encode(SIGNER.pem).decode()}
    raw = encoded(SIGNER.bundle(statement(resources(FILES)), publicKey=material))
    assert describe(read_claims(raw))["signer"] == {"keySha256": SIGNER.hint}


def test_a_certificate() -> None:
    found = describe(read_claims((TESTDATA / "savedmodel-certificate/model.sig").read_bytes()))
    assert found["method"] == "certificate"
    assert "release@example.com" in found["signer"]["identities"]
    assert "Model Release" in found["signer"]["subject"]
    assert found["signer"]["issuedBy"]
    assert found["signer"]["validUntil"].startswith("21")


def test_sigstore() -> None:
    found = describe(read_claims((TESTDATA / "savedmodel-sigstore/model.sig").read_bytes()))
    assert found["method"] == "sigstore"
    assert found["signer"]["identities"] == ["release@example.com"]
    assert found["signer"]["issuer"] == "https://idp.example.com"
    assert found["logIndex"] is not None
    assert found["loggedAt"].endswith("Z")


def test_a_statement_that_cannot_be_read() -> None:
    found = describe(read_claims(encoded(SIGNER.bundle({"_type": "x"}))))
    assert "statement" not in found
    assert "_type is 'x'" in found["fault"]


def test_a_certificate_that_cannot_be_read() -> None:
    chain = {"certificates": [{"rawBytes": "YWJj"}]}
    document = SIGNER.bundle(statement(resources(FILES)), x509CertificateChain=chain)
    claims = read_claims(encoded(document))
    found = describe(claims)
    assert "certificate" in found["fault"]
    assert found["signer"] == {}
    with pytest.raises(Malformed, match="certificate"):
        suggest(claims)


def test_what_is_no_bundle() -> None:
    with pytest.raises(Malformed):
        read_claims(b"{}")


def judged(policy: Policy, model: Path) -> Report:
    """Verifies a model under the signers of a suggested policy."""
    import io

    held = Policy((ModelRules(str(model)),), policy.signers, sha256=policy.sha256, source="x")
    return verify([held], Settings(), Log(io.StringIO()), Progress())


def suggested(raw: bytes, trust: dict[str, Any] | None = None) -> Policy:
    """The policy of the suggestion, with what it says that is still to be done."""
    found = suggest(read_claims(raw)).manifest
    for field, value in (trust or {}).items():
        section, _, name = field.partition(".")
        found["spec"]["config"].setdefault(section, {})[name] = value
    return manifest.decode(found, "suggested").policy


def sign(model: Path, signer: Signer, *chain: Issued, **material: Any) -> bytes:  # noqa: ANN401
    path = signer.sign_tree(model, FILES)
    if chain:
        material = chain_material(*(each.certificate for each in chain))
    raw = encoded(signer.bundle(statement(resources(FILES)), **material))
    path.write_bytes(raw)
    return raw


def test_the_key_that_comes_with_the_signature_and_no_other(tmp_path: Path) -> None:
    material = {"rawBytes": b64encode(SIGNER.pem).decode()}
    policy = suggested(sign(tmp_path / "m", SIGNER, publicKey=material))
    assert judged(policy, tmp_path / "m").reason is Reason.VERIFIED
    sign(tmp_path / "other", Signer())
    assert judged(policy, tmp_path / "other").reason is Reason.SIGNER_UNTRUSTED


def test_a_key_in_der_is_not_put_into_a_policy() -> None:
    der = SIGNER.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    material = {"rawBytes": b64encode(der).decode()}
    raw = encoded(SIGNER.bundle(statement(resources(FILES)), publicKey=material))
    found = suggest(read_claims(raw))
    assert found.manifest["spec"]["config"] == {"publicKeyConfig": {"keyPath": "/trust/key.pub"}}


def test_the_key_that_the_signature_names_and_no_other(tmp_path: Path) -> None:
    raw = sign(tmp_path / "m", SIGNER)
    assert any(SIGNER.hint in note for note in suggest(read_claims(raw)).to_do)
    key = tmp_path / "key.pub"
    key.write_bytes(SIGNER.pem)
    policy = suggested(raw, {"publicKeyConfig.keyPath": str(key)})
    assert judged(policy, tmp_path / "m").reason is Reason.VERIFIED
    sign(tmp_path / "other", Signer())
    assert judged(policy, tmp_path / "other").reason is Reason.SIGNER_UNTRUSTED


def test_a_key_that_is_not_named_must_be_found_out() -> None:
    raw = encoded(SIGNER.bundle(statement(resources(FILES)), publicKey={}))
    assert any("(not named)" in note for note in suggest(read_claims(raw)).to_do)


@pytest.mark.parametrize("with_root", [True, False])
def test_the_certificate_and_no_other(tmp_path: Path, *, with_root: bool) -> None:
    authority = root()
    signed_by, colleague = (
        leaf(authority),
        leaf(
            authority,
            "Other",
            extensions=[
                key_usage("digital_signature"),
                CODE_SIGNING,
            ],
        ),
    )
    chain = (signed_by, authority) if with_root else (signed_by,)
    raw = sign(tmp_path / "m", Signer(signed_by.key), *chain)
    trust = {}
    if not with_root:
        assert any("CN=Root" in note for note in suggest(read_claims(raw)).to_do)
        (tmp_path / "ca.pem").write_bytes(authority.pem)
        trust["pkiConfig.certificateAuthority"] = str(tmp_path / "ca.pem")
    policy = suggested(raw, trust)
    assert judged(policy, tmp_path / "m").reason is Reason.VERIFIED
    sign(tmp_path / "colleague", Signer(colleague.key), colleague)
    assert judged(policy, tmp_path / "colleague").reason is Reason.SIGNER_UNTRUSTED
    stranger = leaf(root())
    sign(tmp_path / "stranger", Signer(stranger.key), stranger)
    assert judged(policy, tmp_path / "stranger").reason is Reason.SIGNER_UNTRUSTED


def test_a_self_signed_certificate(tmp_path: Path) -> None:
    signed_by = leaf(None, "Self")
    policy = suggested(sign(tmp_path / "m", Signer(signed_by.key), signed_by))
    assert judged(policy, tmp_path / "m").reason is Reason.VERIFIED


def test_a_leaf_with_the_name_of_its_issuer_is_not_taken_for_a_root() -> None:
    # As GnuTLS makes it: only the key identifiers tell the two apart.
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    above, own = (x509.SubjectKeyIdentifier.from_public_key(key.public_key()) for key in keys)
    authority = issue("Test", key=keys[0], ca=True, extensions=[above])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
    extensions = [key_usage("digital_signature"), CODE_SIGNING, issuer, own]
    signed_by = issue("Test", authority, key=keys[1], ca=True, extensions=extensions)
    chain = chain_material(signed_by.certificate)
    raw = encoded(Signer(signed_by.key).bundle(statement(resources(FILES)), **chain))
    found = suggest(read_claims(raw))
    assert found.manifest["spec"]["config"]["pkiConfig"]["certificateAuthority"] == "/trust/ca.pem"
    assert any("put the root there" in note for note in found.to_do)


def test_a_leaf_that_names_nobody_is_not_suggested() -> None:
    nameless = leaf(root(), "", extensions=[key_usage("digital_signature"), CODE_SIGNING])
    chain = chain_material(nameless.certificate)
    raw = encoded(Signer(nameless.key).bundle(statement(resources(FILES)), **chain))
    with pytest.raises(Malformed, match="names no identity"):
        suggest(read_claims(raw))


def test_the_identity_at_its_issuer_and_no_other() -> None:
    model = TESTDATA / "savedmodel-sigstore"
    trust = {"clientTrustConfig.trustConfigPath": str(TESTDATA / "trust/trust-config.json")}
    raw = (model / "model.sig").read_bytes()
    policy = suggested(raw, trust)
    assert judged(policy, model).reason is Reason.VERIFIED
    for other in ("savedmodel-other-identity", "huggingface-sigstore"):
        assert judged(policy, TESTDATA / other).reason is Reason.SIGNER_UNTRUSTED
    assert any("clientTrustConfig" in note for note in suggest(read_claims(raw)).to_do)
    # Without the private instance's root the public one is trusted, which knows nobody here.
    assert judged(suggested(raw), model).reason is Reason.SIGNER_UNTRUSTED


def test_a_sigstore_certificate_without_identity_or_issuer() -> None:
    issuer = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), b"https://idp.example.com"
    )
    either: list[list[x509.ExtensionType]] = [
        [],
        [x509.SubjectAlternativeName([x509.RFC822Name("a@example.com")])],
        [issuer],
    ]
    for extensions in either:
        certificate = leaf(root(), extensions=extensions).certificate
        der = certificate.public_bytes(serialization.Encoding.DER)
        material = {"certificate": {"rawBytes": b64encode(der).decode()}}
        claims = read_claims(encoded(SIGNER.bundle(statement(resources(FILES)), **material)))
        with pytest.raises(Malformed):
            suggest(claims)
    broken = {"certificate": {"rawBytes": "YWJj"}}
    with pytest.raises(Malformed):
        suggest(read_claims(encoded(SIGNER.bundle(statement(resources(FILES)), **broken))))
