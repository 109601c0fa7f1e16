"""An injection as it was done before this one: what has to be better than this.

It appends an init container with the volumes of the first container that mounts something above the
model, trusts whatever bears the verifier's name, and looks at nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.kube.pods import IMAGE, LABEL
from verifier_cli.kube.names import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]


def inject(pod: Json, validations: Sequence[Validation]) -> Json:
    """The pod with the verifier at the end of its init containers, unless its name is there."""
    spec = pod["spec"]
    inits = spec.get("initContainers", [])
    if any(each["name"] == CONTAINER for each in inits):
        return pod
    path = validations[0].policy.models[0].path or "/"
    verifier = {
        "name": CONTAINER,
        "image": IMAGE,
        "args": ["init"],
        "volumeMounts": _mounts(spec["containers"], path),
    }
    return {**pod, "spec": {**spec, "initContainers": [*inits, verifier]}}


def _mounts(containers: Sequence[Json], path: str) -> list[Json]:
    for each in containers:
        mounts: list[Json] = each.get("volumeMounts", [])
        if path == "/" or any(f"{path}/".startswith(mount["mountPath"]) for mount in mounts):
            return mounts
    return []


def asks(pod: Json) -> bool:
    """Whether a pod gets the verifier: if it says so itself."""
    return LABEL in pod["metadata"].get("labels", {})
