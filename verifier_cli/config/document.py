"""The policy document: what is mounted into a pod, as canonical JSON (docs/reference/policy.md).

Controller, webhook, CLI and init container meet here: whoever writes a policy and whoever
reads one uses this module, so that one digest means one policy.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, cast

from verifier_cli.config.fields import Fields
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.expressions import fault_of_expression
from verifier_cli.inputs import Malformed, canonical_json, sha256_hex, strict_json
from verifier_cli.policy import (
    DEFAULT_TIMEOUT_SECONDS,
    MAX_TIMEOUT_SECONDS,
    Certificate,
    Key,
    Keyless,
    Material,
    ModelRules,
    Policy,
    is_absolute_path,
    is_ignore_path,
)

if TYPE_CHECKING:
    from verifier_cli.policy import Signer
    from verifier_cli.verdict import Mode

SCHEMA = "model-verify/policy/v1"
_HEX_DIGITS = 64
# OpenID Connect Discovery 1.0, section 3: no query, no fragment. Printable ASCII.
ISSUER = r"^https://[0-9A-Za-z\[][!\"$-.0->@-~]*(?:/[!\"$->@-~]*)?$"
_ISSUER = re.compile(ISSUER)


def decode(raw: bytes, source: str) -> Policy:
    """Reads a policy document; its digest is that of these very bytes.

    Raises:
        ConfigError: with every fault and its field path.
    """
    try:
        value = strict_json(raw)
    except Malformed as error:
        raise ConfigError(Problem("", str(error)), source=source) from None
    problems: list[Problem] = []
    policy = _policy(Fields(value, "", problems))
    if problems or policy is None:
        raise ConfigError(*problems, source=source)
    return finished(policy, raw, source)


def finished(policy: Policy, raw: bytes, source: str) -> Policy:
    """The policy with its digest and where it came from."""
    return dataclasses.replace(policy, sha256=sha256_hex(raw), source=source)


def encode(policy: Policy) -> bytes:
    """The canonical document: sorted keys, no spaces, UTF-8, every default written out."""
    return canonical_json(
        {
            "schema": SCHEMA,
            "mode": policy.mode,
            "timeoutSeconds": policy.timeout_seconds,
            "models": [_encode_model(rules) for rules in policy.models],
            "signers": [_encode_signer(signer) for signer in policy.signers],
        }
    )


def _policy(fields: Fields) -> Policy | None:
    schema = fields.text("schema", required=True)
    if schema is not None and schema != SCHEMA:
        fields.fault("schema", f"is {schema!r}, not {SCHEMA!r}")
    mode = fields.choice("mode", ("enforce", "warn"), default="enforce")
    timeout = timeout_seconds(fields)
    models = tuple(model(entry) for entry in fields.children("models"))
    signers = tuple(_signer(entry) for entry in fields.children("signers"))
    fields.done()
    found = tuple(signer for signer in signers if signer is not None)
    return Policy(models, found, cast("Mode", mode), timeout)


def timeout_seconds(fields: Fields) -> int:
    """The field `timeoutSeconds`."""
    return fields.number(
        "timeoutSeconds", default=DEFAULT_TIMEOUT_SECONDS, least=1, most=MAX_TIMEOUT_SECONDS
    )


def model(fields: Fields) -> ModelRules:
    """One entry of `models`; ModelValidations write it the same way."""
    discover = fields.flag("discover", default=False)
    rules = ModelRules(
        path=fields.text("path", required=not discover, check=absolute),
        signature_path=fields.text("signaturePath", check=absolute),
        ignore_paths=fields.texts("ignorePaths", ignorable),
        ignore_git_paths=fields.flag("ignoreGitPaths", default=True),
        ignore_unsigned_files=fields.flag("ignoreUnsignedFiles", default=False),
        allow_symlinks=fields.flag("allowSymlinks", default=False),
        discover=discover,
    )
    if discover and rules.signature_path is not None:
        fields.fault("signaturePath", "does not go with discover")
    fields.done()
    return rules


def absolute(text: str) -> str | None:
    """Says what is wrong with a path in a pod."""
    return None if is_absolute_path(text) else "is not an absolute, normalised path"


def issuer(text: str) -> str | None:
    """Says what is wrong with an OIDC issuer: https, a host, and no query or fragment."""
    from urllib.parse import urlsplit

    try:
        good = _ISSUER.fullmatch(text) is not None and bool(urlsplit(text).hostname)
    except ValueError:
        good = False
    return None if good else "is not one exact https URL"


def ignorable(text: str) -> str | None:
    """Says what is wrong with a path that is to be left out of a model."""
    return None if is_ignore_path(text) else "is not an exact relative path"


def keyless(fields: Fields, trust_root: Material | None, name: str = "") -> Keyless:
    """A sigstore signer: fields `identity` or `identityRegexp`, and `issuer`."""
    identity = fields.text("identity")
    expression = fields.text("identityRegexp", check=fault_of_expression)
    if ("identity" in fields) == ("identityRegexp" in fields):
        fields.fault("", "needs exactly one of identity and identityRegexp")
    return Keyless(
        issuer=fields.text("issuer", required=True, check=issuer) or "",
        identity=identity,
        identity_regexp=expression,
        trust_root=trust_root,
        name=name,
    )


def _signer(fields: Fields) -> Signer | None:
    method = fields.text("method", required=True)
    signer: Signer | None = None
    if method == "sigstore":
        trust = _material(fields, "trustRoot", required=False)
        signer = keyless(fields, trust, fields.text("name") or "")
    elif method == "key":
        key = _material(fields, "publicKey", required=True)
        signer = Key(key or Material(), fields.text("name") or "")
    elif method == "certificate":
        anchors = _material(fields, "trustAnchors", required=True)
        signer = Certificate(
            anchors or Material(),
            fields.text("identity"),
            require_code_signing=fields.flag("requireCodeSigning", default=True),
            name=fields.text("name") or "",
        )
    elif method is not None:
        fields.fault("method", f"is {method!r}, not one of sigstore, key, certificate")
        return None
    fields.done()
    return signer


def _material(fields: Fields, name: str, *, required: bool) -> Material | None:
    """`name` itself, or `namePath` with an optional `nameSha256`; never both."""
    text = _trust_root(fields) if name == "trustRoot" else fields.text(name)
    path = fields.text(f"{name}Path", check=absolute)
    digest = fields.text(f"{name}Sha256", check=digest_fault)
    given = [field for field in (name, f"{name}Path") if field in fields]
    if len(given) > 1 or (required and not given):
        fields.fault("", f"needs exactly one of {name} and {name}Path")
    if f"{name}Sha256" in fields and f"{name}Path" not in fields:
        fields.fault(f"{name}Sha256", f"goes with {name}Path only")
    return Material(text, path, digest) if text is not None or path is not None else None


def _trust_root(fields: Fields) -> str | None:
    value = fields.take("trustRoot")
    if value is None:
        return None
    if not isinstance(value, dict):
        fields.fault("trustRoot", "is not an object")
        return None
    return canonical_json(value).decode()


def digest_fault(text: str) -> str | None:
    """Says what is wrong with a pinned SHA-256."""
    good = len(text) == _HEX_DIGITS and all(c in "0123456789abcdef" for c in text)
    return None if good else "is not a SHA-256 digest in lower-case hex"


def _encode_model(rules: ModelRules) -> dict[str, Any]:
    document: dict[str, Any] = {
        "path": rules.path,
        "signaturePath": rules.signature_path,
        "ignorePaths": list(rules.ignore_paths),
        "ignoreGitPaths": rules.ignore_git_paths,
        "ignoreUnsignedFiles": rules.ignore_unsigned_files,
        "allowSymlinks": rules.allow_symlinks,
        "discover": rules.discover or None,
    }
    return _set(document)


def _encode_signer(signer: Signer) -> dict[str, Any]:
    document: dict[str, Any] = {"method": signer.method, "name": signer.name or None}
    if isinstance(signer, Key):
        document |= _encode_material("publicKey", signer.public_key)
    elif isinstance(signer, Certificate):
        document |= _encode_material("trustAnchors", signer.trust_anchors)
        document["identity"] = signer.identity
        document["requireCodeSigning"] = signer.require_code_signing
    else:
        document |= _encode_material("trustRoot", signer.trust_root)
        document["identity"] = signer.identity
        document["identityRegexp"] = signer.identity_regexp
        document["issuer"] = signer.issuer
        # Only a command line can say so; a document that held it would not be read back.
        document["staging"] = signer.staging or None
    return _set(document)


def _encode_material(name: str, material: Material | None) -> dict[str, Any]:
    if material is None:
        return {}
    text: object = material.text
    if name == "trustRoot" and material.text is not None:
        text = json.loads(material.text)
    return {name: text, f"{name}Path": material.path, f"{name}Sha256": material.sha256}


def _set(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
