"""From a validation to a verdict, on a node: the images and the manifests that ship."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.cluster.apiserver import Refused
from tests.cluster.existing import Existing
from tests.cluster.installed import NAMESPACE, apply, eventually, manifests
from tests.unit.config.test_manifest import DEMO
from verifier_cli.config.strictyaml import load_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.node import Node

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build" / "images"
EXAMPLES = ROOT / "examples"
DEPLOYMENTS = ("model-validation-controller", "model-validation-webhook")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
ENDED = ("Succeeded", "Failed")


@pytest.fixture(scope="session")
def product(node: Node) -> Node:
    """The node with everything installed, as somebody would who built the images."""
    archives = [BUILT / f"{name}.oci.tar" for name in ("verifier", "operator", "models")]
    if missing := [str(path) for path in archives if not path.exists()]:
        pytest.skip(f"no images: {', '.join(missing)}: run `nox -s images`")
    if isinstance(node, Existing):
        pytest.skip("about a node that the tests start, and this one was there")
    for archive in archives:
        node.load(archive)
    objects = manifests(node)
    apply(node, objects)
    where = f"--namespace={NAMESPACE}"
    for name in DEPLOYMENTS:
        node.wait("condition=Available", f"deployment/{name}", where)
    # The controller's work: before it, no pod with the label can be made.
    hooks = "mutatingwebhookconfiguration/model-validation-webhook"
    node.get_until(
        lambda found: all("caBundle" in each["clientConfig"] for each in found["webhooks"]), hooks
    )
    return node


@pytest.fixture
def claimed(product: Node, room: str) -> Iterator[str]:
    """A namespace with a volume that its claim can have."""
    directory = product.directory / "volumes" / room
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": room},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": room, "name": "models"},
            "hostPath": {"path": str(directory)},
        },
    }
    product.create(volume)
    yield room
    product.kubectl("delete", "persistentvolume", room, "--wait=false")


def example(name: str, room: str) -> list[Json]:
    """The objects of an example, for a namespace."""
    found = load_all((EXAMPLES / name).read_bytes())
    for each in found:
        each["metadata"]["namespace"] = room
    return found


# What is said while webhook, guard or controller have not seen the namespace or the validation yet.
# Whoever makes pods for a living (a ReplicaSet, a Job) tries again too.
NOT_YET = ("try again", "failed calling webhook", "denied request: not ready")


def send(product: Node, objects: list[Json]) -> None:
    for each in objects:
        assert until_answered(product, each) == ""


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


def said(product: Node, room: str, name: str) -> str:
    return product.kubectl("logs", name, f"--namespace={room}", "--container=server").stdout


def verdict(status: Json) -> tuple[int, Json]:
    """How the verifier ended, and its termination message."""
    (one,) = [e for e in status["initContainerStatuses"] if e["name"] == "model-validation"]
    told = one["state"]["terminated"]
    return told["exitCode"], json.loads(told["message"])


@pytest.fixture
def prepared(product: Node, claimed: str) -> str:
    """A namespace whose claim has the models of examples/prepare.yaml."""
    send(product, example("prepare.yaml", claimed))
    product.wait("condition=Complete", "job/prepare-models", f"--namespace={claimed}")
    return claimed


def test_a_signed_model_is_served(product: Node, prepared: str) -> None:
    send(product, example("verify.yaml", prepared))
    status = ended(product, prepared, "signed")
    assert status["phase"] == "Succeeded"
    code, message = verdict(status)
    assert (code, message["verdict"], message["reason"]) == (0, "TRUSTED", "VERIFIED")
    assert "model.sig" in said(product, prepared, "signed")
    mv = ("modelvalidations.ml.sigstore.dev", "signed", f"--namespace={prepared}")
    found = product.get_until(lambda now: now["status"].get("verdicts", {}).get("verified"), *mv)
    assert message["policy"] == [found["status"]["policySha256"]]


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [("unsigned", 13, "SIGNATURE_MISSING"), ("tampered", 12, "CONTENT_MISMATCH")],
)
def test_a_bad_model_is_not_served_and_all_see_why(
    product: Node, prepared: str, name: str, code: int, reason: str
) -> None:
    send(product, example(f"{name}.yaml", prepared))
    status = ended(product, prepared, name)
    assert status["phase"] == "Failed"
    ended_with, message = verdict(status)
    assert (ended_with, message["reason"]) == (code, reason)
    (server,) = status["containerStatuses"]
    assert "waiting" in server["state"], "never started"
    mv = ("modelvalidations.ml.sigstore.dev", name, f"--namespace={prepared}")
    found = product.get_until(lambda now: "lastRejection" in now["status"], *mv)
    last = found["status"]["lastRejection"]
    assert (last["pod"], last["reason"]) == (f"{prepared}/{name}", reason)
    assert last["finding"] == message["finding"]
    events = product.get_until(
        lambda now: len(rejections(now)) == 2, "events", f"--namespace={prepared}"
    )
    assert all(reason in each["message"] for each in rejections(events))
    assert f'reason="{reason}",verdict="rejected"' in metrics(
        product, "model-validation-controller"
    )


def rejections(events: Json) -> list[Json]:
    return [each for each in events["items"] if each["reason"] == "ModelRejected"]


def metrics(product: Node, name: str) -> str:
    """What a pod of ours shows to Prometheus, by way of the API server."""
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{name}:8080/proxy/metrics"
    return product.kubectl("get", f"--raw={path}").stdout


@pytest.mark.parametrize("name", ["image-volume", "air-gapped"])
def test_examples_that_need_no_claim(product: Node, room: str, name: str) -> None:
    objects = example(f"{name}.yaml", room)
    send(product, objects[:-1])
    wait_ready(product, room, name)
    send(product, objects[-1:])
    status = ended(product, room, name)
    assert verdict(status)[1]["reason"] == "VERIFIED", status
    assert status["phase"] == "Succeeded"


def wait_ready(product: Node, room: str, name: str) -> None:
    mv = (f"modelvalidations.ml.sigstore.dev/{name}", f"--namespace={room}")
    product.wait("condition=Ready", *mv)


def test_vllm_on_a_hugging_face_cache(product: Node, prepared: str) -> None:
    """As in the example, but for the image: that one cannot be had here."""
    objects = example("vllm.yaml", prepared)
    template = objects[1]["spec"]["template"]
    (server,) = template["spec"]["containers"]
    server["image"] = "localhost/model-verify/models:dev"
    server["args"] = ["-c", "import time; time.sleep(600)"]
    send(product, objects)
    where = f"--namespace={prepared}"
    product.wait("condition=Available", "deployment/vllm", where)
    (pod,) = product.get("pods", "--selector=app=vllm", where)["items"]
    assert verdict(pod["status"])[1]["reason"] == "VERIFIED"


# The directory itself is the volume's, whose times are not this user's to set.
DOWNLOAD = """
import os, shutil
for each in os.scandir("/models/savedmodel-key"):
    target = f"/mnt/models/{each.name}"
    (shutil.copytree if each.is_dir() else shutil.copyfile)(each.path, target)
