"""Who can write a model, before the verifier and after it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.kube.shapes import Unfit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from verifier_cli.kube.mounts import Container, Mount
    from verifier_cli.kube.storage import Held, Stores

Json = dict[str, Any]

# By /proc/PID such a sidecar opens what a downloader has mounted for writing, without any help from
# that, and keeps it open when the downloader is gone; or it changes the verifier's memory. Who
# starts after the verifier gains nothing by it: no mount of a model can be written any more.
_BESIDE = (
    "the sidecar {sidecar} runs beside {last} and the verifier, and could get at what they have "
    "open: take shareProcessNamespace and hostPID away, or put the sidecar after {last}"
)


def place(inits: Sequence[Container], models: Held, others: Held, *, shared_processes: bool) -> int:
    """Where the verifier goes: after the last init container that writes what it reads, else first.

    Args:
        inits: the init containers, without the verifier.
        models: the volumes of models.
        others: the volumes of signatures and trust material.
        shared_processes: containers of the pod see each other's processes.

    Raises:
        Unfit: a sidecar that runs before the verifier could load the model or write it later.
    """
    at = 0
    for index, each in enumerate(inits):
        if not each.sidecar and _writes(each, models.writable | others.writable):
            at = index + 1
    for each in inits[:at]:
        if each.sidecar:
            if _touches(each, models.every):
                raise Unfit(
                    f"the sidecar {each.name} mounts the model and starts before all of it was "
                    f"written by {inits[at - 1].name}: put it after that"
                )
            if shared_processes:
                raise Unfit(_BESIDE.format(sidecar=each.name, last=inits[at - 1].name))
    return at


def closed(
    container: Container, models: Held, stores: Stores, *, keep: bool
) -> tuple[Json, list[str]]:
    """A container that runs after the verdict, without the means to change the model; warnings.

    Args:
        container: it is not changed itself.
        models: the volumes of models.
        stores: what is behind the volumes.
        keep: its mounts are left as they are, with a warning for each that can write.
    """
    if any(volume in models.every for volume, _ in container.devices):
        raise Unfit(
            f"{container.name} has the block device of the model's volume, below any file: take it "
            "away"
        )
    if not _touches(container, models.every):
        return container.raw, []
    warnings: list[str] = []
    raws: list[Json] = []
    for raw, mount in zip(container.raw["volumeMounts"], container.mounts, strict=True):
        if mount.volume not in models.every:
            raws.append(raw)
        elif keep:
            raws.append(raw)
            warnings += _kept(container.name, raw, mount)
        else:
            raws.append(_read_only(container.name, raw, mount, stores))
            if mount.volume in models.perhaps and not mount.read_only:
                warnings.append(
                    f"{container.name} gets {mount.volume} at {mount.path} read-only, since it may "
                    "be the storage of the model under another name"
                )
    return {**container.raw, "volumeMounts": raws}, warnings


def _kept(name: str, raw: Json, mount: Mount) -> list[str]:
    if not mount.read_only:
        return [f"{name} can change the model at {mount.path} after its check"]
    if raw.get("mountPropagation") in (None, "None"):
        return []
    return [f"{name} can get another model mounted at {mount.path} after its check"]


def _read_only(name: str, raw: Json, mount: Mount, stores: Stores) -> Json:
    if raw.get("mountPropagation") not in (None, "None"):
        raise Unfit(
            f"{name} mounts the model at {mount.path} with mountPropagation, and would see what is "
            "mounted there after the check: leave it out, or give the validation mounts: Preserve"
        )
    if stores[mount.volume].kind != "hostPath":
        return raw if mount.read_only else {**raw, "readOnly": True}
    # What a node has mounted below the directory would stay writable. API servers that do not know
    # the field drop it; other volumes do without, for manifests that older ones must take.
    wanted = "Enabled" if raw.get("recursiveReadOnly") == "Enabled" else "IfPossible"
    return {**raw, "readOnly": True, "recursiveReadOnly": wanted}


def early_readers(before: Sequence[Container], models: Held) -> list[str]:
    """A warning for every init container that reads a model before it is checked."""
    return [
        f"{each.name} reads the model before its check"
        for each in before
        if _touches(each, models.every) and not _writes(each, models.writable)
    ]


def _touches(container: Container, volumes: Collection[str]) -> bool:
    return any(mount.volume in volumes for mount in container.mounts) or any(
        volume in volumes for volume, _ in container.devices
    )


def _writes(container: Container, volumes: Collection[str]) -> bool:
    return any(
        not mount.read_only and mount.volume in volumes for mount in container.mounts
    ) or any(volume in volumes for volume, _ in container.devices)
