"""How pods are wired: what a validation says to the webhook, and not to the verifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.config.selector import EVERYTHING, Selector

if TYPE_CHECKING:
    from verifier_cli.config.fields import Fields


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the verifier is put into pods, and into which.

    Attributes:
        selector: of labelled pods.
        namespace_selector: of a cluster validation only.
        mounts: `ReadOnly` makes what is mounted after the verdict so; `Preserve` leaves it.
        resources: of the verifier's container, as Kubernetes has them; None for the default.
        image_pull_policy: None for Kubernetes' default.
    """

    selector: Selector = EVERYTHING
    namespace_selector: Selector = EVERYTHING
    mounts: str = "ReadOnly"
    resources: dict[str, Any] | None = None
    image_pull_policy: str | None = None


# As Kubernetes has it; quantities are numbers or texts such as 128Mi.
_QUANTITIES = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    },
}
RESOURCES = {
    "type": "object",
    "properties": {
        "requests": {"description": "What is set aside for it.", **_QUANTITIES},
        "limits": {"description": "What it may use at most.", **_QUANTITIES},
    },
}


def resources(fields: Fields) -> dict[str, Any]:
    """`{requests, limits}`: names and quantities, which Kubernetes itself will read."""
    found: dict[str, Any] = {}
    for part in ("requests", "limits"):
        if part in fields:
            quantities = fields.child(part)
            found[part] = {name: quantities.quantity(name) for name in quantities.names()}
    fields.done()
    return found
