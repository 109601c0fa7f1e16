"""The certificate method: a leaf under the policy's own trust anchors (OMS 4.1, 8.2).

OpenSSL builds and checks the path (signatures, validity, CA bits, path length, name
constraints); this module decides what may be an anchor, what a leaf must be for, and whose
it must be. There is never a default set of roots, and no revocation (docs/threat-model.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from verifier_cli.inputs import Malformed
from verifier_cli.signature.envelope import HASHES, check_envelope
from verifier_cli.signature.leaf import (
    kind_of,
    names,
    parse_certificate,
    purposes_of,
    subject,
)
from verifier_cli.verdict import Code, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from verifier_cli.policy import Certificate
    from verifier_cli.signature.bundle import Bundle

MIN_RSA_BITS = 2048
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10
_CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING
_ANY_PURPOSE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


def authenticate(
    bundle: Bundle, signer: Certificate, given: Sequence[x509.Certificate], now: datetime
) -> Evidence | Finding:
    """Returns evidence if a leaf that the policy accepts signed, else why not.

    Args:
        given: the policy's certificates; OpenSSL takes the self-signed ones as anchors.
        now: aware time at which every link must be valid.

    Raises:
        Malformed: a certificate of the bundle cannot be parsed.
    """
    leaf, *links = [parse_certificate(der) for der in bundle.certificates]
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in HASHES:
        detail = "the leaf's key is not on one of the curves P-256, P-384 and P-521"
        return Finding(Code.CERTIFICATE_PURPOSE, detail)
    refusal = (
        check_envelope(bundle, key)
        or _check_path(leaf, links, given, now)
        or _check_purpose(leaf, signer)
        or check_identity(leaf, signer)
    )
    if refusal is not None:
        return refusal
    return Evidence(
        "certificate",
        name=signer.name,
        identity=signer.identity or subject(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
    )


def check_identity(leaf: x509.Certificate, signer: Certificate) -> Finding | None:
    """Returns None if the leaf bears the name that the signer demands, as a name of its kind."""
    if signer.identity is None:
        return None
    kind = kind_of(signer.identity)
    borne = names(leaf)[kind]
    if signer.identity in borne:
        return None
    detail = f"the leaf bears no such name of the kind {kind}"
    actual = ", ".join(borne) or "(none)"
    return Finding(Code.IDENTITY_MISMATCH, detail, expected=signer.identity, actual=actual)


def _check_path(
    leaf: x509.Certificate,
    links: Iterable[x509.Certificate],
    given: Iterable[x509.Certificate],
    now: datetime,
) -> Finding | None:
    try:
        store = crypto.X509Store()
        for certificate in given:
            store.add_cert(crypto.X509.from_cryptography(certificate))
        store.set_time(now)
        untrusted = [crypto.X509.from_cryptography(link) for link in links]
        context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), untrusted)
        chain = [link.to_cryptography() for link in context.get_verified_chain()]
    except crypto.X509StoreContextError as error:
        return _path_finding(error)
    except crypto.Error:
        raise Malformed("holds a certificate that OpenSSL cannot read") from None
    return _check_authorities(chain) or _check_strength(chain)


def _check_authorities(chain: Sequence[x509.Certificate]) -> Finding | None:
    """An authority that is limited to other purposes cannot issue leaves that sign code."""
    for link in chain[1:]:
        purposes = purposes_of(link)
        if purposes is not None and not purposes & {_CODE_SIGNING, _ANY_PURPOSE}:
            detail = f"the authority {subject(link)} may not issue certificates for code signing"
            return Finding(Code.CERTIFICATE_PURPOSE, detail)
    return None


def _path_finding(error: crypto.X509StoreContextError) -> Finding:
    number, message = error.errors[0], error.errors[2]
    failed = error.certificate.to_cryptography()
    who = subject(failed) or "(no subject)"
    if number in (_NOT_YET_VALID, _EXPIRED):
        fault = "has expired" if number == _EXPIRED else "is not valid yet"
        start, end = failed.not_valid_before_utc, failed.not_valid_after_utc
        return Finding(
            Code.CERTIFICATE_EXPIRED,
            f"the certificate of {who} {fault}",
            expected="valid now",
            actual=f"valid from {start:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}",
        )
    detail = f"no path from the leaf to a trust anchor: {message}, at {who}"
    return Finding(Code.CHAIN_UNTRUSTED, detail)


def _check_strength(chain: Sequence[x509.Certificate]) -> Finding | None:
    # The anchor's own signature proves nothing and is not looked at.
    for link in chain[:-1]:
        try:
            algorithm = link.signature_hash_algorithm
        except UnsupportedAlgorithm:
            return Finding(
                Code.CERTIFICATE_WEAK, f"{subject(link)} is signed with an odd algorithm"
            )
        if algorithm is not None and algorithm.digest_size < hashes.SHA224.digest_size:
            detail = f"{subject(link)} is signed with {algorithm.name}"
            return Finding(Code.CERTIFICATE_WEAK, detail)
    for link in chain:
        key = link.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
            detail = f"{subject(link)} has an RSA key of {key.key_size} bits"
            return Finding(Code.CERTIFICATE_WEAK, detail)
    return None


def _check_purpose(leaf: x509.Certificate, signer: Certificate) -> Finding | None:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        may_sign = None
    else:
        may_sign = usage.digital_signature
    if may_sign is False:
        detail = "the leaf's key usage does not allow digital signatures"
        return Finding(Code.CERTIFICATE_PURPOSE, detail)
    purposes = purposes_of(leaf)
    if purposes is None:
        if may_sign and not signer.require_code_signing:
            return None
        detail = "the leaf lacks the extended key usage code signing"
        return Finding(Code.CERTIFICATE_PURPOSE, detail)
    if _CODE_SIGNING in purposes:
        return None
    actual = ", ".join(sorted(purpose.dotted_string for purpose in purposes))
    detail = "the leaf is for other purposes than code signing"
    expected = _CODE_SIGNING.dotted_string
    return Finding(Code.CERTIFICATE_PURPOSE, detail, expected=expected, actual=actual)
