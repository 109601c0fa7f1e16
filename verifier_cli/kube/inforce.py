"""Which policy a validation of the cluster puts in force, or why it puts none. Pure.

An invalid change keeps the last good policy: the controller keeps its spec in the status, which
only the controller can write. It also says there what nobody else can see: whether the trust
material can be used, and the digest of a policy that takes some of it from a Secret or ConfigMap.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.config import document, manifest
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.kube.shapes import Unfit, child, objects, text

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation
    from verifier_cli.config.wiring import Wiring

Json = dict[str, Any]

# Changes with every verdict of a pod and every write, and is not looked at here.
_PASSED_BY = {
    "metadata": ("managedFields", "resourceVersion"),
    "status": ("configMap", "lastRejection", "method", "verdicts"),
}


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
        status = child(resource, "status")
        current = status.get("observedGeneration") == child(resource, "metadata").get("generation")
        refused = _refused(status) if current else None
        found = _read(resource)
    except (ConfigError, Unfit) as error:
        return _last_good(resource, str(error))
    if refused is not None:
        return _last_good(resource, refused)
    if not found.references:
        return found
    if not current:
        return _unready(resource, "was changed, and the controller has not read it yet: try again")
    return _pinned(found, status) or _unready(resource, "has no policy yet: try again")


def deciding(resource: Json) -> Json:
    """What of an object may change what `in_force` says of it: all but what is known not to."""
    found = dict(resource)
    for part, names in _PASSED_BY.items():
        if isinstance(value := found.get(part), dict):
            found[part] = {key: each for key, each in value.items() if key not in names}
    return found


def _read(resource: Json) -> Validation:
    """The validation with nothing in the place of material that only the controller reads."""
    return manifest.decode(resource, "", follow=manifest.unread)


def _pinned(found: Validation, status: Json) -> Validation | None:
    """The validation with the digest that the controller says; None if it says none."""
    sha256 = status.get("policySha256")
    if not isinstance(sha256, str) or document.digest_fault(sha256) is not None:
        return None
    return dataclasses.replace(found, policy=dataclasses.replace(found.policy, sha256=sha256))


def _refused(status: Json) -> str | None:
    """The controller's word why it cannot render a policy, if that is its word."""
    for condition in objects(status, "conditions"):
        if condition.get("type") == "Ready" and condition.get("status") == "False":
            return text(condition, "message", default="") or "the controller refuses it"
    return None


def _last_good(resource: Json, fault: str) -> Validation | Unready:
    """What was in force before a change that cannot be used."""
    try:
        status = child(resource, "status")
        kept = _read({**resource, "spec": child(status, "lastGood").get("spec")})
        found = _pinned(kept, status)
        if found is not None and (kept.references or found == kept):
            return found
    except (ConfigError, Unfit):
        pass  # none, then
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
