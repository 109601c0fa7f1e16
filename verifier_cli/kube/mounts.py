"""What the containers of a pod see at a path, and which volumes are the same storage. Pure.

Two containers see the same at a path if the same mounts decide it (`view`). Two volumes are the
same storage if their sources say so, whatever their names.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from verifier_cli.kube.shapes import Unfit, flag, objects, text

Json = dict[str, Any]
# The storage behind each volume, by name; and those that hold a model.
Stores = Mapping[str, tuple[str, str]]
Held = Collection[tuple[str, str]]

# Volumes that hold settings, never a model.
_SETTINGS = ("configMap", "secret", "projected", "downwardAPI")
# Sources that are a volume of the pod's own, however alike two of them look.
_OWN = ("emptyDir", "ephemeral", *_SETTINGS)


@dataclass(frozen=True, slots=True, order=True)
class Mount:
    """One volume mount of a container.

    Attributes:
        path: where it is mounted: absolute and normalised.
        volume: name of the volume.
        sub_path: the part of the volume that is mounted; "" for all of it.
        expanded: the part is named by an expression of the container's variables.
        read_only: nothing can be written through it.
    """

    path: str
    volume: str
    sub_path: str
    expanded: bool
    read_only: bool


def normalised(path: str) -> str:
    """A mount path as the runtime takes it: absolute, without `.`, `..` and double slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


def covers(outer: str, inner: str) -> bool:
    """Whether `inner` is `outer` or lies below it."""
    return outer in (inner, "/") or inner.startswith(f"{outer}/")


def mounts_of(container: Json) -> list[Mount]:
    """The volume mounts of a container.

    Raises:
        Unfit: they are not what Kubernetes takes, or two of them hide each other. The API server
            takes `/data` and `/data/` for two places; the runtime puts one over the other.
    """
    found = [
        Mount(
            path=normalised(text(each, "mountPath")),
            volume=text(each, "name"),
            sub_path=text(each, "subPath", default="") or text(each, "subPathExpr", default=""),
            expanded="subPathExpr" in each,
            read_only=flag(each, "readOnly"),
        )
        for each in objects(container, "volumeMounts")
    ]
    paths = [mount.path for mount in found]
    for path in paths:
        if paths.count(path) > 1:
            raise Unfit(f"{text(container, 'name')} mounts two volumes at {path}")
    return found


def view(container: Json, path: str) -> tuple[Mount, ...]:
    """The mounts that decide what a container sees at `path`; none if its image alone does.

    That is every mount in the outermost one that covers the path: whoever writes one further out
    can move what is mounted in it, and a link in the model may lead to one beside it.
    """
    mounts = sorted(mounts_of(container))
    outer = min((mount.path for mount in mounts if covers(mount.path, path)), default=path)
    return tuple(mount for mount in mounts if covers(outer, mount.path))


def storage(volume: Json) -> tuple[str, str]:
    """What kind of storage a volume is, and which; equal for two volumes of the same source."""
    name = text(volume, "name")
    kinds = sorted(key for key in volume if key != "name")
    if len(kinds) != 1:
        raise Unfit(f"volume {name!r} has {len(kinds)} sources where one is wanted")
    (kind,) = kinds
    source = volume[kind]
    if kind in _OWN or not isinstance(source, dict):
        return kind, name
    if kind == "persistentVolumeClaim":
        return kind, text(source, "claimName")
    if kind == "hostPath":
        return kind, normalised(text(source, "path"))
    # `readOnly` says how it is mounted, not what it is.
    return kind, json.dumps({k: v for k, v in source.items() if k != "readOnly"}, sort_keys=True)


def same_storage(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether what is written to one can be read from the other."""
    if one[0] == other[0] == "hostPath":
        return covers(one[1], other[1]) or covers(other[1], one[1])
    return one == other


def can_hold_a_model(volume: Json, handed: Collection[str]) -> bool:
    """Whether a model may be in a volume.

    Args:
        volume: of the pod.
        handed: the volumes that an init container shares with one that goes on running; an
            emptyDir starts empty, and holds a model only if it is among them.
    """
    kind, _ = storage(volume)
    if kind == "emptyDir":
        return text(volume, "name") in handed
    return kind not in _SETTINGS


def storages(spec: Json) -> Stores:
    """The storage behind each volume of a pod, by the volume's name."""
    found = {text(volume, "name"): storage(volume) for volume in objects(spec, "volumes")}
    if len(found) != len(objects(spec, "volumes")):
        raise Unfit("two volumes have the same name")
    return found
