"""What this project assumes of OpenSSL, pyOpenSSL and cryptography about certificates and keys."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from OpenSSL import SSL, crypto

from tests.contract.expect import refusal
from tests.differential.workshop import CURVES, DAY, TLS, Issued, issue, key_usage

NOW = datetime.now(UTC)
HERE = "signature/certificate.py"


def _verify(
    leaf: Issued, links: Sequence[Issued], anchors: Sequence[Issued], now: datetime = NOW
) -> list[x509.Certificate]:
    """Builds the path as signature/certificate.py does."""
    store = crypto.X509Store()
    for anchor in anchors:
        store.add_cert(crypto.X509.from_cryptography(anchor.certificate))
    store.set_time(now)
    context = crypto.X509StoreContext(
        store,
        crypto.X509.from_cryptography(leaf.certificate),
        [crypto.X509.from_cryptography(link.certificate) for link in links],
    )
    return [link.to_cryptography() for link in context.get_verified_chain()]


def _error(
    leaf: Issued, links: Sequence[Issued], anchors: Sequence[Issued], now: datetime = NOW
) -> crypto.X509StoreContextError:
    advice = f"OpenSSL accepts this path now: {HERE} must refuse it by itself"
    with refusal(advice, crypto.X509StoreContextError) as caught:
        _verify(leaf, links, anchors, now)
    (error,) = caught
    assert isinstance(error, crypto.X509StoreContextError)
    return error


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


# --- the path -------------------------------------------------------------------------------


def test_the_chain_goes_from_the_leaf_to_the_anchor() -> None:
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True)
    leaf = issue("leaf", middle)
    stranger = issue("stranger", ca=True)
    chain = _verify(leaf, [stranger, middle], [stranger, root])
    expected = [leaf.certificate, middle.certificate, root.certificate]
    assert chain == expected, f"_check_strength of {HERE} skips the last one, the anchor"


def test_an_error_tells_number_depth_text_and_certificate() -> None:
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True, start=NOW - 2 * DAY, end=NOW - DAY)
    error = _error(issue("leaf", middle), [middle], [root])
    assert error.errors == [10, 1, "certificate has expired"], f"_path_finding of {HERE} reads them"
    assert error.certificate.to_cryptography() == middle.certificate


@pytest.mark.parametrize(("shift", "number"), [(-5, 9), (5, 10)])
@pytest.mark.parametrize("which", ["leaf", "middle", "root"])
def test_every_link_must_be_valid_at_the_given_time(which: str, shift: int, number: int) -> None:
    days = {name: DAY * (1 if name == which else 9) for name in ("leaf", "middle", "root")}
    root = issue("root", ca=True, start=NOW - days["root"], end=NOW + days["root"])
    middle = issue("middle", root, ca=True, start=NOW - days["middle"], end=NOW + days["middle"])
    leaf = issue("leaf", middle, start=NOW - days["leaf"], end=NOW + days["leaf"])
    assert _verify(leaf, [middle], [root])
    error = _error(leaf, [middle], [root], NOW + shift * DAY)
    assert error.errors[0] == number, f"_NOT_YET_VALID and _EXPIRED of {HERE}"
    assert _name(error.certificate.to_cryptography()) == f"CN={which}"


def test_the_time_is_one_of_utc() -> None:
    """pyOpenSSL reads the fields of the datetime as UTC whatever its zone says."""
    root = issue("root", ca=True, start=NOW - DAY, end=NOW + timedelta(hours=1))
    leaf = issue("leaf", root, start=NOW - DAY, end=NOW + timedelta(hours=1))
    assert _verify(leaf, [], [root], NOW)
    east = NOW.astimezone(timezone(timedelta(hours=5)))
    assert east == NOW
    advice = f"zones are heeded now; until then {HERE} must be given UTC, as procedure.py does"
    with refusal(advice, crypto.X509StoreContextError):
        _verify(leaf, [], [root], east)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("no-ca-flag", "invalid CA certificate"),
        ("no-basic-constraints", "invalid CA certificate"),
        ("no-certificate-signing", "invalid CA certificate"),
        ("path-length", "path length constraint exceeded"),
        ("name-constraint", "permitted subtree violation"),
        ("excluded-name", "excluded subtree violation"),
        ("other-issuer", "signature failure|unable to get local issuer"),
        ("absent", "unable to get local issuer"),
    ],
)
def test_a_bad_link_breaks_the_path(fault: str, text: str) -> None:
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True)
    names: list[x509.GeneralName] = []
    if fault == "no-ca-flag":
        middle = issue("middle", root, usage=key_usage("key_cert_sign"))
    elif fault == "no-basic-constraints":
        middle = issue("middle", root, purposes=TLS)
    elif fault == "no-certificate-signing":
        middle = issue("middle", root, ca=True, usage=key_usage("digital_signature"))
    elif fault == "path-length":
        root = issue("root", ca=True, path_length=0)
        middle = issue("middle", root, ca=True)
    elif fault.endswith(("constraint", "name")):
        tree = [x509.DNSName("good.example")]
        limits = (
            x509.NameConstraints(tree, None)
            if fault == "name-constraint"
            else x509.NameConstraints(None, [x509.DNSName("bad.example")])
        )
        middle = issue("middle", root, ca=True, constraints=limits)
        names = [x509.DNSName("bad.example")]
    leaf = issue("leaf", middle, names=names)
    links = [] if fault == "absent" else [middle]
    if fault == "other-issuer":
        links = [issue("middle", root, ca=True)]
    error = _error(leaf, links, [root])
    assert re.search(text, error.errors[2]), error.errors


def test_an_intermediate_in_the_store_is_no_anchor() -> None:
    middle = issue("middle", issue("root", ca=True), ca=True)
    error = _error(issue("leaf", middle), [], [middle])
    assert "issuer" in error.errors[2], (
        f"X509_V_FLAG_PARTIAL_CHAIN is on by default now: `certificates` of config/material.py"
        f" and {HERE} let only self-signed certificates be anchors"
    )


def test_an_intermediate_in_the_store_helps_to_find_the_anchor() -> None:
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True)
    leaf = issue("leaf", middle)
    chain = _verify(leaf, [], [middle, root])
    assert chain[-1] == root.certificate, f"policies give intermediates beside the root: {HERE}"


def test_a_root_that_the_bundle_brings_is_no_anchor() -> None:
    root = issue("root", ca=True)
    error = _error(issue("leaf", root), [root], [issue("other", ca=True)])
    assert "self-signed certificate in certificate chain" in error.errors[2]


@pytest.mark.parametrize("ca", [False, True])
def test_a_self_signed_leaf_in_the_store_is_its_own_anchor(ca: bool) -> None:  # noqa: FBT001
    leaf = issue("leaf", ca=ca)
    assert _verify(leaf, [], [leaf]) == [leaf.certificate], (
        "people sign with such certificates: the design wants them accepted"
    )


def test_a_leaf_may_be_a_ca_without_names_under_an_issuer_of_its_own_name() -> None:
    """As GnuTLS certtool makes it: CA:TRUE, no SAN, subject equal to the issuer's."""
    root = issue("same", ca=True, key_ids=True)
    leaf = issue("same", root, ca=True, usage=key_usage("digital_signature"), key_ids=True)
    assert leaf.certificate.subject == leaf.certificate.issuer
    assert _verify(leaf, [], [root])[0] == leaf.certificate, (
        "certtool's leaves must pass: the design wants them accepted"
    )


