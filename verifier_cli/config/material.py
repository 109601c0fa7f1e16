"""Trust material: reads it, checks pins, and parses PEM keys and certificates.

Turns the text that a policy carries, or the file that it points to, into objects that the
signature modules check with. Nothing here verifies a signature.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from verifier_cli.config.loaded import Loaded
from verifier_cli.config.trustroot import check_trust_root, trusted_root
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.inputs import MAX_MATERIAL_BYTES, Unreadable, read_regular, sha256_hex
from verifier_cli.policy import material_of

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from verifier_cli.policy import Material, Policy, Signer

CURVES = ("secp256r1", "secp384r1", "secp521r1")
_PUBLIC_KEY = re.compile(
    rb"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*", re.ASCII
)


def load_all(policy: Policy) -> tuple[Loaded, ...]:
    """Reads the material of every signer, checks every pin, and parses all PEM.

    Trust roots are only checked for their form: parsing one needs sigstore, which no key
    or certificate should wait for.

    Raises:
        ConfigError: some material cannot be read or used, or is not the pinned one; names
            all of it.
    """
    loaded: list[Loaded] = []
    problems: list[Problem] = []
    for index, signer in enumerate(policy.signers):
        field, material = material_of(signer)
        where = f"signers[{index}].{field}"
        try:
            # On a command line the file says more than the place it takes in a document.
            read = _load(material, "" if policy.local else f"{where}Path", where)
            loaded.append(_parsed(signer, read))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems, source="" if policy.local else policy.source)
    return tuple(loaded)


def _parsed(signer: Signer, loaded: Loaded) -> Loaded:
    if signer.method == "key":
        return replace(loaded, keys=public_keys(loaded))
    if signer.method == "certificate":
        return replace(loaded, certificates=certificates(loaded))
    if loaded.data is not None:
        check_trust_root(loaded)
    return loaded


def check_inline(policy: Policy) -> None:
    """Parses all material that the policy itself carries, trust roots included.

    Raises:
        ConfigError: names every piece that cannot be used.
    """
    problems: list[Problem] = []
    for index, signer in enumerate(policy.signers):
        field, given = material_of(signer)
        if given is None or given.text is None:
            continue
        loaded = Loaded(given.text.encode(), f"signers[{index}].{field}")
        try:
            _parsed(signer, loaded)
            if signer.method == "sigstore":
                trusted_root(loaded)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems, source=policy.source)


def _load(material: Material | None, field: str, where: str) -> Loaded:
    if material is None:
        return Loaded(None, where)
    if material.path is None:
        return Loaded((material.text or "").encode(), where)
    try:
        data = read_regular(material.path, MAX_MATERIAL_BYTES)
    except Unreadable as error:
        raise ConfigError(Problem(field, f"{material.path}: {error}")) from None
    if material.sha256 is not None and sha256_hex(data) != material.sha256:
        detail = f"{material.path} has SHA-256 {sha256_hex(data)}, pinned is {material.sha256}"
        raise ConfigError(Problem(field, detail))
    return Loaded(data, material.path)


def public_keys(loaded: Loaded) -> tuple[ec.EllipticCurvePublicKey, ...]:
    """Parses one or more PEM public keys, each on a curve of `CURVES` (algorithm registry).

    Raises:
        ConfigError: no key, another kind of key, or something besides the keys.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = loaded.data or b""
    blocks = _PUBLIC_KEY.findall(data)
    if not blocks or _PUBLIC_KEY.sub(b"", data).strip():
        detail = "is not a PEM public key ('-----BEGIN PUBLIC KEY-----')"
        if b"PRIVATE KEY" in data:
            detail = "holds a private key: give its public half, and consider it leaked"
        elif b"BEGIN CERTIFICATE" in data:
            detail = "holds a certificate: use the certificate method for it"
        raise ConfigError(Problem(loaded.where, detail))
    keys = []
    for block in blocks:
        try:
            key = load_pem_public_key(block)
        except Exception as error:  # noqa: BLE001  (ValueError, UnsupportedAlgorithm and kin)
            detail = f"is not a public key that can be read: {type(error).__name__}"
            raise ConfigError(Problem(loaded.where, detail)) from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
            kind = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else _kind(key)
            detail = f"is a key of kind {kind}; only {', '.join(CURVES)} can be used"
            raise ConfigError(Problem(loaded.where, detail))
        keys.append(key)
    return tuple(keys)


def _kind(key: object) -> str:
    return type(key).__name__.lstrip("_").removesuffix("PublicKey") or "unknown"


def certificates(loaded: Loaded) -> tuple[x509.Certificate, ...]:
    """Parses PEM certificates, of which at least one must be its own issuer: an anchor.

    Raises:
        ConfigError: not PEM, no certificate, or no anchor among them.
    """
    from cryptography import x509

    try:
        found = tuple(x509.load_pem_x509_certificates(loaded.data or b""))
        has_anchor = any(certificate.issuer == certificate.subject for certificate in found)
    except Exception as error:  # noqa: BLE001  (ValueError and kin on hostile DER)
        detail = f"holds no PEM certificate that can be read: {type(error).__name__}"
        raise ConfigError(Problem(loaded.where, detail)) from None
    if not has_anchor:
        detail = "holds no self-signed certificate; a chain must end in one: add the root"
        raise ConfigError(Problem(loaded.where, detail))
    return found
