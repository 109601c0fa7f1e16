"""What the author of a pod should know that is let in. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from verifier_cli.kube.mounts import normalised, overlap
from verifier_cli.kube.shapes import Unfit, child, flag
from verifier_cli.policy import Certificate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.mounts import Container
    from verifier_cli.kube.storage import Held, Stores

Json = dict[str, Any]

# With one of these a process gets at a file system whatever its mounts say.
_MIGHTY = frozenset({"ALL", "DAC_READ_SEARCH", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO"})
_DIGEST = re.compile(r"@sha(?:256|384|512):[0-9a-f]+\Z")


def of_policies(validations: Sequence[Validation]) -> list[str]:
    """Policies that anybody of some kind can meet."""
    return [
        f"{each.name} names no identity: any code-signing certificate under its anchors will do"
        for each in validations
        if accepts_anybody(each)
    ]


def accepts_anybody(validation: Validation) -> bool:
    """Whether one of its signers is anybody to whom some authority issued a certificate."""
    signers = validation.policy.signers
    return any(isinstance(each, Certificate) and each.identity is None for each in signers)


def of_might(containers: Iterable[Container], *, host_processes: bool) -> list[str]:
    """Containers to which read-only mounts mean nothing.

    They are let in: whoever may run one has the whole node by it, and this pod is not the only way.

    Args:
        containers: all of the pod's.
        host_processes: they see the processes of the node (`hostPID`).
    """
    mighty = _MIGHTY | {"SYS_PTRACE"} if host_processes else _MIGHTY
    found = []
    for each in containers:
        context = child(each.raw, "securityContext")
        if not context:
            continue
        if flag(context, "privileged"):
            found.append(f"{each.name} is privileged: it can change the model after its check")
            continue
        added = child(context, "capabilities").get("add") or []
        if not isinstance(added, list) or not all(isinstance(name, str) for name in added):
            raise Unfit(f"the capabilities of {each.name} are not a list of texts")
        if had := sorted(mighty & {name.upper().removeprefix("CAP_") for name in added}):
            names = ", ".join(had)
            found.append(f"{each.name} has {names}: it can change the model after its check")
    return found


def of_images(stores: Stores, models: Held) -> list[str]:
    """Image volumes that hold a model and can be moved.

    The kubelet asks for the image anew whenever a container starts, or starts again.
    """
    return [
        f"the image of the volume {name} is named by a tag: name it by digest, or a container that "
        "starts after the check can get another one"
        for name in sorted(models.every)
        if stores[name].kind == "image" and _DIGEST.search(stores[name].which) is None
    ]


def of_decoys(workloads: Sequence[Container], models: Held) -> list[str]:
    """A model that no container of the workload mounts."""
    if any(mount.volume in models.every for each in workloads for mount in each.mounts):
        return []
    return ["only sidecars mount the model: what the pod's other containers load is not checked"]


def of_unseen(
    serving: Sequence[Container], paths: Iterable[str], able: Collection[str], stores: Stores
) -> list[str]:
    """Volumes that may hold a model which nobody verifies: a workload can be told to load it.

    Args:
        serving: the containers that go on running.
        paths: all that the validations name.
        able: the volumes that may hold a model.
        stores: what is behind the volumes.
    """
    places = [normalised(path) for path in paths]
    seen, others = set(), []
    for each in serving:
        for mount in each.mounts:
            if mount.volume not in able:
                continue
            if _reached(mount.path, places):
                seen.add((stores[mount.volume], mount.sub_path))
            else:
                others.append((each.name, mount))
    return [
        f"{name} mounts {mount.volume} at {mount.path}, which no validation looks at"
        for name, mount in others
        if (stores[mount.volume], mount.sub_path) not in seen
    ]


def _reached(path: str, places: Iterable[str]) -> bool:
    # Asked for every mount: a loop takes half of what `any` does.
    for place in places:  # noqa: SIM110
        if overlap(path, place):
            return True
    return False
