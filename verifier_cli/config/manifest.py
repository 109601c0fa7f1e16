"""ModelValidation manifests, also as the two predecessor controllers took them, to policies."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from verifier_cli.config import declared, document, resource
from verifier_cli.config.checks import JSON_OBJECT
from verifier_cli.config.fields import Fields
from verifier_cli.config.selector import EVERYTHING
from verifier_cli.config.wiring import Wiring
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.inputs import canonical_json, strict_json
from verifier_cli.policy import (
    Certificate,
    Key,
    Keyless,
    Material,
    ModelRules,
    Policy,
    is_absolute_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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
class Reference:
    """A key of a Secret or ConfigMap that holds trust material.

    Attributes:
        kind: `Secret` or `ConfigMap`.
        where: field path in the validation.
    """

    kind: str
    name: str
    key: str
    where: str


@dataclass(frozen=True, slots=True)
class Validation:
    """A ModelValidation or ClusterModelValidation, read.

    Attributes:
        group: API group.
        namespace: None for a cluster validation, or when the manifest does not name it.
        references: what of its material is not in its own text.
    """

    group: str
    kind: str
    name: str
    namespace: str | None
    policy: Policy
    wiring: Wiring = field(default_factory=Wiring)
    references: tuple[Reference, ...] = ()


def is_validation(value: object) -> bool:
    """Whether a document claims to be a validation, of any version."""
    return isinstance(value, dict) and str(value.get("kind", "")).endswith("ModelValidation")


def unread(_: Reference) -> str:
    """Follows a reference to nothing: for whoever cannot read material, or not yet.

    Sound as JSON too. A digest that is made of it means nothing.
    """
    return "{}"


def decode(
    value: object, source: str, *, follow: Callable[[Reference], str] | None = None
) -> Validation:
    """Reads one manifest.

    Args:
        value: the document.
        source: where it comes from, for messages.
        follow: reads material from the cluster, or raises `ConfigError`; without it, a reference
            is a fault.

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
    spec = _spec(top.child("spec"), kind)
    top.ignore("status")
    top.done()
    if problems:
        raise ConfigError(*problems, source=source)
    material = _Cluster(follow, problems)
    policy = _policy(spec, material)
    if problems:
        raise ConfigError(*problems, source=source)
    raw = document.encode(policy)
    group = version.split("/", maxsplit=1)[0]
    finished = document.finished(policy, raw, source)
    references = tuple(material.references)
    return Validation(group, kind, name, namespace, finished, _wiring(spec), references)


def wiring_of(spec: object, kind: str) -> Wiring:
    """Which pods and namespaces a validation is for that has faults; all if that has some too."""
    problems: list[Problem] = []
    found = _spec(Fields(spec, "spec", problems), kind)
    # The spec itself, or a selector in it.
    lost = any(each.where == "spec" or "elector" in each.where for each in problems)
    return Wiring() if lost else _wiring(found)


def _spec(fields: Fields, kind: str) -> resource.Spec:
    if kind == CLUSTER_KIND:
        return declared.read(resource.ClusterSpec, fields)
    if "namespaceSelector" in fields:
        fields.fault("namespaceSelector", f"goes with {CLUSTER_KIND} only")
        fields.ignore("namespaceSelector")
    return declared.read(resource.Spec, fields)


def _wiring(spec: resource.Spec) -> Wiring:
    namespaces = spec.namespace_selector if isinstance(spec, resource.ClusterSpec) else None
    return Wiring(
        selector=spec.selector or EVERYTHING,
        namespace_selector=namespaces or EVERYTHING,
        mounts=spec.mounts,
        resources=spec.resources,
        image_pull_policy=spec.image_pull_policy,
    )


def _policy(spec: resource.Spec, cluster: _Cluster) -> Policy:
    given = [*spec.models, *([spec.model] if spec.model else [])]
    models = tuple(ModelRules(**dataclasses.asdict(each)) for each in given)
    signers = [_signer(e, f"spec.signers[{i}]", cluster) for i, e in enumerate(spec.signers)]
    if spec.config is not None:
        signers.append(_config(spec.config))
    return Policy(
        models or (ModelRules(path=None, discover=True),),
        tuple(signers),
        cast("Mode", spec.mode),
        spec.timeout_seconds,
    )


