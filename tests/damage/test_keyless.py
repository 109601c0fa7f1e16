"""The sigstore method, against a private instance: nothing of sigstore is patched."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    IDENTITY,
    ISSUER,
    ByKey,
    BySigstore,
    Json,
    Model,
    b64,
    expect,
    findings,
    statement_of,
)
from tests.private_sigstore import Fault, PrivateSigstore
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Keyless, Material
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRONG = (Reason.SIGNATURE_INVALID, Code.SIGNATURE_WRONG)
MALFORMED = (Reason.SIGNATURE_INVALID, Code.BUNDLE_MALFORMED)
STRANGER = (Reason.SIGNER_UNTRUSTED, Code.IDENTITY_MISMATCH)


@pytest.fixture(scope="module")
def instance() -> Iterator[PrivateSigstore]:
    with PrivateSigstore() as sigstore:
        yield sigstore


@pytest.fixture
def model(tmp_path: Path, instance: PrivateSigstore) -> Model:
    return Model(tmp_path).sign(BySigstore(instance))


def signer(model: Model) -> Keyless:
    (found,) = model.signers
    assert isinstance(found, Keyless)
    return found


def trusting(model: Model, **changes: object) -> Model:
    model.signers = (dataclasses.replace(signer(model), **changes),)  # type: ignore[arg-type]
    return model


def test_a_model_signed_by_model_signing(tmp_path: Path, instance: PrivateSigstore) -> None:
    report = expect(Model(tmp_path).sign_by_sigstore(instance), Reason.VERIFIED)
    evidence = report.models[0].signer
    assert evidence is not None
    assert (evidence.method, evidence.identity, evidence.issuer) == ("sigstore", IDENTITY, ISSUER)
    assert evidence.log_index is not None
    assert (evidence.signed_at or "").endswith("Z")


FAULTS = dict.fromkeys(Fault, WRONG) | {
    Fault.FOREIGN_CA: (Reason.SIGNER_UNTRUSTED, Code.CHAIN_UNTRUSTED),
    # By the contract validity and key usage are about the signer, as they are with a private PKI.
    Fault.LEAF_EXPIRED: (Reason.SIGNER_UNTRUSTED, Code.CERTIFICATE_EXPIRED),
    Fault.LOGGED_BEFORE_LEAF: (Reason.SIGNER_UNTRUSTED, Code.CERTIFICATE_EXPIRED),
    Fault.NO_CODE_SIGNING: (Reason.SIGNER_UNTRUSTED, Code.CERTIFICATE_PURPOSE),
}


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_faulty_evidence(tmp_path: Path, instance: PrivateSigstore, fault: Fault) -> None:
    model = Model(tmp_path).sign(BySigstore(instance, fault=fault))
    report = model.verify()
    assert report.models[0].signer is None
    assert report.reason in (Reason.SIGNATURE_INVALID, Reason.SIGNER_UNTRUSTED)
    expect(model, *FAULTS[fault])


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_faulty_evidence_of_a_stranger_is_not_a_sound_signature(
    tmp_path: Path, instance: PrivateSigstore, fault: Fault
) -> None:
    model = Model(tmp_path).sign(BySigstore(instance, identity="other@example.com", fault=fault))
    report = model.verify()
    assert Code.IDENTITY_MISMATCH not in {finding.code for finding in findings(report)}


@pytest.mark.parametrize(
    "identity",
    [
        "other@example.com",
        "Release@example.com",
        "release@example.com.evil.org",
        "xrelease@example.com",
        "https://example.com/release@example.com",
    ],
)
def test_another_identity(tmp_path: Path, instance: PrivateSigstore, identity: str) -> None:
    model = Model(tmp_path).sign(BySigstore(instance, identity=identity))
    report = expect(model, *STRANGER)
    (finding,) = findings(report)
    assert finding.expected == f"{IDENTITY} by {ISSUER}"
    assert finding.actual == f"{identity} by {ISSUER}"


@pytest.mark.parametrize(
    "issuer", ["https://other.example.com", f"{ISSUER}/", "http://idp.example.com"]
)
def test_another_issuer(tmp_path: Path, instance: PrivateSigstore, issuer: str) -> None:
    model = Model(tmp_path).sign(BySigstore(instance, issuer=issuer))
    expect(model, *STRANGER)


def test_another_instance(model: Model) -> None:
    with PrivateSigstore() as other:
        trusting(model, trust_root=Material(text=other.trusted_root()))
    expect(model, Reason.SIGNER_UNTRUSTED, Code.CHAIN_UNTRUSTED)


def test_the_public_instance(model: Model) -> None:
    expect(trusting(model, trust_root=None), Reason.SIGNER_UNTRUSTED, Code.CHAIN_UNTRUSTED)


@pytest.mark.parametrize("pattern", [r"release@example\.com", r".*@example\.com", r"[a-z]+@.+"])
def test_an_expression_that_matches_the_whole_identity(model: Model, pattern: str) -> None:
    expect(trusting(model, identity=None, identity_regexp=pattern), Reason.VERIFIED)


@pytest.mark.parametrize(
    "pattern",
    ["release", "release@example", "elease@example.com", "(?i)RELEASE", "^release$", "|x"],
)
def test_an_expression_that_matches_only_a_part(model: Model, pattern: str) -> None:
    expect(trusting(model, identity=None, identity_regexp=pattern), *STRANGER)


@pytest.mark.parametrize("form", ["trust config", "trusted root"])
def test_both_forms_of_trust_root(model: Model, instance: PrivateSigstore, form: str) -> None:
    text = instance.trust_config() if form == "trust config" else instance.trusted_root()
    expect(trusting(model, trust_root=Material(text=text)), Reason.VERIFIED)


def test_a_changed_file(model: Model) -> None:
    model.write("config.json", b"other")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "config.json")


def test_a_changed_payload(model: Model) -> None:
    bundle = model.bundle
    statement = json.dumps(statement_of(FILES | {"config.json": b"other"})).encode()
    bundle["dsseEnvelope"]["payload"] = b64(statement)
    expect(model.rewrite(bundle), *WRONG)


def test_a_malformed_statement(model: Model) -> None:
    model.resign(b"{}")
    expect(model, Reason.SIGNATURE_INVALID, Code.STATEMENT_MALFORMED)


def test_another_payload_type(model: Model) -> None:
    model.resign(model.statement, payload_type="text/plain")
    expect(model, *MALFORMED)


def _without(bundle: Json, *names: str) -> Json:
    (entry,) = bundle["verificationMaterial"]["tlogEntries"]
    for name in names:
        del entry[name]
    return bundle


@pytest.mark.parametrize(
    "name",
    ["logIndex", "logId", "kindVersion", "integratedTime", "inclusionProof", "canonicalizedBody"],
)
def test_a_log_entry_without_a_field(model: Model, name: str) -> None:
    expect(model.rewrite(_without(model.bundle, name)), *WRONG)


def test_a_log_entry_without_promise_has_no_time(model: Model) -> None:
    expect(model.rewrite(_without(model.bundle, "inclusionPromise")), *WRONG)


@pytest.mark.parametrize("entries", [[], None, "twice"], ids=repr)
def test_another_number_of_log_entries(model: Model, entries: object) -> None:
    bundle = model.bundle
    material = bundle["verificationMaterial"]
    material["tlogEntries"] = material["tlogEntries"] * 2 if entries == "twice" else entries
    report = model.rewrite(bundle).verify()
    assert report.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("entry", [1, None, [], {}, {"logIndex": -1}, {"logIndex": "x"}], ids=repr)
def test_a_log_entry_of_another_shape(model: Model, entry: object) -> None:
    bundle = model.bundle
    bundle["verificationMaterial"]["tlogEntries"] = [entry]
    expect(model.rewrite(bundle), *WRONG)


@pytest.mark.parametrize("raw", [b"", b"x", b"\x30\x03\x02\x01\x01"])
def test_a_certificate_that_is_none(model: Model, raw: bytes) -> None:
    bundle = model.bundle
    bundle["verificationMaterial"]["certificate"]["rawBytes"] = b64(raw)
    kind = WRONG if raw else MALFORMED
    expect(model.rewrite(bundle), *kind)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        "application/json",
    ],
)
def test_another_media_type(model: Model, media_type: str) -> None:
    model.rewrite(model.bundle | {"mediaType": media_type})
    expect(model, *MALFORMED)


def test_a_second_signature(model: Model) -> None:
    bundle = model.bundle
    bundle["dsseEnvelope"]["signatures"] *= 2
    expect(model.rewrite(bundle), *MALFORMED)


def test_a_key_where_sigstore_is_asked_for(model: Model) -> None:
    trusted = model.signers
    model.sign(ByKey.new()).signers = trusted
    expect(model, Reason.SIGNER_UNTRUSTED, Code.METHOD_MISMATCH)


def test_sigstore_where_a_key_is_asked_for(model: Model) -> None:
    model.signers = (ByKey.new().trusted(),)
    expect(model, Reason.SIGNER_UNTRUSTED, Code.METHOD_MISMATCH)


def test_a_second_signer_accepts(model: Model) -> None:
    other = dataclasses.replace(signer(model), identity="other@example.com")
    model.signers = (ByKey.new().trusted(), other, signer(model))
    expect(model, Reason.VERIFIED)


ROOTS = {
    "no JSON": "x",
    "no object": "[]",
    "no media type": "{}",
    "another media type": '{"mediaType": "application/json"}',
    "duplicate key": '{"mediaType": "a", "mediaType": "b"}',
    "a root without parts": '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}',  # noqa: E501
    "a config without root": '{"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"}',  # noqa: E501
}


@pytest.mark.parametrize("text", ROOTS.values(), ids=ROOTS)
def test_a_trust_root_that_cannot_be_used(model: Model, text: str) -> None:
    # A policy document holds the root as JSON, so what is no JSON can only come from a file.
    path = model.path.parent / "root.json"
    path.write_text(text)
    trusting(model, trust_root=Material(path=str(path)))
    with pytest.raises(ConfigError):
        model.verify()


@pytest.mark.parametrize("part", ["tlogs", "certificateAuthorities", "ctlogs"])
def test_a_trust_root_that_lacks_a_part(model: Model, instance: PrivateSigstore, part: str) -> None:
    root = json.loads(instance.trusted_root()) | {part: []}
    trusting(model, trust_root=Material(text=json.dumps(root)))
    try:
        report = model.verify()
    except ConfigError:
        return
    assert report.reason in (Reason.SIGNATURE_INVALID, Reason.SIGNER_UNTRUSTED)
