"""The certificate method: every rule about chains, one broken at a time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.builders import ByCertificate, Model, b64, expect, findings
from tests.damage.chains import (
    BETWEEN,
    CODE_SIGNING,
    DAY,
    LEAF,
    NOW,
    ROOT,
    Chain,
    Issued,
    Spec,
    breakable_key,
    chain,
    issue,
    new_key,
    pem,
    self_signed,
    usage,
    with_sha1,
)
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Material
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

UNTRUSTED = Reason.SIGNER_UNTRUSTED
with_ = dataclasses.replace
TLS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
PAST, FUTURE = (
    {"start": NOW - 3 * DAY, "end": NOW - 2 * DAY},
    {"start": NOW + DAY, "end": NOW + 2 * DAY},
)
GNUTLS = Spec(
    "Company",
    ca=True,
    names=(),
    usage=usage(sign=True, certify=True),
    purposes=(CODE_SIGNING,),
)


def model_of(tmp_path: Path, made: Chain) -> Model:
    return Model(tmp_path).sign(ByCertificate(made))


def trusting(model: Model, **changes: object) -> Model:
    """The model under a policy whose certificate signer is changed."""
    (signer,) = model.signers
    model.signers = (with_(signer, **changes),)
    return model


def anchors(*issued: Issued) -> Material:
    return Material(text=b"".join(pem(each.certificate) for each in issued).decode())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_a_chain_signed_by_model_signing(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    made = chain(leaf=with_(LEAF, key=ec.generate_private_key(curve)))
    model = Model(tmp_path).sign_with_certificate(made)
    report = expect(model, Reason.VERIFIED)
    signer = report.models[0].signer
    assert signer is not None
    assert (signer.method, signer.identity) == ("certificate", "CN=Signer")
    assert signer.issuer == "CN=Intermediate"
    assert [finding.code for finding in findings(report)] == [Code.SIGNER_UNNAMED]


SOUND = {
    "three links": chain(),
    "no SAN": chain(leaf=with_(LEAF, names=())),
    "no key usage": chain(leaf=with_(LEAF, usage=None)),
    "no basic constraints": chain(leaf=with_(LEAF, ca=None)),
    "several purposes": chain(leaf=with_(LEAF, purposes=(*TLS, CODE_SIGNING))),
    "a leaf that is a CA": chain(leaf=with_(LEAF, ca=True, usage=usage(sign=True, certify=True))),
    "no subject": chain(leaf=with_(LEAF, subject=None)),
    "one name for all": chain(leaf=with_(LEAF, subject="Company"), between=with_(BETWEEN, subject="Company"), root=with_(ROOT, subject="Company")),  # noqa: E501
    "path length that suffices": chain(root=with_(ROOT, path_length=1), between=with_(BETWEEN, path_length=0)),  # noqa: E501
    "permitted name": chain(root=with_(ROOT, permitted=(x509.RFC822Name("example.com"),))),
    "self-signed leaf": self_signed(LEAF),
    "authorities for code signing": chain(between=with_(BETWEEN, purposes=(CODE_SIGNING,))),
    "GnuTLS, self-signed": self_signed(GNUTLS),
    "GnuTLS, issued": chain(leaf=GNUTLS),
    "RSA root": chain(root=with_(ROOT, key=rsa.generate_private_key(65537, 2048))),
}  # fmt: skip


@pytest.mark.parametrize("made", SOUND.values(), ids=SOUND)
def test_chains_that_tools_really_make(tmp_path: Path, made: Chain) -> None:
    expect(model_of(tmp_path, made), Reason.VERIFIED)


def test_a_leaf_directly_under_the_root(tmp_path: Path) -> None:
    root = issue(ROOT)
    expect(model_of(tmp_path, Chain(issue(LEAF, root), (), root)), Reason.VERIFIED)


def test_a_gnutls_leaf_whose_subject_is_its_issuers(tmp_path: Path) -> None:
    root = issue(with_(ROOT, subject="Company"))
    leaf = issue(with_(GNUTLS, key=new_key()), root)
    expect(model_of(tmp_path, Chain(leaf, (), root)), Reason.VERIFIED)


REFUSED = {
    "expired leaf": (chain(leaf=with_(LEAF, **PAST)), Code.CERTIFICATE_EXPIRED),
    "expired intermediate": (chain(between=with_(BETWEEN, **PAST)), Code.CERTIFICATE_EXPIRED),
    "expired root": (chain(root=with_(ROOT, **PAST)), Code.CERTIFICATE_EXPIRED),
    "leaf of the future": (chain(leaf=with_(LEAF, **FUTURE)), Code.CERTIFICATE_EXPIRED),
    "intermediate of the future": (chain(between=with_(BETWEEN, **FUTURE)), Code.CERTIFICATE_EXPIRED),  # noqa: E501
    "root of the future": (chain(root=with_(ROOT, **FUTURE)), Code.CERTIFICATE_EXPIRED),
    "expired self-signed leaf": (self_signed(with_(LEAF, **PAST)), Code.CERTIFICATE_EXPIRED),
    "TLS only": (chain(leaf=with_(LEAF, purposes=TLS)), Code.CERTIFICATE_PURPOSE),
    "mail only": (chain(leaf=with_(LEAF, purposes=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))), Code.CERTIFICATE_PURPOSE),  # noqa: E501
    "any purpose": (chain(leaf=with_(LEAF, purposes=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))), Code.CERTIFICATE_PURPOSE),  # noqa: E501
    "no purpose": (chain(leaf=with_(LEAF, purposes=None)), Code.CERTIFICATE_PURPOSE),
    "encipherment only": (chain(leaf=with_(LEAF, usage=usage())), Code.CERTIFICATE_PURPOSE),
    "certifying only": (chain(leaf=with_(LEAF, ca=True, usage=usage(certify=True))), Code.CERTIFICATE_PURPOSE),  # noqa: E501
    "TLS only, self-signed": (self_signed(with_(LEAF, purposes=TLS)), Code.CERTIFICATE_PURPOSE),
    "intermediate for TLS": (chain(between=with_(BETWEEN, purposes=TLS)), Code.CERTIFICATE_PURPOSE),
    "root for TLS": (chain(root=with_(ROOT, purposes=TLS)), Code.CERTIFICATE_PURPOSE),
    "intermediate that is no CA": (chain(between=with_(BETWEEN, ca=False)), Code.CHAIN_UNTRUSTED),
    "intermediate that may not certify": (chain(between=with_(BETWEEN, usage=usage(sign=True))), Code.CHAIN_UNTRUSTED),  # noqa: E501
    "root that is no CA": (chain(root=with_(ROOT, ca=False)), Code.CHAIN_UNTRUSTED),
    "root that may not certify": (chain(root=with_(ROOT, usage=usage(sign=True))), Code.CHAIN_UNTRUSTED),  # noqa: E501
    "path length of the root": (chain(root=with_(ROOT, path_length=0)), Code.CHAIN_UNTRUSTED),
    "name outside the constraints": (chain(root=with_(ROOT, permitted=(x509.RFC822Name("other.org"),))), Code.CHAIN_UNTRUSTED),  # noqa: E501
    "URI outside the constraints": (chain(leaf=with_(LEAF, names=(x509.UniformResourceIdentifier("https://evil.org/x"),)), between=with_(BETWEEN, permitted=(x509.UniformResourceIdentifier("example.com"),))), Code.CHAIN_UNTRUSTED),  # noqa: E501
    "RSA root of 1024 bits": (chain(root=with_(ROOT, key=breakable_key())), Code.CERTIFICATE_WEAK),
    "RSA intermediate of 1024 bits": (chain(between=with_(BETWEEN, key=breakable_key())), Code.CERTIFICATE_WEAK),  # noqa: E501
}  # fmt: skip


@pytest.mark.parametrize(("made", "code"), REFUSED.values(), ids=REFUSED)
def test_a_chain_that_breaks_one_rule(tmp_path: Path, made: Chain, code: Code) -> None:
    report = expect(model_of(tmp_path, made), UNTRUSTED, code)
    assert report.models[0].signer is None
    if code is Code.CERTIFICATE_EXPIRED:
        (finding,) = findings(report, code)
        expired = any(
            each.certificate.not_valid_after_utc < NOW
            for each in (made.leaf, *made.between, made.root)
        )
        assert ("has expired" if expired else "not valid yet") in finding.detail


def test_a_link_signed_with_sha1(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    root = issue(with_(ROOT, key=key))
    between = with_sha1(issue(BETWEEN, root), key)
    made = Chain(issue(LEAF, between), (between,), root)
    expect(model_of(tmp_path, made), UNTRUSTED, Code.CERTIFICATE_WEAK)


def test_a_leaf_signed_with_sha1(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    root = issue(with_(ROOT, key=key))
    made = Chain(with_sha1(issue(LEAF, root), key), (), root)
    expect(model_of(tmp_path, made), UNTRUSTED, Code.CERTIFICATE_WEAK)


def test_a_root_signed_with_sha1_is_an_anchor_all_the_same(tmp_path: Path) -> None:
    """An anchor is trusted because it was given, not for its own signature."""
    key = rsa.generate_private_key(65537, 2048)
    root = with_sha1(issue(with_(ROOT, key=key)), key)
    expect(model_of(tmp_path, Chain(issue(LEAF, root), (), root)), Reason.VERIFIED)


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP256K1(), ec.BrainpoolP256R1()])
def test_a_leaf_on_another_curve(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    root = issue(ROOT)
    leaf = issue(with_(LEAF, key=ec.generate_private_key(curve)), root)
    model = model_of(tmp_path, Chain(issue(LEAF, root), (), root))
    expect(replace_chain(model, leaf), UNTRUSTED, Code.CERTIFICATE_PURPOSE)


def test_a_leaf_with_an_rsa_key(tmp_path: Path) -> None:
    root = issue(ROOT)
    leaf = issue(with_(LEAF, key=rsa.generate_private_key(65537, 2048)), root)
    model = model_of(tmp_path, Chain(issue(LEAF, root), (), root))
    expect(replace_chain(model, leaf), UNTRUSTED, Code.CERTIFICATE_PURPOSE)


def replace_chain(model: Model, *links: Issued) -> Model:
    """The same signature with other certificates."""
    bundle = model.bundle
    raw = [{"rawBytes": b64(_der(each))} for each in links]
    bundle["verificationMaterial"]["x509CertificateChain"]["certificates"] = raw
    return model.rewrite(bundle)


def _der(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(serialization.Encoding.DER)


def test_a_foreign_root(tmp_path: Path) -> None:
    model = trusting(model_of(tmp_path, chain()), trust_anchors=anchors(issue(ROOT)))
    expect(model, UNTRUSTED, Code.CHAIN_UNTRUSTED)


def test_a_root_that_only_bears_the_name(tmp_path: Path) -> None:
    made = chain()
    impostor = issue(with_(ROOT, key=new_key()))
    assert impostor.certificate.subject == made.root.certificate.subject
    model = trusting(model_of(tmp_path, made), trust_anchors=anchors(impostor))
    expect(model, UNTRUSTED, Code.CHAIN_UNTRUSTED)


def test_the_root_in_the_bundle_is_no_anchor(tmp_path: Path) -> None:
    made = chain()
    model = model_of(tmp_path, made)
    replace_chain(model, made.leaf, *made.between, made.root)
    expect(model, Reason.VERIFIED)
    trusting(model, trust_anchors=anchors(issue(with_(ROOT, key=new_key()))))
    expect(model, UNTRUSTED, Code.CHAIN_UNTRUSTED)


def test_another_self_signed_leaf_of_the_same_name(tmp_path: Path) -> None:
    model = model_of(tmp_path, self_signed(LEAF))
    trusting(model, trust_anchors=anchors(self_signed(LEAF).leaf))
    expect(model, UNTRUSTED, Code.CHAIN_UNTRUSTED)


def test_a_missing_intermediate(tmp_path: Path) -> None:
    made = chain()
    model = replace_chain(model_of(tmp_path, made), made.leaf)
    expect(model, UNTRUSTED, Code.CHAIN_UNTRUSTED)


def test_an_intermediate_that_the_policy_gives(tmp_path: Path) -> None:
    made = chain()
    model = replace_chain(model_of(tmp_path, made), made.leaf)
    trusting(model, trust_anchors=anchors(*made.between, made.root))
    expect(model, Reason.VERIFIED)


def test_an_intermediate_alone_is_no_anchor(tmp_path: Path) -> None:
    made = chain()
    model = trusting(model_of(tmp_path, made), trust_anchors=anchors(*made.between))
    with pytest.raises(ConfigError, match="self-signed"):
        model.verify()


def test_intermediates_in_another_order(tmp_path: Path) -> None:
    root = issue(ROOT)
    upper = issue(with_(BETWEEN, subject="Upper", key=new_key()), root)
    lower = issue(with_(BETWEEN, subject="Lower", key=new_key()), upper)
    model = model_of(tmp_path, Chain(issue(LEAF, lower), (lower, upper), root))
    expect(model, Reason.VERIFIED)
    leaf = model.by.chain.leaf  # type: ignore[attr-defined]
    expect(replace_chain(model, leaf, upper, lower), Reason.VERIFIED)


def test_the_leaf_must_come_first(tmp_path: Path) -> None:
    made = chain()
    model = replace_chain(model_of(tmp_path, made), *made.between, made.leaf)
    expect(model, Reason.SIGNATURE_INVALID, Code.SIGNATURE_WRONG)


def test_the_leaf_of_somebody_else(tmp_path: Path) -> None:
    made = chain()
    other = issue(with_(LEAF, key=new_key()), made.between[0])
    model = replace_chain(model_of(tmp_path, made), other, *made.between)
    expect(model, Reason.SIGNATURE_INVALID, Code.SIGNATURE_WRONG)


def test_a_leaf_issued_by_a_leaf(tmp_path: Path) -> None:
    made = chain()
    forged = issue(with_(LEAF, key=new_key()), made.leaf)
    model = model_of(tmp_path, Chain(forged, (made.leaf, *made.between), made.root))
    expect(model, UNTRUSTED, Code.CHAIN_UNTRUSTED)


@pytest.mark.parametrize("count", [16, 17])
def test_how_many_certificates_a_bundle_may_hold(tmp_path: Path, count: int) -> None:
    made = chain()
    model = model_of(tmp_path, made)
    replace_chain(model, made.leaf, *made.between * (count - 1))
    if count == 16:
        expect(model, Reason.VERIFIED)
    else:
        expect(model, Reason.SIGNATURE_INVALID, Code.BUNDLE_MALFORMED)


def test_a_link_that_was_tampered_with(tmp_path: Path) -> None:
    made = chain()
    model = model_of(tmp_path, made)
    bundle = model.bundle
    raw = bytearray(_der(made.between[0]))
    raw[-1] ^= 1
    links = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]
    links[1]["rawBytes"] = b64(bytes(raw))
    expect(model.rewrite(bundle), UNTRUSTED, Code.CHAIN_UNTRUSTED)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_certificate_that_cannot_be_parsed(tmp_path: Path, place: int, cut: int) -> None:
    model = model_of(tmp_path, chain())
    bundle = model.bundle
    links = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]
    raw = _der(model.by.chain.leaf)  # type: ignore[attr-defined]
    links[place]["rawBytes"] = b64(raw[:-cut] if cut else raw + b"\0")
    expect(model.rewrite(bundle), Reason.SIGNATURE_INVALID, Code.BUNDLE_MALFORMED)
