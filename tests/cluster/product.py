"""The product on a node: its images and its manifests, as somebody installs them who built both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.apiserver import Refused
from tests.cluster.installed import MANIFESTS, NAMESPACE, apply, eventually, manifests
from tests.cluster.volumes import persistent_volume
from verifier_cli.config.strictyaml import load_all

if TYPE_CHECKING:
    from tests.cluster.node import Node

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
IMAGES = tuple(
    ROOT / "build" / "images" / f"{name}.oci.tar" for name in ("verifier", "operator", "models")
)
EXAMPLES = ROOT / "examples"
DEPLOYMENTS = ("model-validation-controller", "model-validation-webhook")
CLAIM = "models"
ENDED = ("Succeeded", "Failed")
# What is said while webhook, guard or controller have not seen the namespace, the validation or the
# settings yet.
# Whoever makes pods for a living (a ReplicaSet, a Job) tries again too.
NOT_YET = (
    "try again",
    "failed calling webhook",
    "denied request: not ready",
    "no params found",
)
# Comes and goes by itself.
_FLEETING = ("events", "events.events.k8s.io", "leases.coordination.k8s.io")


def install(node: Node) -> None:
    """Applies the manifests, and waits until pods with the label can be made."""
    apply(node, manifests(node))
    for name in DEPLOYMENTS:
        node.wait("condition=Available", f"deployment/{name}", f"--namespace={NAMESPACE}")
    # The controller's work: before it, no pod with the label can be made.
    hooks = "mutatingwebhookconfiguration/model-validation-webhook"
    node.get_until(
        lambda found: all("caBundle" in each["clientConfig"] for each in found["webhooks"]), hooks
    )


def uninstall(node: Node) -> None:
    """Removes it as docs/install.md says, and waits until all of it is gone."""
    kinds = ",".join(
        each["metadata"]["name"]
        for each in manifests(node)
        if each["kind"] == "CustomResourceDefinition"
    )
    node.kubectl("delete", kinds, "--all", "--all-namespaces")
    node.kubectl("delete", "-k", str(MANIFESTS / "overlays/development"), seconds=150)


def inventory(node: Node, *but: str) -> set[tuple[str, str, str]]:
    """Every object of the cluster by resource, namespace and name.

    Args:
        node: the cluster.
        but: namespaces that do not count, since somebody else fills and clears them.
    """
    listed = node.kubectl("api-resources", "--verbs=list", "--output=name").stdout.split()
    found = set()
    for resource in listed:
        if resource in _FLEETING:
            continue
        for each in node.get(resource, "--all-namespaces")["items"]:
            metadata = each["metadata"]
            space = metadata.get("namespace", "")
            if not {space, metadata["name"]} & set(but):
                found.add((resource, space, metadata["name"]))
    return found


def volume(node: Node, room: str) -> Json:
    """A persistent volume for the claim `CLAIM` of a namespace; it lies at `stored`."""
    made = persistent_volume(room, stored(node, room))
    made["spec"]["claimRef"] = {"namespace": room, "name": CLAIM}
    return made


def stored(node: Node, room: str) -> Path:
    """Where the node keeps the volume of a namespace."""
    return node.directory / "volumes" / room


def example(name: str, room: str) -> list[Json]:
    """The objects of an example, for a namespace."""
    found = load_all((EXAMPLES / name).read_bytes())
    for each in found:
        each["metadata"]["namespace"] = room
    return found


def send(product: Node, objects: list[Json]) -> None:
    """Sends objects that must be taken."""
    for each in objects:
        if refusal := until_answered(product, each):
            raise AssertionError(refusal)


def until_answered(product: Node, made: Json) -> str:
    """Sends an object until it is taken, or refused for what it is; returns the refusal."""

    def answer() -> list[str]:
        try:
            product.apply(made)
        except Refused as refused:
            said = str(refused)
        else:
            said = ""
        return [] if any(each in said for each in NOT_YET) else [said]

    (said,) = eventually(answer, seconds=90)
    return said


def ended(product: Node, room: str, name: str) -> Json:
    """The status of a pod once its verifier or its workload has ended."""

    def done(found: Json) -> bool:
        return found["status"]["phase"] in ENDED

    status: Json = product.get_until(done, f"pod/{name}", f"--namespace={room}")["status"]
    return status


def verdict(status: Json) -> tuple[int, Json]:
    """How the verifier ended, and its termination message."""
    (one,) = [e for e in status["initContainerStatuses"] if e["name"] == "model-validation"]
    told = one["state"]["terminated"]
    return told["exitCode"], json.loads(told["message"])


def started(status: Json) -> bool:
    """Whether a container of the pod's own ever ran."""
    states = [each["state"] for each in status["containerStatuses"]]
    return any("waiting" not in state for state in states)


def said(product: Node, room: str, name: str) -> str:
    """What the model server of a pod has printed."""
    return product.kubectl("logs", name, f"--namespace={room}", "--container=server").stdout


def resource(name: str, group: str = "ml.sigstore.dev") -> str:
    """A ModelValidation, as kubectl is asked for it."""
    return f"modelvalidations.{group}/{name}"


def wait_ready(product: Node, room: str, name: str) -> None:
    """Waits until a validation is in force."""
    product.wait("condition=Ready", resource(name), f"--namespace={room}")


def rejections(events: Json) -> list[Json]:
    """The events that tell of a rejected model."""
    return [each for each in events["items"] if each["reason"] == "ModelRejected"]


def metrics(product: Node, name: str) -> str:
    """What a Deployment of ours shows to Prometheus, by way of the API server."""
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{name}:8080/proxy/metrics"
    return product.kubectl("get", f"--raw={path}").stdout
