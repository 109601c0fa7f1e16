"""Which volumes of a pod are the same storage, and which can hold a model. Pure.

A pod says where a volume comes from, not what is there: where two sources could be the same
storage, they are taken for it. Two claims with different names are taken for different storage,
since persistent volumes are made by administrators.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from verifier_cli.kube.mounts import normalised, overlap
from verifier_cli.kube.shapes import Unfit, child, objects, text

Json = dict[str, Any]

# Volumes that hold settings, never a model.
_SETTINGS = ("configMap", "secret", "projected", "downwardAPI")
# CSI drivers that hand out secrets and identities; nobody keeps a model in these.
_SETTINGS_DRIVERS = (
    "csi.cert-manager.io",
    "csi.sharedresource.openshift.io",
    "csi.spiffe.io",
    "secrets-store-gke.csi.k8s.io",
    "secrets-store.csi.k8s.io",
    "spiffe.csi.cert-manager.io",
)
_NEVER = frozenset([*_SETTINGS, *(f"csi {driver}" for driver in _SETTINGS_DRIVERS)])
# Sources that are a volume of the pod's own, however alike two of them look. The API server takes
# no pod that mounts the claim of an ephemeral volume by its name too.
_OWN = ("emptyDir", "ephemeral", "gitRepo", *_SETTINGS)
# Kubernetes mounts these read-only, whatever the mount says.
_UNWRITABLE = ("image", *_SETTINGS)
# Where a node keeps the volumes and images of its pods, and the processes that see them.
_NODE = (
    "/opt/local-path-provisioner",
    "/proc",
    "/run/containerd",
    "/run/containers",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/k0s",
    "/var/lib/kubelet",
    "/var/lib/rancher/k3s",
    "/var/lib/rancher/rke2",
    "/var/snap/microk8s",
)


class Store(NamedTuple):
    """What is behind a volume.

    Attributes:
        kind: of the source, as Kubernetes calls it, with the driver if it has one.
        which: the claim, the directory of the node or the image; elsewhere the volume.
    """

    kind: str
    which: str


Stores = Mapping[str, Store]


class Held(NamedTuple):
    """The volumes that hold a model, by name.

    Attributes:
        surely: the verifier reads it there, or the source is the same.
        perhaps: the source may be the same storage under another name.
        writable: those of either in which a mount can write at all.
    """

    surely: frozenset[str]
    perhaps: frozenset[str]
    writable: frozenset[str]

    @property
    def every(self) -> frozenset[str]:
        """All of them."""
        return self.surely | self.perhaps


def storages(spec: Json) -> Stores:
    """What is behind each volume of a pod, by the volume's name.

    Raises:
        Unfit: the volumes are not what Kubernetes takes.
    """
    volumes = objects(spec, "volumes")
    found = {text(volume, "name"): _store(volume) for volume in volumes}
    if len(found) != len(volumes):
        raise Unfit("two volumes have the same name")
    return found


def _kind(volume: Json) -> str:
    kinds = [key for key in volume if key != "name"]
    if len(kinds) != 1:
        name = text(volume, "name")
        raise Unfit(f"volume {name!r} has {len(kinds)} sources where one is wanted")
    return kinds[0]


def _store(volume: Json) -> Store:
    kind, name = _kind(volume), text(volume, "name")
    if kind in _OWN:
        return Store(kind, name)
    source = child(volume, kind)
    if kind == "persistentVolumeClaim":
        return Store(kind, text(source, "claimName"))
    if kind == "hostPath":
        return Store(kind, normalised(text(source, "path")))
    if kind == "image":
        return Store(kind, text(source, "reference", default=""))
    return Store(f"{kind} {text(source, 'driver', default='')}", name)


def same_storage(one: Store, other: Store) -> bool:
    """Whether what is written to one may be read from the other."""
    if one == other or _is_node(one) or _is_node(other):
        return True
    if one.kind != other.kind:
        return False
    if one.kind == "hostPath":
        return overlap(one.which, other.which)
    # Network storage has many names: a directory of an export, an address of a server, options.
    return one.kind not in (*_OWN, "persistentVolumeClaim", "image")


def _is_node(store: Store) -> bool:
    return store.kind == "hostPath" and any(overlap(store.which, each) for each in _NODE)


def holding(stores: Stores, volumes: Collection[str]) -> Held:
    """The volumes that are the same storage as one of `volumes`."""
    if not volumes:
        return Held(frozenset(), frozenset(), frozenset())
    behind = {stores[name] for name in volumes}
    surely = frozenset([name for name, store in stores.items() if store in behind])
    perhaps = frozenset(
        [
            name
            for name, store in stores.items()
            if name not in surely and any(same_storage(store, each) for each in behind)
        ]
    )
    writable = [name for name in surely | perhaps if stores[name].kind not in _UNWRITABLE]
    return Held(surely, perhaps, frozenset(writable))


def can_hold_a_model(name: str, store: Store, handed: Collection[str]) -> bool:
    """Whether a model may be in a volume.

    Args:
        name: of the volume.
        store: what is behind it.
        handed: the volumes that an init container hands to a container that goes on running; an
            emptyDir starts empty, and holds a model only if it is among them.
    """
    return name in handed if store.kind == "emptyDir" else store.kind not in _NEVER
