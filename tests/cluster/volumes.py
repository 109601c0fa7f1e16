"""Storage for pods: folders of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def persistent_volume(name: str, directory: Path) -> Json:
    """A persistent volume for any claim without a storage class; its folder is made here."""
    directory.mkdir(parents=True)
    # There is nobody to give it to the user of a pod.
    directory.chmod(0o777)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(directory)},
        },
    }
