"""The key method: who signed with which key, and what the bundle says of it."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.builders import (
    IN_TOTO,
    LONG_AGO_NS,
    ByKey,
    Json,
    Model,
    b64,
    bundle_of,
    encoding,
    expect,
    findings,
)
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Key, Material
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]
WRONG = (Reason.SIGNATURE_INVALID, Code.SIGNATURE_WRONG)
STRANGER = (Reason.SIGNER_UNTRUSTED, Code.KEY_MISMATCH)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_every_curve(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    model = Model(tmp_path).sign_with_key(curve)
    report = expect(model, Reason.VERIFIED)
    signer = report.models[0].signer
    assert isinstance(model.by, ByKey)
    assert signer is not None
    assert signer.method == "key"
    assert signer.fingerprint == hashlib.sha256(model.by.public_pem.encode()).hexdigest()
    assert (signer.identity, signer.issuer, signer.log_index, signer.signed_at) == (None,) * 4


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).sign_with_key()


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_another_key(model: Model, curve: ec.EllipticCurve) -> None:
    model.signers = (ByKey.new(curve).trusted(),)
    report = expect(model, *STRANGER)
    assert report.models[0].signer is None
    assert report.models[0].files == 0


def test_another_key_that_the_bundle_does_not_name(model: Model) -> None:
    bundle = model.bundle
    del bundle["verificationMaterial"]["publicKey"]["hint"]
    model.rewrite(bundle).signers = (ByKey.new().trusted(),)
    expect(model, *WRONG)


def material(**public_key: str) -> Json:
    return {"publicKey": public_key, "tlogEntries": []}


def der(by: ByKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return by.key.public_key().public_bytes(serialization.Encoding.DER, form)


@pytest.mark.parametrize("form", ["pem", "der", "upper", "raw pem", "raw der", "both", "none"])
def test_every_way_to_name_the_key(model: Model, form: str) -> None:
    by = model.by
    assert isinstance(by, ByKey)
    pem = by.public_pem.encode()
    hint = hashlib.sha256(pem).hexdigest()
    public_key = {
        "pem": {"hint": hint},
        "der": {"hint": hashlib.sha256(der(by)).hexdigest()},
        "upper": {"hint": hint.upper()},
        "raw pem": {"rawBytes": b64(pem)},
        "raw der": {"rawBytes": b64(der(by))},
        "both": {"rawBytes": b64(pem), "hint": hint, "keyDetails": "PKIX_ECDSA_P256_SHA_256"},
        "none": {},
    }[form]
    model.rewrite(model.bundle | {"verificationMaterial": material(**public_key)})
    expect(model, Reason.VERIFIED)


def test_a_key_in_der_that_ends_in_white_space(tmp_path: Path) -> None:
    by = next(each for each in iter(ByKey.new, None) if der(each)[-1:].isspace())
    model = Model(tmp_path).sign(by)
    material_of_it = material(rawBytes=b64(der(by)))
    model.rewrite(model.bundle | {"verificationMaterial": material_of_it})
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize("form", ["hint", "raw pem", "raw der", "junk", "short", "hint of raw"])
def test_a_bundle_that_names_another_key(model: Model, form: str) -> None:
    """The signature is good, but who reads the bundle would take it for somebody else's."""
    by, other = model.by, ByKey.new()
    assert isinstance(by, ByKey)
    pem = other.public_pem.encode()
    hint = hashlib.sha256(pem).hexdigest()
    public_key = {
        "hint": {"hint": hint},
        "raw pem": {"rawBytes": b64(pem)},
        "raw der": {"rawBytes": b64(der(other))},
        "junk": {"hint": "a key of mine"},
        "short": {"hint": hashlib.sha256(by.public_pem.encode()).hexdigest()[:-1]},
        "hint of raw": {"rawBytes": b64(by.public_pem.encode()), "hint": hint},
    }[form]
    model.rewrite(model.bundle | {"verificationMaterial": material(**public_key)})
    expect(model, *STRANGER)