"""


def test_kserve(product: Node, room: str) -> None:
    """The pod that KServe makes of the example's predictor, its downloader played by a copy."""
    validation, service = example("kserve.yaml", room)
    send(product, [validation])
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    image = "localhost/model-verify/models:dev"
    downloaded = {"name": "kserve-provision-location", "mountPath": "/mnt/models"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "kserve",
            "namespace": room,
            "labels": service["spec"]["predictor"]["labels"],
        },
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [
                {
                    "name": "storage-initializer",
                    "image": image,
                    "args": ["-c", DOWNLOAD],
                    "securityContext": secure,
                    "volumeMounts": [downloaded],
                }
            ],
            "containers": [
                {
                    "name": "server",
                    "image": image,
                    "args": ["-c", "print('serving')"],
                    "securityContext": secure,
                    "volumeMounts": [{**downloaded, "readOnly": True}],
                }
            ],
            "volumes": [{"name": "kserve-provision-location", "emptyDir": {}}],
        },
    }
    send(product, [pod])
    status = ended(product, room, "kserve")
    names = [each["name"] for each in status["initContainerStatuses"]]
    assert names == ["storage-initializer", "model-validation"]
    assert (status["phase"], verdict(status)[1]["reason"]) == ("Succeeded", "VERIFIED")


def test_the_predecessors_manifest_and_label(product: Node, prepared: str) -> None:
    """Unchanged; this model was signed by somebody else, and is not served."""
    (validation,) = load_all(DEMO)
    validation["metadata"]["namespace"] = prepared
    _, pod = example("verify.yaml", prepared)
    pod["metadata"]["labels"] = {"validation.rhtas.redhat.com/ml": "true"}
    send(product, [validation, pod])
    status = ended(product, prepared, "signed")
    assert status["phase"] == "Failed"
    assert verdict(status)[1]["reason"] == "SIGNER_UNTRUSTED"


def test_a_label_that_names_nothing_is_refused(product: Node, room: str) -> None:
    objects = example("image-volume.yaml", room)
    said = until_answered(product, objects[-1])
    assert "names no ModelValidation of ml.sigstore.dev" in said


def test_an_enforced_namespace(product: Node, room: str) -> None:
    product.kubectl("label", "namespace", room, "validation.ml.sigstore.dev/enforce=true")
    pod = example("image-volume.yaml", room)[-1]
    pod["metadata"]["labels"] = {}

    def refused() -> bool:
        made = copy.deepcopy(pod)
        made["metadata"]["name"] = f"p-{uuid4().hex[:8]}"
        return "lets models in only verified" in until_answered(product, made)

    eventually(refused)


def test_who_may_do_what(product: Node) -> None:
    """The accounts of ours cannot read Secrets, nor change what others trust."""
    for account in ("model-validation-controller", "model-validation-webhook"):
        who = f"--as=system:serviceaccount:{NAMESPACE}:{account}"
        for verb, what in (
            ("get", "secrets"),
            ("create", "pods"),
            ("update", "configmaps"),
            ("patch", "modelvalidations.ml.sigstore.dev"),
            ("delete", "clustermodelvalidations.ml.sigstore.dev"),
            ("create", "mutatingwebhookconfigurations"),
        ):
            asked = product.kubectl(
                "auth", "can-i", verb, what, who, "--all-namespaces", check=False
            )
            assert asked.stdout.strip() == "no", (account, verb, what)


def test_our_pods_are_restricted(product: Node) -> None:
    labels = product.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
