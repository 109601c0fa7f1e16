"""ModelValidation manifests, also as the two predecessor controllers took them, to policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from verifier_cli.config import document
from verifier_cli.config.fields import Fields
from verifier_cli.config.wiring import Wiring, wiring
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.inputs import Malformed, canonical_json, strict_json
from verifier_cli.policy import (
    Certificate,
    Key,
    Material,
    ModelRules,
    Policy,
    is_absolute_path,
)

if TYPE_CHECKING:
    from verifier_cli.policy import Signer
    from verifier_cli.verdict import Mode

GROUP = "ml.sigstore.dev"
PREDECESSOR_GROUP = "rhtas.redhat.com"
CLUSTER_KIND = "ClusterModelValidation"
KINDS = {
    f"{GROUP}/v1alpha1": ("ModelValidation", CLUSTER_KIND),
    f"{PREDECESSOR_GROUP}/v1alpha1": ("ModelValidation",),
}


@dataclass(frozen=True, slots=True)
class Validation:
    """A ModelValidation or ClusterModelValidation, read.

    Attributes:
        group: API group.
        namespace: None for a cluster validation, or when the manifest does not name it.
    """

    group: str
    kind: str
    name: str
    namespace: str | None
    policy: Policy
    wiring: Wiring = field(default_factory=Wiring)


def is_validation(value: object) -> bool:
    """Whether a document claims to be a validation, of any version."""
    return isinstance(value, dict) and str(value.get("kind", "")).endswith("ModelValidation")


def decode(value: object, source: str) -> Validation:
    """Reads one manifest.

    Raises:
        ConfigError: with every fault and its field path.
    """
    problems: list[Problem] = []
    top = Fields(value, "", problems)
    version = top.text("apiVersion", required=True) or ""
    kind = top.text("kind", required=True) or ""
    if version and kind not in KINDS.get(version, ()):
        known = " or ".join(KINDS)
        top.fault("apiVersion", f"is {version!r} with kind {kind!r}, where {known} is known")
    metadata = top.child("metadata")
    name = metadata.text("name", required=True) or ""
    namespace = metadata.text("namespace")
    spec = top.child("spec")
    policy = _spec(spec)
    wired = wiring(spec, cluster=kind == CLUSTER_KIND)
    spec.done()
    top.ignore("status")
    top.done()
    if problems:
        raise ConfigError(*problems, source=source)
    raw = document.encode(policy)
    group = version.split("/", maxsplit=1)[0]
    finished = document.finished(policy, raw, source)
    return Validation(group, kind, name, namespace, finished, wired)


def _spec(spec: Fields) -> Policy:
    models = _models(spec)
    signers = _signers(spec)
    mode = spec.choice("mode", ("enforce", "warn"), default="enforce")
    timeout = document.timeout_seconds(spec)
    return Policy(models, signers, cast("Mode", mode), timeout)


def _models(spec: Fields) -> tuple[ModelRules, ...]:
    if "model" in spec and "models" in spec:
        spec.fault("", "has both model and models; give one of them")
    if "models" in spec:
        return tuple(document.model(entry) for entry in spec.children("models"))
    if "model" in spec:
        return (document.model(spec.child("model")),)
    return (ModelRules(path=None, discover=True),)


def _signers(spec: Fields) -> tuple[Signer, ...]:
    if ("config" in spec) == ("signers" in spec):
        spec.fault("", "needs exactly one of config and signers")
    found: list[Signer | None] = []
    if "signers" in spec:
        found += [_signer(entry) for entry in spec.children("signers")]
    if "config" in spec:
        found.append(_config(spec.child("config")))
    return tuple(signer for signer in found if signer is not None)


def _config(config: Fields) -> Signer | None:
    """The one method of `spec.config`, as the predecessors have it."""
    methods = ("sigstoreConfig", "pkiConfig", "publicKeyConfig", "privateKeyConfig")
    given = [method for method in methods if method in config]
    signer: Signer | None = None
    if len(given) != 1:
        config.fault("", f"needs exactly one of {', '.join(methods)}")
        config.ignore(*methods)
    elif given[0] == "sigstoreConfig":
        signer = _sigstore_config(config)
    elif given[0] == "pkiConfig":
        signer = _pki_config(config.child("pkiConfig"))
    else:
        signer = _key_config(config.child(given[0]))
    if "clientTrustConfig" in config and given != ["sigstoreConfig"]:
        config.fault("clientTrustConfig", "goes with sigstoreConfig only")
        config.ignore("clientTrustConfig")
    config.done()
    return signer


def _sigstore_config(config: Fields) -> Signer:
    fields = config.child("sigstoreConfig")
    names = {
        "identity": "certificateIdentity",
        "identityRegexp": "certificateIdentityRegexp",
        "issuer": "certificateOidcIssuer",
    }
    renamed = {new: fields.take(old) for new, old in names.items() if old in fields}
    fields.done()
    trust = (
        _trust_config(config.child("clientTrustConfig")) if "clientTrustConfig" in config else None
    )
    problems: list[Problem] = []
    signer = document.keyless(Fields(renamed, "", problems), trust)
    for problem in problems:
        detail = problem.detail
        if not problem.where:
            detail = "needs exactly one of certificateIdentity and certificateIdentityRegexp"
        fields.fault(names.get(problem.where, ""), detail)
    return signer


def _trust_config(fields: Fields) -> Material | None:
    path = fields.text("trustConfigPath", check=document.absolute)
    text = fields.text("trustConfig")
    if ("trustConfigPath" in fields) == ("trustConfig" in fields):
        fields.fault("", "needs exactly one of trustConfigPath and trustConfig")
    fields.done()
    return Material(text=_canonical(fields, "trustConfig", text), path=path)


def _pki_config(fields: Fields) -> Certificate:
    authority = fields.text("certificateAuthority", required=True)
    in_pod = authority is not None and is_absolute_path(authority)
    if authority is not None and not in_pod and "-----BEGIN" not in authority:
        fields.fault("certificateAuthority", "is neither PEM nor an absolute path in the pod")
    signer = Certificate(
        Material(path=authority) if in_pod else Material(text=authority),
        fields.text("certificateIdentity"),
        require_code_signing=fields.flag("requireCodeSigning", default=True),
    )
    fields.done()
    return signer


def _key_config(fields: Fields) -> Key:
    text, path = fields.text("key"), fields.text("keyPath", check=document.absolute)
    if ("key" in fields) == ("keyPath" in fields):
        fields.fault("", "needs exactly one of key and keyPath")
    fields.done()
    return Key(Material(text=text, path=path))


def _signer(entry: Fields) -> Signer | None:
    """One entry of `spec.signers`."""
    methods = [method for method in ("sigstore", "key", "certificate") if method in entry]
    name = entry.text("name") or ""
    if len(methods) != 1:
        entry.fault("", "needs exactly one of sigstore, key and certificate")
        entry.ignore("sigstore", "key", "certificate")
        entry.done()
        return None
    fields = entry.child(methods[0])
    signer: Signer
    if methods[0] == "sigstore":
        trust = _material(fields, "trustRoot") if "trustRoot" in fields else None
        signer = document.keyless(fields, trust, name)
    elif methods[0] == "key":
        signer = Key(_material(fields, "publicKey"), name)
    else:
        signer = Certificate(
            _material(fields, "trustAnchors"),
            fields.text("identity"),
            require_code_signing=fields.flag("requireCodeSigning", default=True),
            name=name,
        )
    fields.done()
    entry.done()
    return signer


def _material(parent: Fields, name: str) -> Material:
    """`{inline}` or `{path, sha256}`; references into the cluster cannot be followed here."""
    fields = parent.child(name)
    for reference in ("secretKeyRef", "configMapKeyRef"):
        if reference in fields:
            fields.fault(reference, "can only be read in the cluster, by the controller")
    text = fields.text("inline")
    path = fields.text("path", check=document.absolute)
    digest = fields.text("sha256", check=document.digest_fault)
    fields.ignore("secretKeyRef", "configMapKeyRef")
    references = sum(ref in fields for ref in ("inline", "path", "secretKeyRef", "configMapKeyRef"))
    if references != 1:
        fields.fault("", "needs exactly one of inline, path, secretKeyRef and configMapKeyRef")
    if "sha256" in fields and "path" not in fields:
        fields.fault("sha256", "goes with path only")
    fields.done()
    if name == "trustRoot":
        text = _canonical(fields, "inline", text)
    return Material(text=text, path=path, sha256=digest)


def _canonical(fields: Fields, name: str, text: str | None) -> str | None:
    """A trust root is JSON: one form for one meaning, so that one digest goes with it."""
    if text is None:
        return None
    try:
        value: Any = strict_json(text.encode())
    except Malformed as error:
        fields.fault(name, str(error))
        return None
    if not isinstance(value, dict):
        fields.fault(name, "is not a JSON object")
        return None
    return canonical_json(value).decode()
