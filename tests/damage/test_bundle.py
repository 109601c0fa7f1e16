"""Malformed signature files: each is refused before a single signature is checked."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    ByCertificate,
    Json,
    Model,
    expect,
    findings,
    statement_of,
)
from tests.damage.chains import chain
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

MALFORMED = (Reason.SIGNATURE_INVALID, Code.BUNDLE_MALFORMED)
REMOVED = object()
WRONG = {"null": None, "number": 7, "text": "x", "true": True, "list": [1], "object": {"x": 1}}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).sign_with_key()


def change(document: Json, path: str, value: object) -> Json:
    """The document with the value at a path such as `a.b.0` put there, or removed."""
    place: list[object] | Json = document
    *way, last = path.split(".")
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]  # type: ignore[assignment]
    if isinstance(place, list):
        place[int(last)] = value
    elif value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return document


REQUIRED = {
    "mediaType": "text",
    "verificationMaterial": "object",
    "verificationMaterial.publicKey": "object",
    "dsseEnvelope": "object",
    "dsseEnvelope.payload": "text",
    "dsseEnvelope.payloadType": "text",
    "dsseEnvelope.signatures": "list",
    "dsseEnvelope.signatures.0.sig": "text",
}
OPTIONAL = {
    "verificationMaterial.publicKey.hint": "text",
    "verificationMaterial.tlogEntries": "list",
    "dsseEnvelope.signatures.0.keyid": "text",
}


MAY_BE_EMPTY = OPTIONAL | {"verificationMaterial.publicKey": "object"}


@pytest.mark.parametrize("path", REQUIRED)
def test_a_field_is_missing(model: Model, path: str) -> None:
    model.rewrite(change(model.bundle, path, REMOVED))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("path", [*REQUIRED, "dsseEnvelope.signatures.0"])
def test_a_field_is_null(model: Model, path: str) -> None:
    model.rewrite(change(model.bundle, path, None))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("path", [*REQUIRED, *OPTIONAL, "dsseEnvelope.signatures.0"])
@pytest.mark.parametrize("wrong", [w for w in WRONG if w != "null"])
def test_a_field_has_another_type(model: Model, path: str, wrong: str) -> None:
    if wrong == (REQUIRED | OPTIONAL).get(path, "object"):
        wrong = "number"
    model.rewrite(change(model.bundle, path, WRONG[wrong]))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("path", [*REQUIRED, *OPTIONAL])
@pytest.mark.parametrize("empty", [0, False, "", [], {}], ids=repr)
def test_an_empty_value_of_another_type(model: Model, path: str, empty: object) -> None:
    kinds: dict[type, str] = {str: "text", list: "list", dict: "object", int: "", bool: ""}
    model.rewrite(change(model.bundle, path, empty))
    if kinds.get(type(empty)) == MAY_BE_EMPTY.get(path):
        expect(model, Reason.VERIFIED)
    else:
        expect(model, *MALFORMED)


@pytest.mark.parametrize("path", OPTIONAL)
@pytest.mark.parametrize("value", [REMOVED, None], ids=["missing", "null"])
def test_optional_fields_may_be_absent(model: Model, path: str, value: object) -> None:
    model.rewrite(change(model.bundle, path, value))
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize(
    "path",
    [
        "extra",
        "verificationMaterial.extra",
        "verificationMaterial.publicKey.extra",
        "dsseEnvelope.extra",
        "dsseEnvelope.signatures.0.extra",
        "MediaType",
        "media_type",
        "dsse_envelope",
    ],
)
@pytest.mark.parametrize("value", [1, None], ids=repr)
def test_an_unknown_field(model: Model, path: str, value: object) -> None:
    model.rewrite(change(model.bundle, path, value))
    expect(model, *MALFORMED)


@pytest.mark.parametrize(
    "name", ["mediaType", "dsseEnvelope", "payload", "payloadType", "sig", "hint", "publicKey"]
)
@pytest.mark.parametrize("same", [True, False])
def test_a_field_that_is_there_twice(model: Model, name: str, *, same: bool) -> None:
    text = json.dumps(model.bundle, separators=(",", ":"))
    start = text.index(f'"{name}":')
    colon = start + len(name) + 2
    value, end = json.JSONDecoder().raw_decode(text, colon + 1)
    other = text[start:end] if same else f'"{name}": {json.dumps("x" if value != "x" else "y")}'
    model.rewrite(f"{text[:start]}{other}, {text[start:]}".encode())
    expect(model, *MALFORMED)


def test_no_signature_in_the_envelope(model: Model) -> None:
    model.rewrite(change(model.bundle, "dsseEnvelope.signatures", []))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("second", ["the same", "junk", "first"])
def test_two_signatures(model: Model, second: str) -> None:
    bundle = model.bundle
    (good,) = bundle["dsseEnvelope"]["signatures"]
    junk = {"sig": base64.b64encode(b"junk").decode(), "keyid": ""}
    pair = {"the same": [good, good], "junk": [good, junk], "first": [junk, good]}[second]
    model.rewrite(change(bundle, "dsseEnvelope.signatures", pair))
    expect(model, *MALFORMED)


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/json",
        "application/vnd.in-toto+json ",
        "APPLICATION/VND.IN-TOTO+JSON",
    ],
)
def test_another_payload_type_properly_signed(model: Model, kind: str) -> None:
    model.resign(model.statement, payload_type=kind)
    expect(model, *MALFORMED)


@pytest.mark.parametrize("path", ["dsseEnvelope.payload", "dsseEnvelope.signatures.0.sig"])
@pytest.mark.parametrize(
    "fault", ["={}", "{}\n", " {}", "{}!", "é{}", "\x00{}", "!", "=", "e", "eA=", "-{}", "_{}"]
)
def test_faulty_base64(model: Model, path: str, fault: str) -> None:
    bundle = model.bundle
    place = bundle["dsseEnvelope"]
    value = place["payload"] if path.endswith("payload") else place["signatures"][0]["sig"]
    model.rewrite(change(bundle, path, fault.format(value)))
    expect(model, *MALFORMED)


@pytest.mark.parametrize(
    ("remainder", "fault"),
    [
        *((remainder, fault) for remainder in (0, 1, 2) for fault in ("cut", "more", "four more")),
        *((remainder, fault) for remainder in (1, 2) for fault in ("none", "unused bits")),
    ],
)
def test_base64_in_another_form(tmp_path: Path, remainder: int, fault: str) -> None:
    """One payload has one form: what decodes to it in another way is refused."""
    model, statement = Model(tmp_path), statement_of(FILES)
    while len(json.dumps(statement)) % 3 != remainder:
        statement["subject"][0]["name"] += "x"
    payload = model.resign(statement).bundle["dsseEnvelope"]["payload"]
    padding = -len(payload.rstrip("=")) % 4
    bare = payload.rstrip("=")
    bent = bare[:-1] + chr(ord(bare[-1]) + 1) + "=" * padding
    forms = {
        "cut": payload[:-1],
        "none": bare,
        "more": f"{payload}=",
        "four more": f"{payload}====",
    }
    model.rewrite(change(model.bundle, "dsseEnvelope.payload", forms.get(fault, bent)))
    expect(model, *MALFORMED)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json;x",
        "application/json",
    ],
)
def test_another_media_type(model: Model, media_type: str) -> None:
    model.rewrite(change(model.bundle, "mediaType", media_type))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("other", ["certificate", "x509CertificateChain"])
def test_two_verification_materials(model: Model, other: str) -> None:
    link = {"rawBytes": "eA=="}
    value = link if other == "certificate" else {"certificates": [link]}
    model.rewrite(change(model.bundle, f"verificationMaterial.{other}", value))
    expect(model, *MALFORMED)


def test_a_message_signature_in_place_of_the_envelope(model: Model) -> None:
    bundle = change(model.bundle, "dsseEnvelope", REMOVED)
    digest = {"algorithm": "SHA2_256", "digest": "eA=="}
    model.rewrite(bundle | {"messageSignature": {"messageDigest": digest, "signature": "eA=="}})
    expect(model, *MALFORMED)
    assert "blob" in findings(model.verify())[0].detail


def test_a_message_signature_beside_the_envelope(model: Model) -> None:
    model.rewrite(model.bundle | {"messageSignature": {"signature": "eA=="}})
    expect(model, *MALFORMED)


@pytest.mark.parametrize(
    "certificates",
    [[], [1], [{}], [{"rawBytes": ""}], [{"rawBytes": "!"}], [{"rawBytes": "eA=="}], [None], "x"],
    ids=repr,
)
def test_a_malformed_certificate_chain(tmp_path: Path, certificates: object) -> None:
    model = Model(tmp_path).sign(ByCertificate(chain()))
    where = "verificationMaterial.x509CertificateChain.certificates"
    model.rewrite(change(model.bundle, where, certificates))
    expect(model, *MALFORMED)
