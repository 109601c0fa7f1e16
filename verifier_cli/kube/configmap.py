"""The ConfigMap that carries a policy into a pod. Pure: no client, no cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.config import document
from verifier_cli.config.manifest import CLUSTER_KIND, GROUP, PREDECESSOR_GROUP
from verifier_cli.config.reader import POLICY_KEY
from verifier_cli.errors import ConfigError, Problem

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation

# Of every ConfigMap that carries a policy.
MANAGED_BY, OURS = "app.kubernetes.io/managed-by", "model-verify"
MAX_NAME = 253
DIGEST_DIGITS = 10


def stem(group: str, kind: str, name: str) -> str:
    """What the names of a validation's ConfigMaps have in common, before `-DIGEST`."""
    if kind == CLUSTER_KIND:
        return f"cluster-{name}"
    return f"rhtas-{name}" if group == PREDECESSOR_GROUP else name


def configmap_name(validation: Validation) -> str:
    """`NAME-DIGEST`, led by `rhtas-` for the predecessor's group, `cluster-` for cluster scope.

    Raises:
        ConfigError: the name would be longer than Kubernetes allows.
    """
    digits = validation.policy.sha256[:DIGEST_DIGITS]
    name = f"{stem(validation.group, validation.kind, validation.name)}-{digits}"
    if len(name) > MAX_NAME:
        detail = f"is too long: the ConfigMap would be called by {len(name)} characters"
        raise ConfigError(Problem("metadata.name", detail))
    return name


def configmap(validation: Validation) -> dict[str, Any]:
    """The immutable ConfigMap whose key `policy.json` is the canonical policy document.

    Raises:
        ConfigError: its name would be too long.
    """
    source = f"{validation.kind}.{validation.group}/{validation.name}"
    metadata: dict[str, Any] = {
        "name": configmap_name(validation),
        "labels": {MANAGED_BY: OURS},
        "annotations": {
            f"validation.{GROUP}/validation": source,
            f"validation.{GROUP}/policy-sha256": validation.policy.sha256,
        },
    }
    if validation.namespace is not None:
        metadata["namespace"] = validation.namespace
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        "data": {POLICY_KEY: document.encode(validation.policy).decode()},
    }
