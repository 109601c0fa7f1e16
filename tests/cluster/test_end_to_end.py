"""From a validation to a verdict, on a node: the images and the manifests that ship."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.cluster.installed import NAMESPACE, eventually
from tests.cluster.product import (
    ended,
    example,
    metrics,
    rejections,
    said,
    send,
    until_answered,
    verdict,
    wait_ready,
)
from tests.unit.config.test_manifest import DEMO
from verifier_cli.config.strictyaml import load_all

if TYPE_CHECKING:
    from tests.cluster.node import Node

Json = dict[str, Any]


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


@pytest.mark.parametrize("name", ["image-volume", "air-gapped"])
def test_examples_that_need_no_claim(product: Node, room: str, name: str) -> None:
    objects = example(f"{name}.yaml", room)
    send(product, objects[:-1])
    wait_ready(product, room, name)
    send(product, objects[-1:])
    status = ended(product, room, name)
    assert verdict(status)[1]["reason"] == "VERIFIED", status
    assert status["phase"] == "Succeeded"


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
