"""The certificate method: whose leaf, for what, under which anchor, and when."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from tests.unit.signing import (
    CODE_SIGNING,
    DAY,
    NOW,
    Issued,
    Signer,
    chain_material,
    email,
    issue,
    key_usage,
    leaf,
    resources,
    root,
    statement,
)
from verifier_cli.inputs import Malformed
from verifier_cli.policy import Certificate, Material
from verifier_cli.signature import certificate as module
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.signature.certificate import authenticate
from verifier_cli.verdict import Code, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

STATEMENT = statement(resources({"a": b"1"}))
ROOT = root()
NOBODY = Material(text="unused here")


def outcome(
    signed_by: Issued,
    *links: Issued,
    given: Sequence[Issued] = (ROOT,),
    identity: str | None = "release@example.com",
    require_code_signing: bool = True,
    now: datetime = NOW,
) -> Evidence | Finding:
    signer = (
        Signer(signed_by.key)
        if isinstance(signed_by.key, ec.EllipticCurvePrivateKey)
        else (Signer())
    )
    chain = chain_material(*(each.certificate for each in (signed_by, *links)))
    bundle = parse_bundle(json.dumps(signer.bundle(STATEMENT, **chain)).encode())
    policy = Certificate(NOBODY, identity, require_code_signing=require_code_signing, name="us")
    return authenticate(bundle, policy, [each.certificate for each in given], now)


def refusal(signed_by: Issued, *links: Issued, **rules: object) -> Finding:
    found = outcome(signed_by, *links, **rules)  # type: ignore[arg-type]
    assert isinstance(found, Finding)
    return found


def accepted(signed_by: Issued, *links: Issued, **rules: object) -> Evidence:
    found = outcome(signed_by, *links, **rules)  # type: ignore[arg-type]
    assert isinstance(found, Evidence), found
    return found


def test_a_leaf_under_the_anchor() -> None:
    signed_by = leaf(ROOT)
    assert accepted(signed_by) == Evidence(
        "certificate",
        name="us",
        identity="release@example.com",
        issuer="CN=Root",
        fingerprint=signed_by.certificate.fingerprint(hashes.SHA256()).hex(),
    )


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_leaf_on_another_curve(curve: ec.EllipticCurve) -> None:
    accepted(leaf(ROOT, key=ec.generate_private_key(curve)))


def test_the_intermediate_may_come_with_the_signature_or_with_the_policy() -> None:
    middle = issue("Middle", ROOT, ca=True, extensions=[key_usage("key_cert_sign")])
    signed_by = leaf(middle)
    accepted(signed_by, middle)
    accepted(signed_by, given=[middle, ROOT])
    assert refusal(signed_by).code is Code.CHAIN_UNTRUSTED


def test_an_intermediate_of_the_policy_is_no_anchor() -> None:
    middle = issue("Middle", ROOT, ca=True, extensions=[key_usage("key_cert_sign")])
    found = refusal(leaf(middle), given=[root("Other"), middle])
    assert found.code is Code.CHAIN_UNTRUSTED


def test_a_root_that_comes_with_the_signature_is_no_anchor() -> None:
    own = root("Mallory")
    assert refusal(leaf(own), own).code is Code.CHAIN_UNTRUSTED


def test_a_foreign_root_of_the_same_name() -> None:
    impostor = root("Root")
    assert refusal(leaf(impostor), impostor).code is Code.CHAIN_UNTRUSTED


def test_no_anchor_accepts_nobody() -> None:
    assert refusal(leaf(ROOT), given=[]).code is Code.CHAIN_UNTRUSTED


def test_a_self_signed_leaf_that_is_itself_the_anchor() -> None:
    signed_by = leaf(None, "Self")
    accepted(signed_by, given=[signed_by])
    assert refusal(signed_by).code is Code.CHAIN_UNTRUSTED


def test_a_leaf_as_gnutls_makes_it() -> None:
    # CA:TRUE, no SAN, and the subject of its issuer: only the key identifiers tell them apart.
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    above, own = (x509.SubjectKeyIdentifier.from_public_key(key.public_key()) for key in keys)
    signs = key_usage("key_cert_sign")
    authority = issue("Test", key=keys[0], ca=True, extensions=[signs, above])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
    usual = [key_usage("digital_signature"), CODE_SIGNING, issuer, own]
    signed_by = issue("Test", authority, key=keys[1], ca=True, extensions=usual)
    found = accepted(signed_by, given=[authority], identity=None)
    assert found.identity == "CN=Test"


def test_a_leaf_may_not_issue() -> None:
    end = leaf(ROOT, "End")
    assert refusal(leaf(end), end).code is Code.CHAIN_UNTRUSTED


LONG_AGO, YESTERDAY, TOMORROW, LATE = NOW - 90 * DAY, NOW - DAY, NOW + DAY, NOW + 90 * DAY


@pytest.mark.parametrize(
    ("valid", "fault"),
    [
        ((LONG_AGO, YESTERDAY), "CN=Release has expired"),
        ((TOMORROW, LATE), "CN=Release is not valid yet"),
    ],
)
def test_a_leaf_that_is_not_valid_now(valid: tuple[datetime, datetime], fault: str) -> None:
    found = refusal(leaf(ROOT, valid=valid))
    assert found.code is Code.CERTIFICATE_EXPIRED
    assert fault in found.detail
    assert found.expected == "valid now"
    assert f"{valid[1]:%Y-%m-%dT%H:%M:%SZ}" in (found.actual or "")


def test_an_anchor_that_has_expired() -> None:
    old = root("Old", valid=(LONG_AGO, YESTERDAY))
    assert refusal(leaf(old), given=[old]).code is Code.CERTIFICATE_EXPIRED


def test_the_time_that_counts_is_the_one_passed_in() -> None:
    signed_by = leaf(ROOT)
    accepted(signed_by, now=NOW)
    assert refusal(signed_by, now=NOW + timedelta(days=366)).code is Code.CERTIFICATE_EXPIRED


def purposes(*oids: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage(oids)


TLS = purposes(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
SIGNS, ENCRYPTS = key_usage("digital_signature"), key_usage("key_encipherment")
SAN = email("release@example.com")


@pytest.mark.parametrize(
    ("extensions", "lenient", "passes"),
    [
        ([SIGNS, CODE_SIGNING, SAN], False, True),
        ([CODE_SIGNING, SAN], False, True),
        ([ENCRYPTS, CODE_SIGNING, SAN], False, False),
        ([ENCRYPTS, CODE_SIGNING, SAN], True, False),
        ([SIGNS, TLS, SAN], False, False),
        ([SIGNS, TLS, SAN], True, False),
        ([SIGNS, purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE), SAN], True, False),
        ([SIGNS, SAN], False, False),
        ([SIGNS, SAN], True, True),
        ([SAN], True, False),
        ([SAN], False, False),
    ],
)
def test_what_a_leaf_must_be_for(
    extensions: list[x509.ExtensionType], *, lenient: bool, passes: bool
) -> None:
    found = outcome(leaf(ROOT, extensions=extensions), require_code_signing=not lenient)
    if passes:
        assert isinstance(found, Evidence), found
    else:
        assert isinstance(found, Finding)
        assert found.code is Code.CERTIFICATE_PURPOSE


def test_another_purpose_is_named() -> None:
    found = refusal(leaf(ROOT, extensions=[SIGNS, TLS, SAN]))
    assert found.expected == "1.3.6.1.5.5.7.3.3"
    assert found.actual == "1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256K1()),
    ],
    ids=["rsa", "ed25519", "secp256k1"],
)
def test_a_leaf_with_another_kind_of_key(key: object) -> None:
    found = refusal(leaf(ROOT, key=key))
    assert found.code is Code.CERTIFICATE_PURPOSE
    assert "P-256" in found.detail


def test_a_signature_by_another_key_than_the_leafs() -> None:
    signed_by = leaf(ROOT)
    stranger = Issued(signed_by.certificate, ec.generate_private_key(ec.SECP256R1()))
    assert refusal(stranger).code is Code.SIGNATURE_WRONG


def test_an_anchor_with_a_weak_rsa_key() -> None:
    weak = root("Weak", key=rsa.generate_private_key(65537, 1024))  # noqa: S505
    found = refusal(leaf(weak), given=[weak])
    # OpenSSL's own level of security may refuse the path first; both refuse the signer.
    assert found.code in (Code.CERTIFICATE_WEAK, Code.CHAIN_UNTRUSTED)


def test_an_anchor_with_a_sound_rsa_key() -> None:
    sound = root("Sound", key=rsa.generate_private_key(65537, 2048))
    accepted(leaf(sound), given=[sound])


NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("example.com"),
        x509.UniformResourceIdentifier("https://example.com/x"),
        x509.UniformResourceIdentifier("b@example.com"),
        x509.RFC822Name("a@example.com"),
    ]
)


@pytest.mark.parametrize(
    "identity", ["a@example.com", "https://example.com/x", "example.com", "CN=Release"]
)
def test_every_kind_of_name(identity: str) -> None:
    signed_by = leaf(ROOT, extensions=[SIGNS, CODE_SIGNING, NAMES])
    assert accepted(signed_by, identity=identity).identity == identity


@pytest.mark.parametrize(
    ("identity", "actual"),
    [
        ("other@example.com", "a@example.com"),
        ("A@example.com", "a@example.com"),
        ("a@example.com ", "a@example.com"),
        # An authority may vouch for one kind of name and let anybody choose another.
        ("b@example.com", "a@example.com"),
        ("https://example.com", "https://example.com/x, b@example.com"),
        ("urn:x", "https://example.com/x, b@example.com"),
        ("www.example.com", "example.com"),
        ("Release", "example.com"),
        ("CN=release", "CN=Release"),
        ("CN=Release,O=x", "CN=Release"),
    ],
)
def test_an_identity_is_exact_and_of_its_kind(identity: str, actual: str) -> None:
    found = refusal(leaf(ROOT, extensions=[SIGNS, CODE_SIGNING, NAMES]), identity=identity)
    assert found.code is Code.IDENTITY_MISMATCH
    assert (found.expected, found.actual) == (identity, actual)


def test_without_an_identity_any_leaf_will_do() -> None:
    assert accepted(leaf(ROOT), identity=None).identity == "CN=Release"


def test_a_leaf_that_names_nobody() -> None:
    nameless = leaf(ROOT, "", extensions=[SIGNS, CODE_SIGNING])
    assert not accepted(nameless, identity=None).identity
    assert refusal(nameless).actual == "(none)"


@pytest.mark.parametrize(
    ("purposes_of_authority", "passes"),
    [
        (None, True),
        (CODE_SIGNING, True),
        (purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE), True),
        (TLS, False),
    ],
)
def test_what_an_authority_may_issue(
    purposes_of_authority: x509.ExtendedKeyUsage | None, *, passes: bool
) -> None:
    extensions: list[x509.ExtensionType] = [key_usage("key_cert_sign")]
    if purposes_of_authority is not None:
        extensions.append(purposes_of_authority)
    middle = issue("Middle", ROOT, ca=True, extensions=extensions)
    found = outcome(leaf(middle), middle)
    if passes:
        assert isinstance(found, Evidence), found
    else:
        assert isinstance(found, Finding)
        # OpenSSL's own rules may refuse the path first; both refuse the signer.
        assert found.code in (Code.CERTIFICATE_PURPOSE, Code.CHAIN_UNTRUSTED)


def test_a_certificate_that_cannot_be_parsed() -> None:
    signer = Signer()
    material = {"x509CertificateChain": {"certificates": [{"rawBytes": "bm8="}]}}
    bundle = parse_bundle(json.dumps(signer.bundle(STATEMENT, **material)).encode())
    with pytest.raises(Malformed, match="holds a certificate that cannot be parsed"):
        authenticate(bundle, Certificate(NOBODY), [ROOT.certificate], NOW)


def test_a_link_that_was_signed_with_the_shortest_hash_there_may_be() -> None:
    accepted(leaf(ROOT, algorithm=hashes.SHA224()))


def test_a_link_that_was_signed_with_sha1() -> None:
    sound = leaf(ROOT)
    # cryptography no longer signs so, OpenSSL still does.
    weak = crypto.X509.from_cryptography(sound.certificate)
    with pytest.deprecated_call():
        weak.sign(crypto.PKey.from_cryptography_key(ROOT.key), "sha1")  # type: ignore[deprecated]
    found = refusal(Issued(weak.to_cryptography(), sound.key))
    # OpenSSL's own level of security may refuse the path first; both refuse the signer.
    assert found.code in (Code.CERTIFICATE_WEAK, Code.CHAIN_UNTRUSTED)


def odd_algorithm(certificate: x509.Certificate) -> x509.Certificate:
    """The same certificate, signed with an algorithm that nobody knows."""
    known, odd = (bytes.fromhex(f"06082a8648ce3d04{end}") for end in ("0302", "0377"))
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert der.count(known) == 2
    return x509.load_der_x509_certificate(der.replace(known, odd))


def test_a_link_that_was_signed_with_an_unknown_algorithm() -> None:
    sound = leaf(ROOT)
    found = refusal(Issued(odd_algorithm(sound.certificate), sound.key))
    assert found.code is Code.CHAIN_UNTRUSTED
    finding = module._check_strength([odd_algorithm(sound.certificate), ROOT.certificate])
    assert finding is not None
    assert finding.code is Code.CERTIFICATE_WEAK


def test_who_does_not_say_to_be_an_authority_is_none() -> None:
    # RFC 5280 4.2.1.9: the key usage alone is no answer, and OpenSSL knows it.
    bare = leaf(ROOT, "Half", extensions=[key_usage("key_cert_sign")])
    assert refusal(leaf(bare), bare).code is Code.CHAIN_UNTRUSTED
