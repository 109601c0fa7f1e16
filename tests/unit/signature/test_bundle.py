"""The signature file is parsed strictly: one meaning or none."""

from __future__ import annotations

import copy
import hashlib
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.signing import MEDIA_TYPE, Signer, resources, statement
from verifier_cli.inputs import Malformed
from verifier_cli.signature.bundle import PAYLOAD_TYPE, parse_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
SIGNER = Signer()
SOUND = SIGNER.bundle(statement(resources({"a": b"1"})))
CHAIN = {"certificates": [{"rawBytes": b64encode(b"leaf").decode()}, {"rawBytes": "Y2E="}]}
OLD = "application/vnd.dev.sigstore.bundle+json;version=0.%d"


def encoded(document: Json) -> bytes:
    return json.dumps(document).encode()


def changed(change: Callable[[Json], object]) -> bytes:
    document = copy.deepcopy(SOUND)
    change(document)
    return encoded(document)


def with_material(material: object, media_type: str = MEDIA_TYPE) -> bytes:
    return encoded(SOUND | {"verificationMaterial": material, "mediaType": media_type})


def test_a_sound_bundle() -> None:
    raw = encoded(SOUND)
    found = parse_bundle(raw)
    assert found.raw == raw
    assert found.sha256 == hashlib.sha256(raw).hexdigest()
    assert found.method == "key"
    assert found.media_type == MEDIA_TYPE
    assert found.payload_type == PAYLOAD_TYPE
    assert json.loads(found.payload)["_type"] == "https://in-toto.io/Statement/v1"
    assert found.signature[0] == 0x30
    assert found.hint == SIGNER.hint
    assert found.raw_key is None
    assert found.certificates == ()
    assert found.log_index is None
    assert found.integrated_time is None


@pytest.mark.parametrize(
    ("material", "media_type", "method"),
    [
        ({"publicKey": {}}, MEDIA_TYPE, "key"),
        ({"x509CertificateChain": CHAIN}, MEDIA_TYPE, "certificate"),
        ({"certificate": {"rawBytes": "bGVhZg=="}}, MEDIA_TYPE, "sigstore"),
        ({"certificate": {"rawBytes": "bGVhZg=="}}, OLD % 3, "sigstore"),
        ({"x509CertificateChain": CHAIN}, OLD % 1, "sigstore"),
        ({"x509CertificateChain": CHAIN}, OLD % 2, "sigstore"),
    ],
)
def test_the_method_follows_from_the_material(material: Json, media_type: str, method: str) -> None:
    assert parse_bundle(with_material(material, media_type)).method == method


@pytest.mark.parametrize(
    ("material", "media_type"),
    [
        ({"publicKey": {}}, OLD % 3),
        ({"publicKey": {}}, OLD % 1),
        ({"x509CertificateChain": CHAIN}, OLD % 3),
        ({"certificate": {"rawBytes": "YQ=="}}, OLD % 2),
        ({"publicKey": {}}, "application/json"),
        ({"certificate": {"rawBytes": "YQ=="}}, MEDIA_TYPE + " "),
    ],
)
def test_a_media_type_that_does_not_go_with_the_material(material: Json, media_type: str) -> None:
    with pytest.raises(Malformed, match=r"mediaType .* does not go with"):
        parse_bundle(with_material(material, media_type))


def test_the_chain_is_leaf_first() -> None:
    assert parse_bundle(with_material({"x509CertificateChain": CHAIN})).certificates == (
        b"leaf",
        b"ca",
    )


def test_the_raw_key_of_older_bundles() -> None:
    found = parse_bundle(with_material({"publicKey": {"rawBytes": "a2V5"}}))
    assert found.raw_key == b"key"
    assert found.hint is None


def test_null_means_not_set_as_in_protobuf_json() -> None:
    material = {"publicKey": {"hint": None, "rawBytes": None}, "certificate": None}
    found = parse_bundle(with_material(material | {"tlogEntries": None}))
    assert (found.method, found.hint, found.raw_key) == ("key", None, None)


