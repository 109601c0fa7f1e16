"""What the cluster holds, and what it asks, as JSON."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.kube.pods import KEY, pod

Json = dict[str, Any]

LABEL = "validation.ml.sigstore.dev/ml"


def namespace(name: str = "ns", **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def resource(
    name: str = "demo",
    space: str = "ns",
    *,
    group: str = "ml.sigstore.dev",
    kind: str = "ModelValidation",
    **spec: object,
) -> Json:
    """A validation by a key, unless `spec` says otherwise."""
    whole: Json = {
        "model": {"path": "/data/model"},
        "config": {"publicKeyConfig": {"key": KEY}},
        **spec,
    }
    metadata = {"name": name} | ({"namespace": space} if space else {})
    top = {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": metadata}
    return {**top, "spec": whole}


def labelled(value: str | None = "demo", space: str = "ns") -> Json:
    """A pod that asks for a validation, or for none."""
    made = pod()
    made["metadata"] |= {"namespace": space, "labels": {} if value is None else {LABEL: value}}
    return made


def review(asked: Json, *, operation: str = "CREATE", old: Json | None = None, **more: Any) -> Json:  # noqa: ANN401
    request = {
        "uid": "7f0b0a4e-6c0e-4f0e-9d0b-0a4e6c0e4f0e",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": operation,
        "namespace": asked["metadata"]["namespace"],
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": copy.deepcopy(asked),
        "oldObject": old,
        "dryRun": False,
        **more,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
