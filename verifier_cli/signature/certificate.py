"""The certificate method: a leaf under the policy's own trust anchors (OMS 4.1, 8.2).

OpenSSL builds and checks the path (signatures, validity, CA bits, path length, name
constraints); this module decides what may be an anchor, what a leaf must be for, and whose
it must be. There is never a default set of roots, and no revocation (docs/threat-model.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from verifier_cli.inputs import Malformed
from verifier_cli.signature.envelope import HASHES, check_envelope
from verifier_cli.verdict import Code, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from verifier_cli.policy import Certificate
    from verifier_cli.signature.bundle import Bundle

MIN_RSA_BITS = 2048
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10


def authenticate(
    bundle: Bundle,
    signer: Certificate,
    given: tuple[Sequence[x509.Certificate], Sequence[x509.Certificate]],
    now: datetime,
) -> Evidence | Finding:
    """Returns evidence if a leaf that the policy accepts signed, else why not.

    Args:
        given: the policy's anchors (self-signed) and its intermediates.
        now: aware time at which every link must be valid.

    Raises:
        Malformed: a certificate of the bundle cannot be parsed.
    """
    anchors, intermediates = given
    leaf, *links = [_parse(der) for der in bundle.certificates]
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in HASHES:
        detail = "the leaf's key is not on one of the curves P-256, P-384 and P-521"
        return Finding(Code.CERTIFICATE_PURPOSE, detail)
    refusal = (
        check_envelope(bundle, key)
        or _check_path(leaf, [*links, *intermediates], anchors, now)
        or _check_purpose(leaf, signer)
        or _check_identity(leaf, signer)
    )
    if refusal is not None:
        return refusal
    return Evidence(
        "certificate",
        name=signer.name,
        identity=signer.identity or next(iter(identities(leaf)), None),
        issuer=leaf.issuer.rfc4514_string(),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
    )


def identities(leaf: x509.Certificate) -> list[str]:
    """The names a leaf bears: its SANs (email, URI, DNS), then its RFC 4514 subject."""
    names: list[str] = []
    try:
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        for kind in (x509.RFC822Name, x509.UniformResourceIdentifier, x509.DNSName):
            names.extend(san.get_values_for_type(kind))
    subject = leaf.subject.rfc4514_string()
    return [*names, subject] if subject else names


def _parse(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions  # noqa: B018  (parsed lazily, raises on hostile DER)
        certificate.public_key()
    except Exception as error:  # noqa: BLE001  (whatever a hostile certificate provokes)
        raise Malformed(
            f"holds a certificate that cannot be parsed: {type(error).__name__}"
        ) from None
    return certificate


def _check_path(
    leaf: x509.Certificate,
    links: Iterable[x509.Certificate],
    anchors: Iterable[x509.Certificate],
    now: datetime,
) -> Finding | None:
    store = crypto.X509Store()
    for anchor in anchors:
        store.add_cert(crypto.X509.from_cryptography(anchor))
    store.set_time(now)
    context = crypto.X509StoreContext(
        store,
        crypto.X509.from_cryptography(leaf),
        [crypto.X509.from_cryptography(link) for link in links],
    )
    try:
        chain = [link.to_cryptography() for link in context.get_verified_chain()]
    except crypto.X509StoreContextError as error:
        return _path_finding(error)
    return _check_strength(chain)


def _path_finding(error: crypto.X509StoreContextError) -> Finding:
    number, message = error.errors[0], error.errors[2]
    failed = error.certificate.to_cryptography()
    subject = failed.subject.rfc4514_string() or "(no subject)"
    if number in (_NOT_YET_VALID, _EXPIRED):
        fault = "has expired" if number == _EXPIRED else "is not valid yet"
        start, end = failed.not_valid_before_utc, failed.not_valid_after_utc
        return Finding(
            Code.CERTIFICATE_EXPIRED,
            f"the certificate of {subject} {fault}",
            expected="valid now",
            actual=f"valid from {start:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}",
        )
    detail = f"no path from the leaf to a trust anchor: {message}, at {subject}"
    return Finding(Code.CHAIN_UNTRUSTED, detail)


def _check_strength(chain: Sequence[x509.Certificate]) -> Finding | None:
    # The anchor's own signature proves nothing and is not looked at.
    for link in chain[:-1]:
        algorithm = link.signature_hash_algorithm
        if algorithm is not None and algorithm.digest_size < hashes.SHA224.digest_size:
            detail = f"{link.subject.rfc4514_string()} is signed with {algorithm.name}"
            return Finding(Code.CERTIFICATE_WEAK, detail)
    for link in chain:
        key = link.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
            detail = f"{link.subject.rfc4514_string()} has an RSA key of {key.key_size} bits"
            return Finding(Code.CERTIFICATE_WEAK, detail)
    return None


def _check_purpose(leaf: x509.Certificate, signer: Certificate) -> Finding | None:
    extensions = leaf.extensions
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        may_sign = None
    else:
        may_sign = usage.digital_signature
    if may_sign is False:
        return Finding(
            Code.CERTIFICATE_PURPOSE, "the leaf's key usage does not allow digital signatures"
        )
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        if may_sign and not signer.require_code_signing:
            return None
        return Finding(
            Code.CERTIFICATE_PURPOSE, "the leaf lacks the extended key usage code signing"
        )
    if ExtendedKeyUsageOID.CODE_SIGNING in purposes:
        return None
    return Finding(
        Code.CERTIFICATE_PURPOSE,
        "the leaf is for another purpose",
        expected="codeSigning",
        actual=", ".join(purpose._name for purpose in purposes),  # noqa: SLF001
    )


def _check_identity(leaf: x509.Certificate, signer: Certificate) -> Finding | None:
    names = identities(leaf)
    if signer.identity is None or signer.identity in names:
        return None
    return Finding(
        Code.IDENTITY_MISMATCH,
        "the leaf bears another identity",
        expected=signer.identity,
        actual=", ".join(names) or "(none)",
    )
