"""Which policy a validation of the cluster puts in force, or why it puts none. Pure.

An invalid change keeps the last good policy: the controller keeps its spec in the status, which
only the controller can write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.config import manifest
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.kube.shapes import Unfit, child, text

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation
    from verifier_cli.config.wiring import Wiring

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unready:
    """A validation under which no pod can be let in; it must not be mistaken for none.

    Attributes:
        wiring: which pods it is for; everything where that cannot be read either.
        reason: a clause for the author of such a pod.
    """

    group: str
    kind: str
    name: str
    namespace: str | None
    wiring: Wiring
    reason: str


def in_force(resource: Json) -> Validation | Unready:
    """What a validation, as the API server has it, says today.

    Raises:
        ConfigError: the object has no name or kind to be called by.
    """
    try:
        return manifest.decode(resource, "")
    except ConfigError as error:
        fault = error
    try:
        status = child(resource, "status")
        good = child(status, "lastGood")
        if good:
            kept = manifest.decode({**resource, "spec": good.get("spec")}, "")
            if kept.policy.sha256 == status.get("policySha256"):
                return kept
    except (ConfigError, Unfit):
        pass  # no last good one, then
    return _unready(resource, f"is not valid, and no earlier version of it was: {fault}")


def _unready(resource: Json, reason: str) -> Unready:
    try:
        metadata = child(resource, "metadata")
        group = text(resource, "apiVersion").split("/", maxsplit=1)[0]
        kind, name = text(resource, "kind"), text(metadata, "name")
        namespace = text(metadata, "namespace", default="") or None
    except Unfit as error:
        raise ConfigError(Problem("", str(error))) from None
    wiring = manifest.wiring_of(resource.get("spec"), kind)
    return Unready(group, kind, name, namespace, wiring, reason)
