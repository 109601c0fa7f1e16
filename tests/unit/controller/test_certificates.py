"""The webhook's certificates: made, renewed, and never issued by whom nobody knows."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from verifier_cli.controller.certificates import (
    AUTHORITY_DAYS,
    SERVING_DAYS,
    SPREAD,
    Material,
    Pair,
    advance,
    authority,
    issue,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NAMES = ["webhook.ns.svc", "webhook.ns"]
DAY = dt.timedelta(days=1)


def first() -> Material:
    return advance(Material(), NOW, NAMES, ())


def known(material: Material) -> set[bytes]:
    return {pair.certificate for pair in material.authorities}


def serving(material: Material) -> x509.Certificate:
    assert material.serving is not None
    return material.serving.parsed


def test_the_first_time_both_are_made() -> None:
    made = first()
    (ca,) = made.authorities
    certificate = serving(made)
    certificate.verify_directly_issued_by(ca.parsed)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == NAMES
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]
    constraints = ca.parsed.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert made.bundle == ca.certificate


@pytest.mark.parametrize("minutes", [-55, 0, 55])
def test_a_clock_that_differs_takes_the_whole_path(minutes: int) -> None:
    """As an API server on another node checks it, authority included."""
    made, theirs = first(), NOW + dt.timedelta(minutes=minutes)
    (ca,) = made.authorities
    trusting = PolicyBuilder().store(Store([ca.parsed])).time(theirs)
    verifier = trusting.build_server_verifier(x509.DNSName(NAMES[0]))
    assert verifier.verify(serving(made), []) == [serving(made), ca.parsed]
    # Nor does a controller with such a clock, who takes over, make anything anew.
    assert advance(made, theirs, NAMES, known(made)) == made


def test_nothing_changes_before_it_is_time() -> None:
    made = first()
    assert advance(made, NOW + dt.timedelta(days=SERVING_DAYS / 2), NAMES, known(made)) == made


def test_a_serving_certificate_is_renewed_long_before_its_end() -> None:
    made = first()
    later = NOW + dt.timedelta(days=SERVING_DAYS * 0.7)
    renewed = advance(made, later, NAMES, known(made))
    assert renewed.serving != made.serving
    assert renewed.authorities == made.authorities
    assert serving(renewed).not_valid_after_utc - later > dt.timedelta(days=SERVING_DAYS - 1)


def test_other_names_want_another_certificate() -> None:
    made = first()
    assert advance(made, NOW, ["other.ns.svc"], known(made)).serving != made.serving


def test_a_new_authority_issues_only_once_it_is_known_everywhere() -> None:
    made = first()
    later = NOW + dt.timedelta(days=AUTHORITY_DAYS * 0.7)
    old = known(made)
    # It is time for both: the serving certificate is still the old authority's.
    renewed = advance(made, later, NAMES, old)
    assert len(renewed.authorities) == 2
    serving(renewed).verify_directly_issued_by(made.authorities[0].parsed)
    assert renewed.bundle.count(b"BEGIN CERTIFICATE") == 2
    # It was published: the next certificate is its own, and the old one is still trusted.
    moved = advance(renewed, later + SPREAD, NAMES, known(renewed))
    serving(moved).verify_directly_issued_by(renewed.authorities[0].parsed)
    assert moved.authorities == renewed.authorities
    # Long after, nothing of the old one is in use.
    done = advance(moved, later + 3 * SPREAD, NAMES, known(moved))
    assert done.authorities == renewed.authorities[:1]
    assert done.serving == moved.serving


def test_a_lost_authority_takes_its_certificates_with_it() -> None:
    made = first()
    again = advance(Material((), made.serving), NOW, NAMES, ())
    serving(again).verify_directly_issued_by(again.authorities[0].parsed)


def test_an_authority_from_the_future_is_none() -> None:
    made = first()
    earlier = advance(made, NOW - 2 * DAY, NAMES, known(made))
    assert len(earlier.authorities) == 2


def test_a_certificate_by_a_stranger_is_replaced() -> None:
    made, stranger = first(), authority(NOW)
    foreign = Material(made.authorities, issue(stranger, NOW, NAMES))
    again = advance(foreign, NOW, NAMES, known(made))
    serving(again).verify_directly_issued_by(made.authorities[0].parsed)


def test_a_key_of_another_kind_issues_nothing() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    private = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(TypeError, match="elliptic-curve"):
        issue(Pair(first().authorities[0].certificate, private), NOW, NAMES)