def _config(config: resource.Config) -> Signer:
    """The one method of `spec.config`, as the predecessors have it."""
    if (sigstore := config.sigstore_config) is not None:
        trust = config.client_trust_config
        return Keyless(
            issuer=sigstore.certificate_oidc_issuer,
            identity=sigstore.certificate_identity,
            identity_regexp=sigstore.certificate_identity_regexp,
            trust_root=None if trust is None else _trust_config(trust),
        )
    if (pki := config.pki_config) is not None:
        authority = pki.certificate_authority
        in_pod = is_absolute_path(authority)
        return Certificate(
            Material(path=authority) if in_pod else Material(text=authority),
            pki.certificate_identity,
            require_code_signing=pki.require_code_signing,
        )
    key = cast("resource.KeyConfig", config.public_key_config or config.private_key_config)
    return Key(Material(text=key.key, path=key.key_path))


def _trust_config(given: resource.ClientTrustConfig) -> Material:
    return Material(text=_canonical(given.trust_config), path=given.trust_config_path)


def _signer(entry: resource.Signer, where: str, cluster: _Cluster) -> Signer:
    """One entry of `spec.signers`."""
    name = entry.name or ""
    if (sigstore := entry.sigstore) is not None:
        root = sigstore.trust_root
        return Keyless(
            issuer=sigstore.issuer,
            identity=sigstore.identity,
            identity_regexp=sigstore.identity_regexp,
            trust_root=None
            if root is None
            else cluster.trust_root(root, f"{where}.sigstore.trustRoot"),
            name=name,
        )
    if entry.key is not None:
        return Key(cluster.material(entry.key.public_key, f"{where}.key.publicKey"), name)
    certificate = cast("resource.Certificate", entry.certificate)
    return Certificate(
        cluster.material(certificate.trust_anchors, f"{where}.certificate.trustAnchors"),
        certificate.identity,
        require_code_signing=certificate.require_code_signing,
        name=name,
    )


class _Cluster:
    """Follows the references of one validation, and keeps account of them."""

    def __init__(self, follow: Callable[[Reference], str] | None, problems: list[Problem]) -> None:
        self.references: list[Reference] = []
        self._follow = follow
        self._problems = problems

    def material(self, given: resource.Material, where: str) -> Material:
        reference = _reference(given, where)
        text = given.inline if reference is None else self._text(reference)
        return Material(text=text, path=given.path, sha256=given.sha256)

    def trust_root(self, given: resource.TrustRoot, where: str) -> Material:
        found = self.material(given, where)
        if found.text is not None and (fault := JSON_OBJECT.fault(found.text)) is not None:
            self._problems.append(Problem(where, fault))
            return found
        return dataclasses.replace(found, text=_canonical(found.text))

    def _text(self, reference: Reference) -> str | None:
        self.references.append(reference)
        if self._follow is None:
            detail = "can only be read in the cluster, by the controller"
            self._problems.append(Problem(reference.where, detail))
            return None
        try:
            text = self._follow(reference)
        except ConfigError as error:
            self._problems += error.problems
            return None
        if not text.strip():
            self._problems.append(Problem(reference.where, "is empty"))
        return text


def _reference(given: resource.Material, where: str) -> Reference | None:
    if (secret := given.secret_key_ref) is not None:
        return Reference("Secret", secret.name, secret.key, f"{where}.secretKeyRef")
    if (config := given.config_map_key_ref) is not None:
        return Reference("ConfigMap", config.name, config.key, f"{where}.configMapKeyRef")
    return None


def _canonical(text: str | None) -> str | None:
    """A trust root is JSON: one form for one meaning, so that one digest goes with it."""
    return None if text is None else canonical_json(strict_json(text.encode())).decode()