@pytest.mark.parametrize(
    ("entry", "index", "time"),
    [
        ({"logIndex": "7", "integratedTime": "9", "inclusionPromise": {"a": "b"}}, 7, 9),
        ({"logIndex": "7", "integratedTime": "9"}, None, None),
        ({"logIndex": "7", "integratedTime": "9", "inclusionPromise": {}}, None, None),
        ({"logIndex": 7, "integratedTime": 9, "inclusionPromise": {"a": "b"}}, None, None),
        ({"logIndex": "-7", "inclusionPromise": {"a": "b"}}, None, None),
        ({"logIndex": "\u0667", "inclusionPromise": {"a": "b"}}, None, None),
        ({"logIndex": "1" * 21, "inclusionPromise": {"a": "b"}}, None, None),
        ({"integratedTime": "0", "inclusionPromise": {"a": "b"}}, None, None),
        ({"integratedTime": "253402300799", "inclusionPromise": {"a": "b"}}, None, 253402300799),
        ({"integratedTime": "253402300800", "inclusionPromise": {"a": "b"}}, None, None),
        ({}, None, None),
        ("entry", None, None),
    ],
)
def test_what_the_log_entry_claims(entry: object, index: int | None, time: int | None) -> None:
    material = {"certificate": {"rawBytes": "bGVhZg=="}, "tlogEntries": [entry]}
    found = parse_bundle(with_material(material))
    assert (found.log_index, found.integrated_time) == (index, time)


FAULTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "no media type": (lambda b: b.pop("mediaType"), "mediaType is missing"),
    "empty media type": (lambda b: b.update(mediaType=""), "mediaType is missing"),
    "media type a number": (lambda b: b.update(mediaType=3), "mediaType is not text"),
    "unknown field": (lambda b: b.update(extra=1), "the bundle holds the unknown field 'extra'"),
    "blob signature": (lambda b: b.update(messageSignature={}), "signs one file as a blob"),
    "no material": (lambda b: b.pop("verificationMaterial"), "verificationMaterial is missing"),
    "material a list": (
        lambda b: b.update(verificationMaterial=[]),
        "verificationMaterial is not an object",
    ),
    "unknown material": (
        lambda b: b["verificationMaterial"].update(x=1),
        "verificationMaterial holds the unknown field 'x'",
    ),
    "two materials": (
        lambda b: b["verificationMaterial"].update(certificate={"rawBytes": "YQ=="}),
        "verificationMaterial holds .'publicKey', 'certificate'. of",
    ),
    "none of the materials": (
        lambda b: b["verificationMaterial"].pop("publicKey"),
        "verificationMaterial holds none of",
    ),
    "unknown field of the key": (
        lambda b: b["verificationMaterial"]["publicKey"].update(x=1),
        "publicKey holds the unknown field 'x'",
    ),
    "hint a number": (
        lambda b: b["verificationMaterial"]["publicKey"].update(hint=1),
        "hint is not text",
    ),
    "raw key no base64": (
        lambda b: b["verificationMaterial"]["publicKey"].update(rawBytes="?"),
        "rawBytes is not base64",
    ),
    "log entries an object": (
        lambda b: b["verificationMaterial"].update(tlogEntries={}),
        "tlogEntries is not a list",
    ),
    "no envelope": (lambda b: b.pop("dsseEnvelope"), "dsseEnvelope is missing"),
    "unknown field of the envelope": (
        lambda b: b["dsseEnvelope"].update(x=1),
        "dsseEnvelope holds the unknown field 'x'",
    ),
    "no payload": (lambda b: b["dsseEnvelope"].pop("payload"), "payload is missing"),
    "payload no text": (lambda b: b["dsseEnvelope"].update(payload=[1]), "payload is not text"),
    "payload no base64": (
        lambda b: b["dsseEnvelope"].update(payload="YQ"),
        "payload is not base64",
    ),
    "payload with a line break": (
        lambda b: b["dsseEnvelope"].update(payload="YWJj\nYWJj"),
        "payload is not base64",
    ),
    "payload with more behind its end": (
        lambda b: b["dsseEnvelope"].update(payload="YQ==YQ=="),
        "payload is not base64",
    ),
    "payload not ASCII": (
        lambda b: b["dsseEnvelope"].update(payload="YWJü"),
        "payload is not base64",
    ),
    "another payload type": (
        lambda b: b["dsseEnvelope"].update(payloadType="text/plain"),
        "payloadType is 'text/plain', not",
    ),
    "no signature": (
        lambda b: b["dsseEnvelope"].update(signatures=[]),
        "signatures has 0 entries where exactly one",
    ),
    "a second signature": (
        lambda b: b["dsseEnvelope"]["signatures"].append({"sig": "YQ=="}),
        "signatures has 2 entries where exactly one",
    ),
    "signatures an object": (
        lambda b: b["dsseEnvelope"].update(signatures={}),
        "signatures is not a list",
    ),
    "signatures missing": (
        lambda b: b["dsseEnvelope"].pop("signatures"),
        "signatures is missing",
    ),
    "signature a text": (
        lambda b: b["dsseEnvelope"].update(signatures=["x"]),
        r"signatures\[0\] is not an object",
    ),
    "unknown field of the signature": (
        lambda b: b["dsseEnvelope"]["signatures"][0].update(cert=""),
        r"signatures\[0\] holds the unknown field 'cert'",
    ),
    "key id a number": (
        lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid=1),
        r"signatures\[0\].keyid is not text",
    ),
    "empty signature": (
        lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=""),
        "sig is missing",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_refused(name: str) -> None:
    change, fault = FAULTS[name]
    with pytest.raises(Malformed, match=fault):
        parse_bundle(changed(change))


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        ({"certificates": []}, "holds 0 certificates, not 1 to"),
        ({}, "certificates is missing"),
        ({"certificates": {}}, "certificates is not a list"),
        ({"certificates": [1]}, "certificate is not an object"),
        ({"certificates": [{}]}, "rawBytes is missing"),
        ({"certificates": [{"rawBytes": "YQ==", "x": 1}]}, "holds the unknown field 'x'"),
        ({"certificates": [], "x": 1}, "holds the unknown field 'x'"),
        ([], "x509CertificateChain is not an object"),
    ],
)
def test_what_is_refused_in_a_chain(chain: object, fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        parse_bundle(with_material({"x509CertificateChain": chain}))


@pytest.mark.parametrize("raw", [b"", b"[]", b'"text"', b"null", b"\x00", b"{"])
def test_what_is_no_bundle_at_all(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_bundle(raw)


@pytest.mark.parametrize("text", ["YR==", "YWF=", "Y Q==", "YQ==\n", "=YQ=", "YQ=", "_-8="])
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(Malformed, match="payload is not"):
        parse_bundle(changed(lambda b: b["dsseEnvelope"].update(payload=text)))


@pytest.mark.parametrize(
    "evidence",
    [
        {"tlogEntries": [{"logIndex": "1"}]},
        {"timestampVerificationData": {"rfc3161Timestamps": []}},
    ],
)
def test_what_a_method_never_checks_does_not_come_with_it(evidence: Json) -> None:
    methods: list[Json] = [{"publicKey": {}}, {"x509CertificateChain": CHAIN}]
    for method in methods:
        with pytest.raises(Malformed, match="never checks"):
            parse_bundle(with_material({**method, **evidence}))
    sigstore = {"certificate": {"rawBytes": "bGVhZg=="}}
    assert parse_bundle(with_material({**sigstore, **evidence})).method == "sigstore"


def test_a_bundle_of_more_entries_than_are_read() -> None:
    with pytest.raises(Malformed, match="has more than 20000 entries"):
        parse_bundle(changed(lambda b: b.update(extra=[0] * 20_001)))


def test_more_certificates_than_are_read() -> None:
    chain = {"certificates": [{"rawBytes": "YQ=="}] * 17}
    with pytest.raises(Malformed, match="holds 17 certificates, not 1 to 16"):
        parse_bundle(with_material({"x509CertificateChain": chain}))
