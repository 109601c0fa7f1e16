"""What the containers of a pod see at a path. Pure.

Two containers see the same at a path if the same mounts decide it (`view`).
"""

from __future__ import annotations

import posixpath
from typing import Any, NamedTuple

from verifier_cli.kube.shapes import Unfit, flag, objects, text

Json = dict[str, Any]

# Links that images have by the Filesystem Hierarchy Standard: one place under two paths.
_LINKS = (("/var/run", "/run"), ("/var/lock", "/run/lock"))
_TERMINATION = "/dev/termination-log"


class Mount(NamedTuple):
    """One volume mount of a container.

    Attributes:
        path: where it is mounted, as `normalised` has it.
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


class Container(NamedTuple):
    """A container, as far as storage goes.

    Attributes:
        raw: as it is in the pod; not to be changed.
        sidecar: an init container that goes on beside the workload (a native sidecar).
        mounts: in the order of `volumeMounts`.
        devices: the volumes that it has as block devices, and the paths of these.
    """

    raw: Json
    name: str
    sidecar: bool
    mounts: tuple[Mount, ...]
    devices: tuple[tuple[str, str], ...]


def normalised(path: str) -> str:
    """A path as the runtime takes it: absolute, without `.`, `..`, double slashes, common links."""
    found = posixpath.normpath("/" + path.lstrip("/"))
    if found.startswith("/var/"):
        for link, target in _LINKS:
            if covers(link, found):
                return target + found[len(link) :]
    return found


def spelled(path: str, like: str) -> str:
    """A normalised path by the link through which `like` goes, if it goes through one.

    The verifier's image need not have the link, and the policy's path must exist in it.
    """
    for link, target in _LINKS:
        if covers(link, like) and covers(target, path):
            return link + path[len(target) :]
    return path


def covers(outer: str, inner: str) -> bool:
    """Whether `inner` is `outer` or lies below it."""
    return outer in (inner, "/") or inner.startswith(f"{outer}/")


def overlap(one: str, other: str) -> bool:
    """Whether one of two paths is the other or lies below it."""
    # Asked dozens of times for each pod: `covers` both ways, in one call.
    return (
        one == other
        or "/" in (one, other)
        or one.startswith(f"{other}/")
        or other.startswith(f"{one}/")
    )


def read(container: Json, *, init: bool) -> Container:
    """Reads a container of a pod; `init` for one of its init containers.

    Raises:
        Unfit: it is not what Kubernetes takes, or two of its mounts hide each other. The API server
            takes `/data` and `/data/` for two places; the runtime puts one over the other.
    """
    name = text(container, "name")
    mounts = tuple([_mount(each) for each in objects(container, "volumeMounts")])
    paths = [mount.path for mount in mounts]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise Unfit(f"{name} mounts two volumes at {twice}")
    devices = tuple(
        [
            (text(each, "name"), normalised(text(each, "devicePath")))
            for each in objects(container, "volumeDevices")
        ]
    )
    sidecar = init and container.get("restartPolicy") == "Always"
    return Container(container, name, sidecar, mounts, devices)


def _mount(raw: Json) -> Mount:
    return Mount(
        path=normalised(text(raw, "mountPath")),
        volume=text(raw, "name"),
        sub_path=text(raw, "subPath", default="") or text(raw, "subPathExpr", default=""),
        expanded="subPathExpr" in raw,
        read_only=flag(raw, "readOnly"),
    )


def view(container: Container, path: str) -> tuple[str, list[Mount]]:
    """The mounts that decide what a container sees at `path`, and the outermost place of these.

    That is every mount in the outermost one that covers the path: whoever writes one further out
    can move what is mounted in it, and a link in the model may lead to one beside it. There are
    none if the container's image alone decides.
    """
    outer = path
    for mount in container.mounts:
        # Of the paths that cover one path, the shortest is outermost.
        if len(mount.path) < len(outer) and covers(mount.path, path):
            outer = mount.path
    return outer, sorted([mount for mount in container.mounts if covers(outer, mount.path)])


def require_nothing_else(container: Container, outer: str) -> None:
    """Refuses a container below whose mount at `outer` the runtime would put something of its own.

    Raises:
        Unfit: its termination message or a block device would lie there.
    """
    message = text(container.raw, "terminationMessagePath", default="") or _TERMINATION
    own = [("terminationMessagePath", normalised(message))]
    own += [("devicePath", path) for _, path in container.devices]
    for field, path in own:
        if overlap(outer, path):
            raise Unfit(
                f"{container.name} has its {field} {path} where it mounts what is verified: choose "
                "another"
            )