def test_a_changed_payload(model: Model) -> None:
    bundle = model.bundle
    payload = bundle["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["payload"] = ("A" if payload[0] != "A" else "B") + payload[1:]
    expect(model.rewrite(bundle), *WRONG)


@pytest.mark.parametrize(
    "junk", [b"junk", b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\0" * 64, b"\x30"]
)
def test_a_signature_that_is_none(model: Model, junk: bytes) -> None:
    bundle = model.bundle
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(junk)
    expect(model.rewrite(bundle), *WRONG)


@pytest.mark.parametrize("place", [4, 40, -1])
def test_a_signature_with_one_bit_flipped(model: Model, place: int) -> None:
    bundle = model.bundle
    (entry,) = bundle["dsseEnvelope"]["signatures"]
    raw = bytearray(b64decode(entry["sig"]))
    raw[place] ^= 1
    entry["sig"] = b64(bytes(raw))
    expect(model.rewrite(bundle), *WRONG)


@pytest.mark.parametrize(
    "signed", ["payload alone", "payload in base64", "another type", "shifted length"]
)
def test_a_signature_over_other_bytes_than_the_encoding(model: Model, signed: str) -> None:
    by, bundle = model.by, model.bundle
    assert isinstance(by, ByKey)
    payload = b64decode(bundle["dsseEnvelope"]["payload"])
    message = {
        "payload alone": payload,
        "payload in base64": bundle["dsseEnvelope"]["payload"].encode(),
        "another type": encoding(payload, "text/plain"),
        "shifted length": encoding(payload).replace(b"DSSEv1 28", b"DSSEv1 29"),
    }[signed]
    hint = {"hint": hashlib.sha256(by.public_pem.encode()).hexdigest()}
    model.rewrite(bundle_of(material(**hint), payload, IN_TOTO, by.sign(message)))
    expect(model, *WRONG)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize(
    "algorithm",
    [hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()],
    ids=lambda a: a.name,
)
def test_only_the_hash_that_fits_the_curve(
    tmp_path: Path, curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm
) -> None:
    model = Model(tmp_path).sign_with_key(curve)
    by, bundle = model.by, model.bundle
    assert isinstance(by, ByKey)
    payload = b64decode(bundle["dsseEnvelope"]["payload"])
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(by.sign(encoding(payload), algorithm))
    model.rewrite(bundle)
    fits = {"secp256r1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}[curve.name]
    if algorithm.name == fits:
        expect(model, Reason.VERIFIED)
    else:
        expect(model, *WRONG)


def test_a_signature_of_another_model(tmp_path: Path, model: Model) -> None:
    by = model.by
    other = Model(tmp_path, {"config.json": b"other"}, name="other").sign(by)
    model.rewrite(other.signature.read_bytes())
    assert model.verify().reason is Reason.CONTENT_MISMATCH


# Several signers: one who accepts suffices.


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_of_several_signers_accepts(model: Model, place: int) -> None:
    strangers = [ByKey.new(curve).trusted() for curve in CURVES[:2]]
    right = Key(model.by.trusted().public_key, "right")  # type: ignore[union-attr]
    model.signers = (*strangers[:place], right, *strangers[place:])
    report = expect(model, Reason.VERIFIED)
    assert report.models[0].signer is not None
    assert report.models[0].signer.name == "right"


def test_none_of_several_signers_accepts(model: Model) -> None:
    model.signers = tuple(ByKey.new().trusted() for _ in range(3))
    report = model.verify()
    assert report.reason is Reason.SIGNER_UNTRUSTED
    assert {finding.code for finding in findings(report)} == {Code.KEY_MISMATCH}
    assert len(findings(report)) == 3


def test_several_keys_in_one_pem(model: Model) -> None:
    assert isinstance(model.by, ByKey)
    text = ByKey.new().public_pem + model.by.public_pem
    model.signers = (Key(Material(text=text)),)
    expect(model, Reason.VERIFIED)


def test_a_wrong_signature_outweighs_a_stranger(model: Model) -> None:
    """The key that the bundle names is trusted, and did not make this signature."""
    bundle = model.bundle
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(b"junk")
    model.rewrite(bundle)
    model.signers = (ByKey.new().trusted(), model.by.trusted())
    expect(model, *WRONG, also=[(Code.KEY_MISMATCH, "")])


def _pem(key: PublicKeyTypes) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def _private(by: ByKey) -> str:
    return by.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


UNUSABLE: dict[str, Callable[[], str]] = {
    "empty": lambda: " ",
    "text": lambda: "my key",
    "RSA": lambda: _pem(rsa.generate_private_key(65537, 2048).public_key()),
    "Ed25519": lambda: _pem(ed25519.Ed25519PrivateKey.generate().public_key()),
    "secp256k1": lambda: _pem(ec.generate_private_key(ec.SECP256K1()).public_key()),
    "P-224": lambda: _pem(ec.generate_private_key(ec.SECP224R1()).public_key()),
    "private": lambda: _private(ByKey.new()),
    "private after public": lambda: ByKey.new().public_pem + _private(ByKey.new()),
    "junk before": lambda: "junk\n" + ByKey.new().public_pem,
    "junk after": lambda: ByKey.new().public_pem + "junk",
    "truncated": lambda: ByKey.new().public_pem[:-40],
    "no key inside": lambda: "-----BEGIN PUBLIC KEY-----\neA==\n-----END PUBLIC KEY-----\n",
    "point off the curve": lambda: ByKey.new().public_pem.replace("QgAE", "QgAEAAAA", 1),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_key_that_cannot_be_used(model: Model, what: str) -> None:
    model.signers = (Key(Material(text=UNUSABLE[what]())),)
    with pytest.raises(ConfigError) as caught:
        model.verify()
    assert caught.value.reason == "CONFIG"
    assert "signers[0].publicKey" in str(caught.value)


def test_times_do_not_matter_to_a_key(model: Model) -> None:
    assert model.signature.stat().st_mtime_ns == LONG_AGO_NS
    expect(model, Reason.VERIFIED)
