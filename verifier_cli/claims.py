"""What a signature says of itself. Nothing here is verified, and nothing may be trusted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from verifier_cli.config.manifest import GROUP
from verifier_cli.inputs import Malformed
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.signature.leaf import (
    fulcio_identities,
    fulcio_issuers,
    names,
    parse_certificate,
)
from verifier_cli.signature.statement import decode_statement

if TYPE_CHECKING:
    from cryptography import x509

    from verifier_cli.signature.bundle import Bundle
    from verifier_cli.signature.statement import SignedManifest


@dataclass(frozen=True, slots=True)
class Claims:
    """A parsed signature file, with its statement and certificates as far as they parse.

    Attributes:
        fault: why the statement or a certificate could not be read; None if all could.
    """

    bundle: Bundle
    manifest: SignedManifest | None
    certificates: tuple[x509.Certificate, ...]
    fault: str | None = None


def read_claims(raw: bytes) -> Claims:
    """Parses a signature file.

    Raises:
        Malformed: it is not even a bundle.
    """
    bundle = parse_bundle(raw)
    try:
        certificates = tuple(parse_certificate(der) for der in bundle.certificates)
        manifest = decode_statement(bundle.payload)
    except Malformed as error:
        return Claims(bundle, None, (), str(error))
    return Claims(bundle, manifest, certificates)


def describe(claims: Claims) -> dict[str, Any]:
    """The claims as JSON values; raw text, to be escaped by whoever prints it."""
    bundle, manifest = claims.bundle, claims.manifest
    at = bundle.integrated_time
    described: dict[str, Any] = {
        "verified": False,
        "method": bundle.method,
        "mediaType": bundle.media_type,
        "sha256": bundle.sha256,
        "signer": _signer(claims),
        "logIndex": bundle.log_index,
        "loggedAt": None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "fault": claims.fault,
    }
    if manifest is not None:
        described["statement"] = {
            "format": manifest.format,
            "hashType": manifest.hash_type,
            "sharded": manifest.sharded,
            "allowSymlinks": manifest.allow_symlinks,
            "ignorePaths": list(manifest.ignore_paths),
            "rootDigest": manifest.root_digest,
            "files": sorted(manifest.files),
        }
    return described


def _signer(claims: Claims) -> dict[str, Any]:
    bundle = claims.bundle
    if bundle.method == "key":
        hint = bundle.hint
        if hint is None and bundle.raw_key is not None:
            hint = hashlib.sha256(bundle.raw_key).hexdigest()
        return {"keySha256": hint}
    if not claims.certificates:
        return {}
    leaf = claims.certificates[0]
    return {
        "identities": _identities(claims),
        "issuer": ", ".join(sorted(fulcio_issuers(leaf))) or None,
        "subject": leaf.subject.rfc4514_string(),
        "issuedBy": leaf.issuer.rfc4514_string(),
        "validFrom": f"{leaf.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
        "validUntil": f"{leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
    }


def _identities(claims: Claims) -> list[str]:
    """The names by which a policy could demand the leaf, the most telling first."""
    leaf = claims.certificates[0]
    if claims.bundle.method == "sigstore":
        return fulcio_identities(leaf)
    borne = names(leaf)
    return [*borne["uri"], *borne["email"], *borne["dns"], *borne["subject"]]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A ModelValidation that would accept exactly this signer, and what is still to be done."""

    manifest: dict[str, Any]
    to_do: list[str] = field(default_factory=list)


def suggest(claims: Claims) -> Suggestion:
    """Suggests a policy from claims; never one that would accept more than this signer.

    Raises:
        Malformed: the signature does not say enough.
    """
    to_do = ["check with the signer, by another way, that this is who signed"]
    make = {"key": _for_key, "certificate": _for_certificate, "sigstore": _for_sigstore}
    config = make[claims.bundle.method](claims, to_do)
    return Suggestion(
        {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "ModelValidation",
            "metadata": {"name": "suggested"},
            "spec": {"config": config, "model": {"path": "/data/model"}},
        },
        to_do,
    )


def _for_key(claims: Claims, to_do: list[str]) -> dict[str, Any]:
    raw = claims.bundle.raw_key
    if raw is not None and raw.startswith(b"-----BEGIN PUBLIC KEY-----"):
        return {"publicKeyConfig": {"key": raw.decode("ascii", "replace")}}
    to_do.append(
        f"put the public key there whose PEM has SHA-256 {claims.bundle.hint or '(not named)'}"
    )
    return {"publicKeyConfig": {"keyPath": "/trust/key.pub"}}


def _for_certificate(claims: Claims, to_do: list[str]) -> dict[str, Any]:
    if not claims.certificates:
        raise Malformed(claims.fault or "holds no certificate")
    last = claims.certificates[-1]
    if not _identities(claims):
        raise Malformed("names no identity")
    if _is_root(last):
        authority = last.public_bytes(Encoding.PEM).decode()
    else:
        to_do.append(f"put the root there that issued {last.issuer.rfc4514_string()}")
        authority = "/trust/ca.pem"
    return {
        "pkiConfig": {
            "certificateAuthority": authority,
            "certificateIdentity": _identities(claims)[0],
        }
    }


def _is_root(certificate: x509.Certificate) -> bool:
    """Whether its own key signed it; a leaf may bear the name of its issuer."""
    try:
        certificate.verify_directly_issued_by(certificate)
    except Exception:  # noqa: BLE001  (InvalidSignature, and what odd keys and names provoke)
        return False
    return True


def _for_sigstore(claims: Claims, to_do: list[str]) -> dict[str, Any]:
    if not claims.certificates:
        raise Malformed(claims.fault or "holds no certificate")
    who, issuers = _identities(claims), fulcio_issuers(claims.certificates[0])
    if not who or len(issuers) != 1:
        raise Malformed("does not name an identity and one issuer")
    to_do.append("add clientTrustConfig if this was not signed with sigstore's public instance")
    return {
        "sigstoreConfig": {
            "certificateIdentity": who[0],
            "certificateOidcIssuer": issuers.pop(),
        }
    }