def test_purposes_and_strength_are_not_looked_at() -> None:
    weak = issue("root", ca=True, key=rsa.generate_private_key(65537, 1024))  # noqa: S505
    assert _verify(issue("leaf", weak, purposes=TLS, usage=key_usage("key_agreement")), [], [weak])
    # If this fails: _check_purpose and _check_strength of signature/certificate.py may be in part
    # unnecessary, and their findings named otherwise.


# --- cryptography ---------------------------------------------------------------------------


def test_some_certificates_break_only_when_a_part_is_read() -> None:
    """Why signature/certificate.py touches every part of a hostile certificate at once."""
    leaf = issue("leaf", names=[x509.DNSName("a.example")])
    spoilt = leaf.der.replace(b"\x82\x09a.example", b"\x82\x09a.ex\xffmple")
    assert spoilt != leaf.der
    certificate = x509.load_der_x509_certificate(spoilt)
    with pytest.raises(ValueError, match=r"[Ii]nvalid"):
        _ = certificate.extensions


def test_some_names_break_only_when_they_are_read() -> None:
    spoilt = issue("leaf").der.replace(b"\x0c\x04leaf", b"\x0c\x04le\xff\xff")
    certificate = x509.load_der_x509_certificate(spoilt)
    _ = certificate.extensions
    with pytest.raises(ValueError):  # noqa: PT011  (its text is the library's)
        certificate.subject.rfc4514_string()


@pytest.mark.parametrize("curve", CURVES)
def test_the_curves_have_these_names(curve: str) -> None:
    from verifier_cli.config.material import CURVES as KNOWN
    from verifier_cli.signature.envelope import HASHES

    key = ec.generate_private_key(CURVES[curve][0]).public_key()
    assert key.curve.name in KNOWN
    assert HASHES[key.curve.name].name == CURVES[curve][1].name


@pytest.mark.parametrize("place", ["before", "after", "both"])
def test_pem_readers_overlook_text_around_a_key(place: str) -> None:
    pem = (
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    text = {"before": b"x\n" + pem, "after": pem + b"x\n", "both": b"x\n" + pem + b"x\n"}[place]
    try:
        serialization.load_pem_public_key(text)
    except ValueError:
        pytest.fail("text around a key is refused now: `_PUBLIC_KEY` of config/material.py")


def test_pem_readers_take_the_first_of_several_keys() -> None:
    first, second = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        for _ in range(2)
    )
    key = serialization.load_pem_public_key(first + second)
    assert key == serialization.load_pem_public_key(first), (
        "`public_keys` of config/material.py splits the file by itself because of this"
    )


def test_signatures_that_are_not_der_are_invalid_and_nothing_else() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    good = key.sign(b"x", ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(good)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for bad in (b"", b"junk", good[:-1], good + b"x", utils.encode_dss_signature(r, s + order)):
        with pytest.raises(InvalidSignature):  # `_signed` of signature/envelope.py catches no more
            key.public_key().verify(bad, b"x", ec.ECDSA(hashes.SHA256()))


def test_der_text_is_decoded_whole() -> None:
    assert (
        asn1.decode_der(str, asn1.encode_der("https://issuer.example")) == "https://issuer.example"
    )
    for bad in (b"", b"\x0c\x05ab", asn1.encode_der("x") + b"x", asn1.encode_der(5)):
        with pytest.raises(ValueError):  # noqa: PT011  (signature/leaf.py catches it)
            asn1.decode_der(str, bad)


def test_openssl_looks_for_its_configuration_where_pods_may_mount_nothing() -> None:
    """It is built into the wheel; a configuration there would load any code into the verifier."""
    said = SSL.OpenSSL_version(SSL.SSLEAY_DIR).decode()
    assert said == 'OPENSSLDIR: "/opt/pyca/cryptography/openssl"', (
        "name the new place in _TAKEN of kube/sight.py and in manifests/base/guard/verifier.yaml"
    )
