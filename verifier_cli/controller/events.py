"""Events (core/v1) about what verifiers said: on the pod, and on every validation it is under."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from verifier_cli.apiserver.client import ApiError
from verifier_cli.kube.crd import VERSION

if TYPE_CHECKING:
    from verifier_cli.apiserver.client import Api
    from verifier_cli.controller.state import Key, Pod

Json = dict[str, Any]

_CONFLICT, _GONE = 409, (403, 404)
_REASONS = {"rejected": "ModelRejected", "undetermined": "ModelUndetermined"}
COMPONENT = "model-validation-controller"


async def emit(api: Api, pod: Pod, validations: dict[Key, Json], now: str) -> None:
    """Writes one event for each that the answer is about; once, however often it is called.

    Raises:
        ApiError: one could not be written.
    """
    involved = {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace}
    involved |= {"name": pod.name, "uid": pod.uid}
    await _write(api, event(pod, involved, now))
    for key, resource in validations.items():
        about = {"apiVersion": f"{key.group}/{VERSION}", "kind": key.kind, "name": key.name}
        about["uid"] = resource["metadata"]["uid"]
        if key.namespace:
            about["namespace"] = key.namespace
        await _write(api, event(pod, about, now))


def event(pod: Pod, involved: Json, now: str) -> Json:
    """The event about one end of a pod's verifier; its name follows from what it says."""
    verdict = pod.verdict
    mark = f"{involved['uid']} {pod.uid} {verdict.time}".encode()
    name = f"{involved['name'][:200]}.{hashlib.sha256(mark).hexdigest()[:16]}"
    said = f": {verdict.finding}" if verdict.finding else ""
    time = verdict.time or now
    return {
        "apiVersion": "v1",
        "kind": "Event",
        # Events about what is in no namespace are in the default one.
        "metadata": {"name": name, "namespace": involved.get("namespace", "default")},
        "involvedObject": involved,
        "type": "Warning",
        "reason": _REASONS[verdict.state],
        "message": f"model of pod {pod.shown} {verdict.state}, {verdict.reason}{said}"[:1024],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


async def _write(api: Api, made: Json) -> None:
    namespace = made["metadata"]["namespace"]
    try:
        await api.create(f"/api/v1/namespaces/{namespace}/events", made)
    except ApiError as error:
        # There already, or the namespace is on its way out.
        if error.status != _CONFLICT and error.status not in _GONE:
            raise
