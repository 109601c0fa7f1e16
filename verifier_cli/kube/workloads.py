"""The pod in an object that makes pods. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.kube.names import LABELS
from verifier_cli.kube.shapes import Unfit, child, text

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

# Where a kind keeps its pod: metadata and spec, like a pod's own.
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
# The API groups of these kinds; others have a Job or a Deployment of their own making.
_GROUPS = ("", "apps", "batch")


def unpacked(value: Json) -> Iterator[Json]:
    """The objects of a list as `kubectl get` prints it, or the object itself.

    Raises:
        Unfit: the list holds something else.
    """
    items = value.get("items")
    if not text(value, "kind", default="").endswith("List") or not isinstance(items, list):
        yield value
        return
    for item in items:
        if not isinstance(item, dict):
            raise Unfit("items is not a list of objects")
        yield from unpacked(item)


def pod_of(workload: Json, namespace: str = "default") -> tuple[Json | None, str]:
    """The pod (`metadata` and `spec`) of an object, and its namespace; no pod in other kinds.

    Args:
        workload: any object.
        namespace: of objects that name none.

    Raises:
        Unfit: the object is not made like its kind, or carries a label that no pod of it gets.
    """
    namespace = text(child(workload, "metadata"), "namespace", default="") or namespace
    place = _place(workload)
    if place is None:
        _require_no_label(workload)
        return None, namespace
    found = workload
    for name in place:
        found = child(found, name)
    missing = _labels(workload) - _labels(found)
    if missing:
        raise Unfit(f"its label {min(missing)} is not on its pod template: put it there")
    return found, namespace


def with_pod(workload: Json, pod: Json) -> Json:
    """The object with another pod in its place."""
    return _with(workload, _place(workload) or (), pod)


def _with(parent: Json, place: tuple[str, ...], pod: Json) -> Json:
    if not place:
        return pod
    return {**parent, place[0]: _with(parent[place[0]], place[1:], pod)}


def _place(workload: Json) -> tuple[str, ...] | None:
    group, _, _ = text(workload, "apiVersion", default="").rpartition("/")
    return _TEMPLATES.get(text(workload, "kind", default="")) if group in _GROUPS else None


def _labels(parent: object) -> set[str]:
    """The labels of an object that ask for a verifier."""
    metadata = parent.get("metadata") if isinstance(parent, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return set(LABELS.values()).intersection(labels if isinstance(labels, dict) else ())


def _require_no_label(workload: Json) -> None:
    """Refuses an object of another kind whose pods would go without the verifier unnoticed."""
    group, _, version = text(workload, "apiVersion", default="").rpartition("/")
    kind = text(workload, "kind", default="")
    # Kubernetes' own other kinds make no pods; tools put one set of labels on everything.
    no_pods = kind and version and ("." not in group or group.endswith(".k8s.io"))
    waiting: list[object] = [] if no_pods else [workload]
    waiting += workload.values()
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if found := _labels(each):
                raise Unfit(
                    f"it carries the label {min(found)}, and where a {kind} keeps its pods is not "
                    "known: leave it to the webhook, and out of these files"
                )
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
