"""The key method: one of the given keys made the signature."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives import serialization

from tests.unit.signing import Signer, resources, statement
from verifier_cli.policy import Key, Material
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.signature.key import authenticate
from verifier_cli.verdict import Code, Evidence, Finding

ALICE, BOB, CAROL = Signer(), Signer(), Signer()
STATEMENT = statement(resources({"a": b"1"}))
DER = ALICE.key.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)


def outcome(public_key: object, *keys: Signer) -> Evidence | Finding:
    raw = json.dumps(ALICE.bundle(STATEMENT, publicKey=public_key)).encode()
    policy = Key(Material(text="unused here"), name="alice")
    return authenticate(parse_bundle(raw), policy, tuple(key.key.public_key() for key in keys))


def raw_bytes(data: bytes) -> dict[str, str]:
    return {"rawBytes": b64encode(data).decode()}


SOUND = [
    {"hint": ALICE.hint},
    {"hint": ALICE.hint.upper()},
    {"hint": hashlib.sha256(DER).hexdigest()},
    {},
    raw_bytes(ALICE.pem),
    raw_bytes(ALICE.pem.strip()),
    raw_bytes(DER),
    {**raw_bytes(DER), "hint": ALICE.hint},
]


@pytest.mark.parametrize("claim", SOUND)
@pytest.mark.parametrize("keys", [(ALICE,), (BOB, ALICE), (ALICE, BOB), (BOB, CAROL, ALICE)])
def test_the_key_that_signed_is_found(claim: object, keys: tuple[Signer, ...]) -> None:
    assert outcome(claim, *keys) == Evidence("key", name="alice", fingerprint=ALICE.hint)


def test_another_key_by_the_hint() -> None:
    found = outcome({"hint": ALICE.hint}, BOB)
    assert isinstance(found, Finding)
    assert found.code is Code.KEY_MISMATCH
    assert (found.expected, found.actual) == (BOB.hint, ALICE.hint)


def test_another_key_by_its_bytes() -> None:
    found = outcome(raw_bytes(ALICE.pem), BOB)
    assert isinstance(found, Finding)
    assert found.code is Code.KEY_MISMATCH
    assert (found.expected, found.actual) == (BOB.hint, hashlib.sha256(ALICE.pem).hexdigest())


@pytest.mark.parametrize("claim", [{"hint": BOB.hint}, raw_bytes(BOB.pem), {"hint": "x"}])
def test_a_false_claim_is_refused_though_the_key_signed(claim: object) -> None:
    found = outcome(claim, ALICE)
    assert isinstance(found, Finding)
    assert found.code is Code.KEY_MISMATCH


def test_a_bundle_that_names_no_key_and_was_signed_by_another() -> None:
    found = outcome({}, BOB)
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_WRONG


@pytest.mark.parametrize("keys", [(ALICE, CAROL), (CAROL, ALICE)])
def test_a_broken_signature_outweighs_a_key_that_does_not_fit(keys: tuple[Signer, ...]) -> None:
    document = ALICE.bundle(STATEMENT)
    document["dsseEnvelope"]["signatures"][0]["sig"] = b64encode(
        ALICE.signature(b"something else")
    ).decode()
    bundle = parse_bundle(json.dumps(document).encode())
    found = authenticate(
        bundle, Key(Material(text="x")), tuple(key.key.public_key() for key in keys)
    )
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_WRONG
