"""The reference engine: model-signing behind one adapter, as a second opinion.

It gets a fresh configuration for every model (a reused one lets a planted file pass in the
next model), its standard output is captured, and whatever it raises becomes a finding.
What it does not look at is listed in docs/differences.md.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

import model_signing
from cryptography.exceptions import InvalidSignature
from OpenSSL.crypto import X509StoreContextError
from sigstore.errors import CertValidationError, VerificationError

from verifier_cli.errors import ConfigError, Problem
from verifier_cli.inputs import first_lines
from verifier_cli.signature.certificate import check_identity
from verifier_cli.signature.leaf import parse_certificate, subject
from verifier_cli.verdict import Code, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier_cli.policy import Certificate, ModelRules, Signer
    from verifier_cli.signature.bundle import Bundle

# Its errors have no classes of their own: what it says decides. First match wins.
_SAYINGS = (
    ("Key mismatch", Code.KEY_MISMATCH),
    ("SANs do not match", Code.IDENTITY_MISMATCH),
    ("Certificate's OIDCIssuer", Code.IDENTITY_MISMATCH),
    ("Certificate does not contain OIDCIssuer", Code.IDENTITY_MISMATCH),
    ("cannot be used for signing", Code.CERTIFICATE_PURPOSE),
    ("is a symlink", Code.SYMLINK_FORBIDDEN),
    ("as file or directory", Code.UNREADABLE),
    ("Signature mismatch", Code.FILE_MODIFIED),
)


def verify(
    signature: str, bundle: Bundle, rules: ModelRules, signer: Signer, material: bytes
) -> Evidence | Finding:
    """Asks model-signing whether `signer` signed this model and nothing changed since.

    It does not know identities of certificates, so that one is compared here.

    Args:
        signature: path of the signature.
        bundle: the same signature, parsed.
        material: PEM text, or a ClientTrustConfig for sigstore.

    Raises:
        ConfigError: the policy asks for something that model-signing does not know.
    """
    if signer.method == "sigstore" and signer.identity is None:
        detail = "the reference engine knows exact identities only"
        raise ConfigError(Problem("identityRegexp", detail))
    said, model = io.StringIO(), rules.path or ""
    with (
        _as_file(material) as path,
        contextlib.redirect_stdout(said),
        warnings.catch_warnings(action="ignore"),
    ):
        try:
            config = _verifier(signer, path)
            config.set_hashing_config(_hashing(signature, model, bundle, rules))
            config.set_ignore_unsigned_files(rules.ignore_unsigned_files)
            config.verify(pathlib.Path(model), pathlib.Path(signature))
        except Exception as error:  # noqa: BLE001  (it raises what its parts happen to raise)
            return _finding(error)
    if signer.method == "certificate":
        return _identified(bundle, signer)
    if signer.method == "key":
        return Evidence("key", name=signer.name)
    return Evidence("sigstore", name=signer.name, identity=signer.identity, issuer=signer.issuer)


@contextlib.contextmanager
def _as_file(material: bytes) -> Iterator[pathlib.Path]:
    """The path that model-signing asks for; in memory on Linux, where a root can be read-only."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("material"), "wb") as file:  # noqa: PTH123
            file.write(material)
            file.flush()
            yield pathlib.Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(material)
            file.flush()
            yield pathlib.Path(file.name)


def claimed_files(payload: bytes) -> int:
    """How many files an accepted statement lists, counted as leniently as the engine reads."""
    statement = json.loads(payload)
    predicate = statement.get("predicate") or {}
    rows = predicate["resources"] if "resources" in predicate else statement["subject"]
    names = [row["name"] for row in rows]
    if predicate.get("serialization", {}).get("method") == "shards":
        names = [name.rsplit(":", 2)[0] for name in names]
    return len(set(names))


def _identified(bundle: Bundle, signer: Certificate) -> Evidence | Finding:
    leaf = parse_certificate(bundle.certificates[0])
    return check_identity(leaf, signer) or Evidence(
        "certificate", name=signer.name, identity=signer.identity or subject(leaf)
    )


def _verifier(signer: Signer, material: pathlib.Path) -> model_signing.verifying.Config:
    config = model_signing.verifying.Config()  # type: ignore[no-untyped-call]
    if signer.method == "key":
        return config.use_elliptic_key_verifier(public_key=material)
    if signer.method == "certificate":
        return config.use_certificate_verifier(certificate_chain=[material])
    return config.use_sigstore_verifier(
        identity=signer.identity or "", oidc_issuer=signer.issuer, trust_config=material
    )


def _hashing(
    signature: str, model: str, bundle: Bundle, rules: ModelRules
) -> model_signing.hashing.Config:
    """The hashing that the signature records, with the policy's rules.

    The library could take it from the manifest itself, but then forgets the signature file
    and the rules. What is read here is not authenticated; a false claim only makes the
    library compute digests that do not compare equal.
    """
    form = _claimed_serialization(bundle)
    config = model_signing.hashing.Config()  # type: ignore[no-untyped-call]
    # It signs as "blake2b" what it calls "blake2" when asked to hash.
    algorithm: Any = {"blake2b": "blake2"}.get(form.get("hash_type", ""), form.get("hash_type"))
    if form.get("method") == "shards":
        config.use_shard_serialization(
            hashing_algorithm=algorithm, shard_size=int(form.get("shard_size", 0))
        )
    elif algorithm is not None:
        config.use_file_serialization(hashing_algorithm=algorithm)
    paths = [*rules.ignore_paths, *_inside(signature, model)]
    config.set_ignored_paths(paths=paths, ignore_git_paths=rules.ignore_git_paths)
    config.set_allow_symlinks(rules.allow_symlinks or form.get("allow_symlinks") is True)
    return config


def _claimed_serialization(bundle: Bundle) -> dict[str, Any]:
    form: dict[str, Any] = json.loads(bundle.payload).get("predicate", {}).get("serialization", {})
    return form


def _inside(signature: str, model: str) -> list[str]:
    here, root = pathlib.Path(signature), pathlib.Path(model).resolve()
    place = here.parent.resolve() / here.name
    return [str(place.relative_to(root))] if place.is_relative_to(root) and place != root else []


def _finding(error: Exception) -> Finding:
    detail = f"model-signing refuses: {first_lines(error)}"
    for words, code in _SAYINGS:
        if words in str(error):
            return Finding(code, detail)
    kinds: tuple[tuple[type[Exception], Code], ...] = (
        (InvalidSignature, Code.SIGNATURE_WRONG),
        (CertValidationError, Code.CHAIN_UNTRUSTED),
        (X509StoreContextError, Code.CHAIN_UNTRUSTED),
        (VerificationError, Code.SIGNATURE_WRONG),
        (OSError, Code.UNREADABLE),
    )
    code = next((code for kind, code in kinds if isinstance(error, kind)), Code.BUNDLE_MALFORMED)
    return Finding(code, f"{detail} ({type(error).__name__})")
