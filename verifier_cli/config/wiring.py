"""How pods are wired: what a validation says to the webhook, and not to the verifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from verifier_cli.config.selector import EVERYTHING, Selector, selector

if TYPE_CHECKING:
    from verifier_cli.config.fields import Fields


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the verifier is put into pods, and into which.

    Attributes:
        selector: of labelled pods.
        namespace_selector: of a cluster validation only.
        mounts: whether what is mounted after the verdict is made read-only.
        resources: of the verifier's container, as Kubernetes has them; None for the default.
        image_pull_policy: None for Kubernetes' default.
    """

    selector: Selector = EVERYTHING
    namespace_selector: Selector = EVERYTHING
    mounts: Literal["ReadOnly", "Preserve"] = "ReadOnly"
    resources: dict[str, Any] | None = None
    image_pull_policy: str | None = None


def wiring(spec: Fields, *, cluster: bool) -> Wiring:
    """Reads the fields of `spec` that are about wiring; `cluster` for a cluster validation."""
    mounts = spec.choice("mounts", ("ReadOnly", "Preserve"), default="ReadOnly")
    pull = spec.choice("imagePullPolicy", ("Always", "IfNotPresent", "Never"), default="")
    selects = selector(spec.child("selector")) if "selector" in spec else EVERYTHING
    namespaces = EVERYTHING
    if "namespaceSelector" in spec:
        namespaces = selector(spec.child("namespaceSelector"))
    if ("namespaceSelector" in spec) is not cluster:
        wanted = "is missing" if cluster else "goes with ClusterModelValidation only"
        spec.fault("namespaceSelector", wanted)
    return Wiring(
        selector=selects,
        namespace_selector=namespaces,
        mounts=cast("Literal['ReadOnly', 'Preserve']", mounts),
        resources=_resources(spec.child("resources")) if "resources" in spec else None,
        image_pull_policy=pull or None,
    )


def _resources(fields: Fields) -> dict[str, Any]:
    """`{requests, limits}`: names and quantities, which Kubernetes itself will read."""
    found: dict[str, Any] = {}
    for part in ("requests", "limits"):
        if part in fields:
            quantities = fields.child(part)
            found[part] = {name: quantities.quantity(name) for name in quantities.names()}
    fields.done()
    return found
