"""The private instance is sound: sigstore accepts its bundles and refuses each fault."""

import json
from collections.abc import Iterator
from pathlib import Path

import model_signing
import pytest
from sigstore.dsse import Statement
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from tests.private_sigstore import Fault, PrivateSigstore

EMAIL = "signer@example.com"
WORKFLOW = "https://github.com/org/model/.github/workflows/release.yml@refs/tags/v1"
ISSUER = "https://accounts.google.com"
GITHUB = "https://token.actions.githubusercontent.com"

REFUSALS = {
    Fault.FOREIGN_CA: "failed to build timestamp certificate chain: .*candidates exhausted",
    Fault.NO_CODE_SIGNING: "Extended usage does not contain `code signing`",
    Fault.NO_SCT: "does not contain a signed certificate timestamp extension",
    Fault.FOREIGN_SCT: "SCT verify failed: keyring: invalid signature",
    Fault.LEAF_EXPIRED: "cert is not valid at validation time",
    Fault.LOGGED_BEFORE_LEAF: "cert is not valid at validation time",
    Fault.FOREIGN_SET: "SET: invalid inclusion promise: keyring: invalid signature",
    Fault.PROOF_OF_ANOTHER_LEAF: "inclusion proof contains invalid root hash: ",
    Fault.CHECKPOINT_OF_ANOTHER_TREE: "Inclusion proof contains invalid root hash signature",
    Fault.FOREIGN_CHECKPOINT: "checkpoint: invalid signature: keyring: invalid signature",
    Fault.ENTRY_OF_ANOTHER_ENVELOPE: "log entry payload hash does not match bundle",
    Fault.SIGNED_BY_ANOTHER_KEY: "DSSE: invalid signature",
}


@pytest.fixture(scope="module")
def sigstore() -> Iterator[PrivateSigstore]:
    with PrivateSigstore() as instance:
        yield instance


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_bytes(b"\x00\x01\x02")
    return path


def verify(
    sigstore: PrivateSigstore,
    bundle: str | bytes,
    tmp_path: Path,
    *,
    identity: str = EMAIL,
    issuer: str = ISSUER,
) -> tuple[str, bytes]:
    root = tmp_path / "trusted_root.json"
    root.write_text(sigstore.trusted_root(), encoding="utf-8")
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(root)))
    policy = Identity(identity=identity, issuer=issuer)
    return verifier.verify_dsse(Bundle.from_json(bundle), policy)


@pytest.mark.parametrize(("identity", "issuer"), [(EMAIL, ISSUER), (WORKFLOW, GITHUB)])
def test_a_signed_model_verifies(
    sigstore: PrivateSigstore, model: Path, tmp_path: Path, identity: str, issuer: str
) -> None:
    signature = model / "model.sig"
    sigstore.sign(model, signature, identity=identity, issuer=issuer)

    bundle = signature.read_bytes()
    payload_type, payload = verify(sigstore, bundle, tmp_path, identity=identity, issuer=issuer)

    assert json.loads(bundle)["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert payload_type == "application/vnd.in-toto+json"
    assert [r["name"] for r in json.loads(payload)["predicate"]["resources"]] == ["weights"]


def test_model_signing_accepts_the_trust_config(
    sigstore: PrivateSigstore, model: Path, tmp_path: Path
) -> None:
    sigstore.sign(model, model / "model.sig", identity=EMAIL, issuer=ISSUER)
    trust_config = tmp_path / "trust_config.json"
    trust_config.write_text(sigstore.trust_config(), encoding="utf-8")

    config = model_signing.verifying.Config()  # type: ignore[no-untyped-call]
    config.use_sigstore_verifier(identity=EMAIL, oidc_issuer=ISSUER, trust_config=trust_config)
    config.verify(model, model / "model.sig")


def test_the_inclusion_proof_is_not_trivial(sigstore: PrivateSigstore) -> None:
    # The log grows with every test: after a power of two, a proof has one hash, but not twice.
    entries = []
    for _ in range(2):
        bundle = json.loads(sigstore.sign_statement(b"{}", identity=EMAIL, issuer=ISSUER))
        entries += bundle["verificationMaterial"]["tlogEntries"]
    assert max(len(each["inclusionProof"]["hashes"]) for each in entries) > 1
    assert all(each["inclusionProof"]["logIndex"] != each["logIndex"] for each in entries)


def test_the_careless_client_signs_anything(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    bundle = sigstore.sign_statement(
        b"not a statement", identity=EMAIL, issuer=ISSUER, payload_type="text/plain"
    )
    assert verify(sigstore, bundle, tmp_path) == ("text/plain", b"not a statement")


def test_both_clients_make_the_same_bundle(sigstore: PrivateSigstore) -> None:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": "00" * 32}}],
        "predicateType": "https://example.com/v1",
        "predicate": {},
    }
    payload = json.dumps(statement).encode()
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(sigstore.trust_config()))
    with context.signer(IdentityToken(sigstore.identity_token(EMAIL, ISSUER))) as signer:
        real = json.loads(signer.sign_dsse(Statement(payload)).to_json())
    careless = json.loads(sigstore.sign_statement(payload, identity=EMAIL, issuer=ISSUER))

    assert _shape(careless) == _shape(real)


def test_every_fault_has_its_refusal() -> None:
    assert set(REFUSALS) == set(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_is_refused(
    sigstore: PrivateSigstore, model: Path, tmp_path: Path, fault: Fault
) -> None:
    signature = model / "model.sig"
    sigstore.sign(model, signature, identity=EMAIL, issuer=ISSUER, fault=fault)
    with pytest.raises(VerificationError, match=REFUSALS[fault]):
        verify(sigstore, signature.read_bytes(), tmp_path)


def test_another_identity_is_refused(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    bundle = sigstore.sign_statement(b"{}", identity="other@example.com", issuer=ISSUER)
    with pytest.raises(VerificationError, match="SANs do not match"):
        verify(sigstore, bundle, tmp_path)


def test_another_issuer_is_refused(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    bundle = sigstore.sign_statement(b"{}", identity=EMAIL, issuer="https://other.example.com")
    with pytest.raises(VerificationError, match="OIDCIssuer does not match"):
        verify(sigstore, bundle, tmp_path)


def test_another_instance_is_refused(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    with PrivateSigstore() as other:
        bundle = other.sign_statement(b"{}", identity=EMAIL, issuer=ISSUER)
    with pytest.raises(VerificationError, match="candidates exhausted"):
        verify(sigstore, bundle, tmp_path)


def _shape(value: object) -> object:
    """Returns the keys and types of a JSON value; a list stands for its first item."""
    if isinstance(value, dict):
        # Null and empty members are the same as none in protobuf's JSON.
        return {key: _shape(member) for key, member in value.items() if member}
    return [_shape(member) for member in value[:1]] if isinstance(value, list) else type(value)
