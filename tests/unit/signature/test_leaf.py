"""What a leaf says of its holder."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tests.unit.signing import CODE_SIGNING, leaf, root
from verifier_cli.inputs import Malformed
from verifier_cli.signature.leaf import (
    fulcio_identities,
    fulcio_issuers,
    kind_of,
    names,
    parse_certificate,
    signs_code,
)

ROOT = root()
OLD_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
NEW_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
URL = "https://idp.example.com"
DER = b"\x0c" + bytes([len(URL)]) + URL.encode()


def certificate(*extensions: x509.ExtensionType) -> x509.Certificate:
    return leaf(ROOT, extensions=extensions).certificate


def issuer(oid: ObjectIdentifier, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(oid, value)


def test_identities_are_emails_uris_and_sigstores_other_name() -> None:
    user = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), b"\x0c\x04user")
    foreign = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x04else")
    san = x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier("https://example.com/workflow"),
            x509.DNSName("example.com"),
            x509.RFC822Name("a@example.com"),
            user,
            foreign,
        ]
    )
    found = fulcio_identities(certificate(san))
    assert found[:2] == ["a@example.com", "https://example.com/workflow"]
    assert len(found) == 3
    assert found[2].endswith("user")


def test_a_certificate_without_san_names_nobody() -> None:
    assert fulcio_identities(certificate()) == []


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ([], set()),
        ([issuer(OLD_ISSUER, URL.encode())], {URL}),
        ([issuer(NEW_ISSUER, DER)], {URL}),
        ([issuer(OLD_ISSUER, URL.encode()), issuer(NEW_ISSUER, DER)], {URL}),
        ([issuer(OLD_ISSUER, b"https://old"), issuer(NEW_ISSUER, DER)], {"https://old", URL}),
        # Unreadable is not the same as absent.
        ([issuer(OLD_ISSUER, b"\xff"), issuer(NEW_ISSUER, DER)], {"", URL}),
        ([issuer(OLD_ISSUER, b"\xff")], {""}),
        ([issuer(NEW_ISSUER, b"\x0c\x7fshort")], {""}),
    ],
)
def test_the_issuers(extensions: list[x509.ExtensionType], expected: set[str]) -> None:
    assert fulcio_issuers(certificate(*extensions)) == expected


def test_names_by_kind() -> None:
    san = x509.SubjectAlternativeName(
        [
            x509.DNSName("example.com"),
            x509.UniformResourceIdentifier("https://example.com/x"),
            x509.RFC822Name("a@example.com"),
        ]
    )
    assert names(certificate(san)) == {
        "email": ["a@example.com"],
        "uri": ["https://example.com/x"],
        "dns": ["example.com"],
        "subject": ["CN=Release"],
    }
    nameless = leaf(ROOT, "", extensions=[]).certificate
    assert names(nameless) == {"email": [], "uri": [], "dns": [], "subject": []}


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        ("a@example.com", "email"),
        ("https://example.com/a@b", "uri"),
        ("spiffe://x", "uri"),
        ("urn:x:y", "uri"),
        ("CN=a@b", "subject"),
        ("example.com", "dns"),
    ],
)
def test_the_kind_of_name_that_is_meant(identity: str, kind: str) -> None:
    assert kind_of(identity) == kind


def test_a_certificate_is_parsed_to_its_end() -> None:
    sound = leaf(ROOT).certificate
    der = sound.public_bytes(Encoding.DER)
    assert parse_certificate(der) == sound
    # The SAN is parsed only when it is asked for: spoil the tag of its name.
    position = der.rindex(b"release@example.com")
    spoilt = der[: position - 2] + b"\xbf" + der[position - 1 :]
    for broken in (b"", b"abc", der[:-1], der + b"x", spoilt):
        with pytest.raises(Malformed, match="holds a certificate that cannot be parsed"):
            parse_certificate(broken)


@pytest.mark.parametrize(
    ("extensions", "signs"),
    [
        ([], False),
        ([CODE_SIGNING], True),
        ([x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])], False),
    ],
)
def test_what_signs_code(extensions: list[x509.ExtensionType], *, signs: bool) -> None:
    assert signs_code(certificate(*extensions)) is signs
