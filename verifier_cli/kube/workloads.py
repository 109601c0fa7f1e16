"""The pod in an object that makes pods. Pure."""

from __future__ import annotations

import copy
from typing import Any

from verifier_cli.kube.shapes import child, text

Json = dict[str, Any]

# Where a kind keeps its pod: metadata and spec, like a pod's own.
_TEMPLATES = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


def pod_of(workload: Json) -> tuple[Json | None, str]:
    """The pod (`metadata` and `spec`) of an object, and its namespace; no pod in other kinds.

    Raises:
        Unfit: the object is not made like its kind.
    """
    namespace = text(child(workload, "metadata"), "namespace", default="default")
    place = _TEMPLATES.get(text(workload, "kind", default=""))
    if place is None:
        return None, namespace
    found = workload
    for name in place:
        found = child(found, name)
    return found, namespace


def with_pod(workload: Json, pod: Json) -> Json:
    """The object with another pod in its place."""
    *above, last = ("", *_TEMPLATES[workload["kind"]])
    if not last:
        return pod
    changed = copy.deepcopy(workload)
    parent = changed
    for name in above[1:]:
        parent = parent[name]
    parent[last] = pod
    return changed
