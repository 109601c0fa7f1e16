"""Policy: what must hold before a model may be loaded. Pure data, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from verifier_cli.verdict import Mode

DEFAULT_TIMEOUT_SECONDS = 900
MAX_TIMEOUT_SECONDS = 86_400
# In one pod.
MAX_POLICIES = 64

# OMS 6.2: left out by default, at the top level of the model only.
GIT_PATHS = (".git", ".gitattributes", ".github", ".gitignore")

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[^/\0]+"
_NORMALISED = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.DOTALL)
_GLOB = re.compile(r"[*?\[]")


def is_relative_path(text: str) -> bool:
    """Whether `text` is a normalised relative POSIX path in valid UTF-8 (OMS 6.1.2)."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return _NORMALISED.fullmatch(text) is not None


def is_absolute_path(text: str) -> bool:
    """Whether `text` is a normalised absolute POSIX path below `/`."""
    return text.startswith("/") and is_relative_path(text[1:])


def is_ignore_path(text: str) -> bool:
    """Whether `text` may be an ignore path: relative, exact, without globs (OMS 6.2.1)."""
    return is_relative_path(text) and _GLOB.search(text) is None


@dataclass(frozen=True, slots=True)
class Material:
    """Trust material: a PEM or JSON text, or a file that holds one.

    Attributes:
        text: the material itself; None when it is in a file.
        path: absolute path of the file; None when the text is given.
        sha256: pinned digest of the file, lower-case hex.
    """

    text: str | None = None
    path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Keyless:
    """Signer by sigstore: an identity that an issuer vouched for.

    Attributes:
        issuer: the OIDC issuer, one exact URL.
        identity: exact SAN of the certificate; exactly one of this and the expression.
        identity_regexp: expression that must match a whole SAN.
        trust_root: ClientTrustConfig or trusted root; None for the public-good instance.
        staging: take sigstore's staging instance instead (command line only).
    """

    issuer: str
    identity: str | None = None
    identity_regexp: str | None = None
    trust_root: Material | None = None
    staging: bool = False
    name: str = ""
    method: Literal["sigstore"] = "sigstore"


@dataclass(frozen=True, slots=True)
class Key:
    """Signer by a long-lived elliptic-curve key: its public half, PEM."""

    public_key: Material
    name: str = ""
    method: Literal["key"] = "key"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Signer by a certificate of a private PKI.

    Attributes:
        trust_anchors: PEM; the self-signed ones are the anchors, others are intermediates.
        identity: SAN or RFC 4514 subject that the leaf must bear; None accepts any leaf.
        require_code_signing: the leaf must carry the extended key usage code signing.
    """

    trust_anchors: Material
    identity: str | None = None
    require_code_signing: bool = True
    name: str = ""
    method: Literal["certificate"] = "certificate"


Signer = Keyless | Key | Certificate


def material_of(signer: Signer) -> tuple[str, Material | None]:
    """The signer's material and the name of its field in a policy document."""
    if signer.method == "key":
        return "publicKey", signer.public_key
    if signer.method == "certificate":
        return "trustAnchors", signer.trust_anchors
    return "trustRoot", signer.trust_root


@dataclass(frozen=True, slots=True)
class ModelRules:
    """Where one model is and how its tree is to be looked at.

    Attributes:
        path: absolute path in a policy document; any path on the command line. None only
            with `discover`: then every root of `MODEL_VERIFY_ROOTS` is searched.
        signature_path: None lets it be discovered.
        ignore_paths: exact relative paths, each with its subtree.
    """

    path: str | None
    signature_path: str | None = None
    ignore_paths: tuple[str, ...] = ()
    ignore_git_paths: bool = True
    ignore_unsigned_files: bool = False
    allow_symlinks: bool = False
    discover: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """Models, and the signers of whom any one suffices.

    Attributes:
        sha256: digest of the canonical document, lower-case hex; what a pin names.
        source: the file or command line that it came from.
        local: built from a command line, so that its paths are the caller's own.
    """

    models: tuple[ModelRules, ...]
    signers: tuple[Signer, ...]
    mode: Mode = "enforce"
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    sha256: str = ""
    source: str = ""
    local: bool = False
