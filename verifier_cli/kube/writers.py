"""Who can write a model, before the verifier and after it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.kube.mounts import mounts_of, same_storage
from verifier_cli.kube.shapes import Unfit, objects, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.kube.mounts import Held, Mount, Stores

Json = dict[str, Any]


def place(inits: Sequence[Json], stores: Stores, held: Held) -> int:
    """Where the verifier goes: after the last init container that can write a model, else first."""
    found = 0
    for index, container in enumerate(inits):
        if not is_sidecar(container) and any(not m.read_only for m in _of(container, stores, held)):
            found = index + 1
    for container in inits[:found]:
        if is_sidecar(container) and _of(container, stores, held):
            raise Unfit(
                f"the sidecar {text(container, 'name')} mounts the model and starts before it was "
                f"written by {text(inits[found - 1], 'name')}: put it after that"
            )
    return found


def close(container: Json, stores: Stores, held: Held, *, keep: bool) -> list[str]:
    """Takes the writing away from a container that runs after the verdict, or warns of it."""
    name = text(container, "name")
    for device in objects(container, "volumeDevices"):
        if _holds(text(device, "name"), stores, held):
            raise Unfit(f"{name} has the block device of the model's volume, below any file")
    warnings: list[str] = []
    for each, mount in zip(objects(container, "volumeMounts"), mounts_of(container), strict=True):
        if _holds(mount.volume, stores, held) and not mount.read_only:
            if keep:
                warnings.append(f"{name} can change the model at {mount.path} after its check")
            else:
                each["readOnly"] = True
    return warnings


def early_readers(before: Sequence[Json], stores: Stores, held: Held) -> list[str]:
    """The names of init containers that read a model before it is checked."""
    return [
        text(container, "name")
        for container in before
        if (mounts := _of(container, stores, held)) and all(m.read_only for m in mounts)
    ]


def is_sidecar(container: Json) -> bool:
    """Whether an init container goes on beside the workload (a native sidecar)."""
    return container.get("restartPolicy") == "Always"


def _of(container: Json, stores: Stores, held: Held) -> list[Mount]:
    return [mount for mount in mounts_of(container) if _holds(mount.volume, stores, held)]


def _holds(volume: str, stores: Stores, held: Held) -> bool:
    return volume in stores and any(same_storage(stores[volume], each) for each in held)
