"""Trust material: read with its pin, parsed strictly, never mistaken for something else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from tests.unit.signing import Signer, issue, key_usage, leaf, pem, root
from verifier_cli.config import material
from verifier_cli.config.loaded import Loaded
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules, Policy
from verifier_cli.policy import Signer as AnySigner

TESTDATA = Path(__file__).parents[3] / "testdata/trust"
TRUST_CONFIG = (TESTDATA / "trust-config.json").read_text(encoding="utf-8")
MODELS = (ModelRules("/m"),)
ALICE, BOB = Signer(), Signer()


def policy(*signers: AnySigner, local: bool = False) -> Policy:
    return Policy(MODELS, signers, source="p.json", local=local)


def loaded(data: bytes) -> Loaded:
    return Loaded(data, "here")


def test_inline_material_is_its_text() -> None:
    key, keyless = material.load_all(
        policy(Key(Material(text=ALICE.pem.decode())), Keyless("https://x", "a"))
    )
    assert (key.data, key.where) == (ALICE.pem, "signers[0].publicKey")
    assert key.keys == (ALICE.key.public_key(),)
    assert keyless == Loaded(None, "signers[1].trustRoot")


def test_material_in_a_file(tmp_path: Path) -> None:
    path, authority = tmp_path / "ca", root()
    path.write_bytes(authority.pem)
    pin = hashlib.sha256(authority.pem).hexdigest()
    for given in (Material(path=str(path)), Material(path=str(path), sha256=pin)):
        (found,) = material.load_all(policy(Certificate(given)))
        assert (found.data, found.where) == (authority.pem, str(path))
        assert found.certificates == (authority.certificate,)


def test_all_pem_is_parsed_before_anything_is_verified() -> None:
    broken = (
        Key(Material(text="nonsense")),
        Certificate(Material(text="nonsense")),
        Keyless("https://x", "a", trust_root=Material(text="{}")),
    )
    with pytest.raises(ConfigError) as caught:
        material.load_all(policy(*broken))
    assert [problem.where for problem in caught.value.problems] == [
        "signers[0].publicKey",
        "signers[1].trustAnchors",
        "signers[2].trustRoot",
    ]


def test_every_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"x")
    signers = (
        Key(Material(path=str(tmp_path / "absent"))),
        Key(Material(text=ALICE.pem.decode())),
        Key(Material(path=str(path), sha256="0" * 64)),
        Keyless("https://x", "a", trust_root=Material(path=str(tmp_path))),
    )
    with pytest.raises(ConfigError) as caught:
        material.load_all(policy(*signers))
    assert str(caught.value).startswith("p.json: ")
    found = [str(problem) for problem in caught.value.problems]
    assert found[0].startswith("signers[0].publicKeyPath: ")
    assert "no such file" in found[0]
    assert found[1].startswith("signers[2].publicKeyPath: ")
    assert f"has SHA-256 {hashlib.sha256(b'x').hexdigest()}, pinned is 000" in found[1]
    assert found[2].startswith("signers[3].trustRootPath: ")
    assert "is not a regular file" in found[2]


def test_a_file_larger_than_is_read(tmp_path: Path) -> None:
    path = tmp_path / "k"
    with path.open("wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(ConfigError, match="more than the 1048576"):
        material.load_all(policy(Key(Material(path=str(path)))))


def test_on_a_command_line_the_file_says_enough(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        material.load_all(policy(Key(Material(path=str(tmp_path / "absent"))), local=True))
    assert str(caught.value).startswith(str(tmp_path / "absent"))


CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_key(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve).public_key()
    assert material.public_keys(loaded(pem(key))) == (key,)


def test_several_keys_and_white_space() -> None:
    text = b"\n\n" + ALICE.pem.replace(b"\n", b"\r\n") + b"\n" + BOB.pem.strip()
    assert material.public_keys(loaded(text)) == (
        ALICE.key.public_key(),
        BOB.key.public_key(),
    )


def test_a_curve_given_by_its_parameters_is_one_of_the_curves() -> None:
    der = ALICE.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert serialization.load_der_public_key(der) == ALICE.key.public_key()


PRIVATE = ALICE.key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is not a PEM public key"),
        (b"text", "is not a PEM public key"),
        (PRIVATE, "holds a private key: give its public half, and consider it leaked"),
        (ALICE.pem + PRIVATE, "holds a private key"),
        (root().pem, "holds a certificate: use the certificate method for it"),
        (ALICE.pem + b"and more", "is not a PEM public key"),
        (b"before" + ALICE.pem, "is not a PEM public key"),
        (ALICE.pem.replace(b"PUBLIC", b"public"), "is not a PEM public key"),
        (
            b"-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PUBLIC KEY-----\n",
            "is not a public key that can be read: ",
        ),
        (pem(rsa.generate_private_key(65537, 2048).public_key()), "is a key of kind RSA; only"),
        (pem(ed25519.Ed25519PrivateKey.generate().public_key()), "is a key of kind Ed25519; only"),
        (pem(dsa.generate_private_key(2048).public_key()), "is a key of kind DSA; only"),
        (
            pem(ec.generate_private_key(ec.SECP256K1()).public_key()),
            "is a key of kind secp256k1; only secp256r1, secp384r1, secp521r1 can be used",
        ),
        (
            ALICE.pem + pem(ec.generate_private_key(ec.SECP256K1()).public_key()),
            "is a key of kind secp256k1",
        ),
    ],
)
def test_what_is_no_key(data: bytes, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        material.public_keys(loaded(data))
    assert str(caught.value).startswith(f"here: {fault}")


def test_anchors_and_intermediates() -> None:
    authority, other = root(), root("Other")
    middle = issue("Middle", authority, ca=True, extensions=[key_usage("key_cert_sign")])
    text = middle.pem + b"comment\n" + authority.pem + other.pem
    found = material.certificates(loaded(text))
    assert set(found) == {each.certificate for each in (authority, other, middle)}


def test_a_chain_must_end_in_a_root() -> None:
    authority = root()
    middle = issue("Middle", authority, ca=True, extensions=[key_usage("key_cert_sign")])
    with pytest.raises(ConfigError, match=r"holds no self-signed certificate.*: add the root"):
        material.certificates(loaded(middle.pem + leaf(middle).pem))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        ALICE.pem,
        b"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nYWJj\n",
    ],
)
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(ConfigError, match="here: holds no PEM certificate that can be read: "):
        material.certificates(loaded(data))


def test_all_inline_material_is_checked_and_no_file() -> None:
    sound = policy(
        Key(Material(text=ALICE.pem.decode())),
        Certificate(Material(text=root().pem.decode())),
        Keyless("https://x", "a", trust_root=Material(text=TRUST_CONFIG)),
        Keyless("https://x", "a"),
        Key(Material(path="/absent")),
    )
    material.check_inline(sound)
    broken = policy(
        Key(Material(text="x")),
        Key(Material(text=ALICE.pem.decode())),
        Certificate(Material(text="x")),
        Keyless("https://x", "a", trust_root=Material(text="{}")),
    )
    with pytest.raises(ConfigError) as caught:
        material.check_inline(broken)
    assert [problem.where for problem in caught.value.problems] == [
        "signers[0].publicKey",
        "signers[2].trustAnchors",
        "signers[3].trustRoot",
    ]
