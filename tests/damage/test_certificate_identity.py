"""The certificate method: whose the leaf is, what it is for, and what a policy can say of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.builders import ByCertificate, ByKey, Model, expect, findings
from tests.damage.chains import (
    LEAF,
    Chain,
    Spec,
    chain,
    usage,
)
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Certificate, Material
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

UNTRUSTED = Reason.SIGNER_UNTRUSTED
with_ = dataclasses.replace
TLS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def model_of(tmp_path: Path, made: Chain) -> Model:
    return Model(tmp_path).sign(ByCertificate(made))


def trusting(model: Model, **changes: object) -> Model:
    """The model under a policy whose certificate signer is changed."""
    (signer,) = model.signers
    model.signers = (with_(signer, **changes),)
    return model


NAMES = (
    x509.RFC822Name("release@example.com"),
    x509.UniformResourceIdentifier("https://example.com/release"),
    x509.DNSName("example.com"),
)


@pytest.mark.parametrize("identity", [*(str(n.value) for n in NAMES), "CN=Signer"])
def test_an_identity_that_the_leaf_bears(tmp_path: Path, identity: str) -> None:
    model = trusting(model_of(tmp_path, chain(leaf=with_(LEAF, names=NAMES))), identity=identity)
    report = expect(model, Reason.VERIFIED)
    assert not findings(report)
    assert report.models[0].signer is not None
    assert report.models[0].signer.identity == identity


@pytest.mark.parametrize(
    "identity",
    [
        "release@example.org",
        "Release@example.com",
        "release@example.co",
        "release@example.com ",
        "example",
        "Signer",
        "CN=Signe",
        "CN=Intermediate",
        ".*",
    ],
)
def test_an_identity_that_the_leaf_does_not_bear(tmp_path: Path, identity: str) -> None:
    model = trusting(model_of(tmp_path, chain(leaf=with_(LEAF, names=NAMES))), identity=identity)
    report = expect(model, UNTRUSTED, Code.IDENTITY_MISMATCH)
    (finding,) = findings(report)
    assert finding.expected == identity
    assert finding.actual


def test_a_leaf_without_any_identity(tmp_path: Path) -> None:
    made = chain(leaf=with_(LEAF, subject=None, names=()))
    model = trusting(model_of(tmp_path, made), identity="release@example.com")
    expect(model, UNTRUSTED, Code.IDENTITY_MISMATCH)


NO_PURPOSE = with_(LEAF, purposes=None)


def test_a_leaf_without_purpose_if_the_policy_says_so(tmp_path: Path) -> None:
    model = trusting(model_of(tmp_path, chain(leaf=NO_PURPOSE)), require_code_signing=False)
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize(
    "leaf",
    [with_(NO_PURPOSE, usage=None), with_(NO_PURPOSE, usage=usage()), with_(LEAF, purposes=TLS)],
    ids=["no usage", "encipherment", "TLS"],
)
def test_what_even_that_policy_refuses(tmp_path: Path, leaf: Spec) -> None:
    model = trusting(model_of(tmp_path, chain(leaf=leaf)), require_code_signing=False)
    expect(model, UNTRUSTED, Code.CERTIFICATE_PURPOSE)


@pytest.mark.parametrize(
    "text", [" ", "x", "-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n"]
)
def test_anchors_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    model = trusting(model_of(tmp_path, chain()), trust_anchors=Material(text=text))
    with pytest.raises(ConfigError, match=r"signers\[0\]\.trustAnchors"):
        model.verify()


def test_the_web_is_never_trusted_by_default(tmp_path: Path) -> None:
    model = model_of(tmp_path, chain())
    model.signers = (Certificate(Material(text="")),)
    with pytest.raises(ConfigError):
        model.verify()


def test_a_key_where_a_certificate_is_asked_for(tmp_path: Path) -> None:
    model = Model(tmp_path).sign_with_key()
    model.signers = (ByCertificate(chain()).trusted(),)
    expect(model, UNTRUSTED, Code.METHOD_MISMATCH)


def test_a_certificate_where_a_key_is_asked_for(tmp_path: Path) -> None:
    made = chain()
    model = model_of(tmp_path, made)
    assert isinstance(made.leaf.key, ec.EllipticCurvePrivateKey)
    model.signers = (ByKey(made.leaf.key).trusted(),)
    expect(model, UNTRUSTED, Code.METHOD_MISMATCH)
