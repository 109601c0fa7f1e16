"""The signature covers payload type and payload; older forms only where they belong."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.signing import PAYLOAD_TYPE, Signer, bundle, resources, statement, statement_v02
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.signature.envelope import (
    HASHES,
    check_envelope,
    faulty_encoding_v02,
    pre_authentication_encoding,
)
from verifier_cli.verdict import Code

CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]
NEW = json.dumps(statement(resources({"a": b"1"}))).encode()
OLD = json.dumps(statement_v02({"a": b"1"})).encode()


def check(payload: bytes, signature: bytes, signer: Signer) -> Code | None:
    found = parse_bundle(json.dumps(bundle(payload, signature, {"publicKey": {}})).encode())
    finding = check_envelope(found, signer.key.public_key())
    return None if finding is None else finding.code


def test_the_encoding_of_dsse() -> None:
    # The example of the DSSE specification.
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pre_authentication_encoding("ü", "ü".encode()) == "DSSEv1 2 ü 2 ü".encode()


def test_the_faulty_encoding_of_0_2_0() -> None:
    assert faulty_encoding_v02("t", b"it's \x00") == b'DSSEV1 1 t 6 b"it\'s \\x00"'


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_sound_signature(curve: ec.EllipticCurve) -> None:
    signer = Signer(ec.generate_private_key(curve))
    assert check(NEW, signer.signature(NEW), signer) is None


def test_every_curve_has_its_hash() -> None:
    assert {name: kind.name for name, kind in HASHES.items()} == {
        "secp256r1": "sha256",
        "secp384r1": "sha384",
        "secp521r1": "sha512",
    }


def test_another_hash_than_the_curve_has() -> None:
    signer = Signer(ec.generate_private_key(ec.SECP384R1()))
    encoding = pre_authentication_encoding(PAYLOAD_TYPE, NEW)
    signature = signer.key.sign(encoding, ec.ECDSA(hashes.SHA256()))
    assert check(NEW, signature, signer) is Code.SIGNATURE_WRONG


def test_another_key() -> None:
    assert check(NEW, Signer().signature(NEW), Signer()) is Code.SIGNATURE_WRONG


def test_another_payload() -> None:
    signer = Signer()
    assert check(NEW + b" ", signer.signature(NEW), signer) is Code.SIGNATURE_WRONG


def test_another_payload_type() -> None:
    signer = Signer()
    signature = signer.signature(NEW, "text/plain")
    assert check(NEW, signature, signer) is Code.SIGNATURE_WRONG


@pytest.mark.parametrize("signature", [b"0", b"\x30\x00", b"\x00" * 64])
def test_what_is_no_signature(signature: bytes) -> None:
    assert check(NEW, signature, Signer()) is Code.SIGNATURE_WRONG


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_the_faulty_encoding_is_accepted_for_statements_of_0_2(curve: ec.EllipticCurve) -> None:
    signer = Signer(ec.generate_private_key(curve))
    encoding = faulty_encoding_v02(PAYLOAD_TYPE, OLD)
    signature = signer.key.sign(encoding, ec.ECDSA(hashes.SHA256()))
    assert check(OLD, signature, signer) is None


@pytest.mark.parametrize("payload", [NEW, b"no statement"])
def test_the_faulty_encoding_is_refused_for_all_else(payload: bytes) -> None:
    signer = Signer()
    encoding = faulty_encoding_v02(PAYLOAD_TYPE, payload)
    signature = signer.key.sign(encoding, ec.ECDSA(hashes.SHA256()))
    assert check(payload, signature, signer) is Code.SIGNATURE_WRONG


def test_a_statement_of_0_2_needs_a_signature_like_any_other() -> None:
    signer = Signer()
    assert check(OLD, signer.signature(OLD), signer) is None
    assert check(OLD, Signer().signature(OLD), signer) is Code.SIGNATURE_WRONG
    assert check(OLD, signer.signature(NEW), signer) is Code.SIGNATURE_WRONG
    faulty = faulty_encoding_v02(PAYLOAD_TYPE, OLD)
    signature = Signer().key.sign(faulty, ec.ECDSA(hashes.SHA256()))
    assert check(OLD, signature, signer) is Code.SIGNATURE_WRONG
