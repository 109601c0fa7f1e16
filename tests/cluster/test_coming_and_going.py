"""The product after a predecessor, and gone: as docs/upgrade.md and docs/install.md say."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.installed import eventually
from tests.cluster.product import (
    ROOT,
    ended,
    example,
    install,
    inventory,
    resource,
    send,
    uninstall,
    verdict,
    wait_ready,
)
from tests.unit.config.test_manifest import DEMO
from tests.unit.kube import pods
from verifier_cli.config.strictyaml import load_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.node import Node

Json = dict[str, Any]

OURS, THEIRS = "ml.sigstore.dev", "rhtas.redhat.com"
FINALIZER = "validation.ml.sigstore.dev/finalizer"
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.fixture
def removed(product: Node) -> Iterator[Node]:
    """The node without the product; the other tests get it back."""
    uninstall(product)
    yield product
    install(product)


def test_nothing_stays_behind(
    product: Node, prepared: str, untouched: set[tuple[str, str, str]]
) -> None:
    everywhere = pods.resource("everywhere", kind="ClusterModelValidation", model=None)
    send(product, [everywhere, *example("verify.yaml", prepared)])
    ended(product, prepared, "signed")
    mine = ("configmaps", f"--namespace={prepared}", "--selector=app.kubernetes.io/managed-by")
    product.get_until(lambda found: len(found["items"]) == 2, *mine)
    _until_collected(product, prepared, mine)
    uninstall(product)
    try:
        # The garbage collector takes the ConfigMaps, after their owners.
        eventually(lambda: not product.get(*mine)["items"])
        eventually(lambda: not _since(product, untouched, prepared), seconds=60)
    finally:
        install(product)


def _until_collected(node: Node, room: str, mine: tuple[str, ...]) -> None:
    """Waits until the garbage collector knows our kinds: it looks for new ones twice a minute.

    An owner that comes and goes before is looked for again ever more seldom, up to 17 minutes.
    """
    for made in (
        pods.resource("short-lived", namespace=room),
        pods.resource("short-lived", kind="ClusterModelValidation", model=None),
    ):
        send(node, [made])
        node.get_until(lambda found: len(found["items"]) == 3, *mine)
        node.delete(f"{made['kind']}.{OURS}/short-lived", f"--namespace={room}")
        node.get_until(lambda found: len(found["items"]) == 2, *mine)


def _since(node: Node, before: set[tuple[str, str, str]], room: str) -> set[tuple[str, str, str]]:
    """What was not there before, but for what other tests have in namespaces of their own."""
    left = inventory(node, room) - before
    found = {each for each in left if not any(part.startswith("test-") for part in each[1:])}
    if found:
        raise AssertionError(found)
    return found


def test_after_a_predecessor(removed: Node, claimed: str) -> None:
    """Its validations are taken over, its pods are let go, and new ones are verified."""
    node = removed
    for each in predecessor(claimed):
        node.apply(each)
    node.kubectl("delete", "mutatingwebhookconfiguration", "predecessor")
    _take_finalizers_off(node)
    install(node)
    node.wait("condition=Ready", resource("demo", THEIRS), f"--namespace={claimed}")
    wait_ready(node, claimed, "signed")
    (shown,) = node.get(resource("signed"), f"--namespace={claimed}")["status"]["conditions"]
    assert shown["reason"] == "PolicyRendered"

    old = node.get("pod/served-before", f"--namespace={claimed}")
    assert "finalizers" not in old["metadata"]
    assert "initContainers" not in old["spec"]
    node.delete("pod/served-before", f"--namespace={claimed}")
    send(node, example("prepare.yaml", claimed))
    node.wait("condition=Complete", "job/prepare-models", f"--namespace={claimed}")
    send(node, example("verify.yaml", claimed)[1:])
    assert verdict(ended(node, claimed, "signed"))[1]["reason"] == "VERIFIED"


def predecessor(room: str) -> list[Json]:
    """What the two predecessors leave in a cluster: definitions, validations, a pod, a webhook."""
    (demo,) = load_all(DEMO)
    signed, pod = example("verify.yaml", room)
    by_path = {
        "config": {"publicKeyConfig": {"keyPath": "/data/key.pub"}},
        "model": {"path": "/data/m", "signaturePath": "/data/m/model.sig"},
        "continuousValidation": {"enabled": True, "interval": "5m"},
        "imagePullPolicy": "Always",
    }
    watched = {**signed, "metadata": {"name": "watched", "namespace": room}, "spec": by_path}
    served = {
        **pod,
        "metadata": {
            "name": "served-before",
            "namespace": room,
            "labels": pod["metadata"]["labels"],
            "finalizers": [FINALIZER],
        },
    }
    served["spec"] = {**pod["spec"], "volumes": []}
    (server,) = pod["spec"]["containers"]
    served["spec"]["containers"] = [{**server, "volumeMounts": [], "args": ["-c", "1"]}]
    demo["metadata"]["namespace"] = room
    return [definition(OURS), definition(THEIRS), demo, signed, watched, served, webhook()]


def definition(group: str) -> Json:
    """ModelValidation as they define it: what matters here is that it is there and says little."""
    schema = {"type": "object", "properties": {"spec": ANYTHING, "status": ANYTHING}}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": "ModelValidation", "listKind": "ModelValidationList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"modelvalidations.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {**names, "plural": "modelvalidations", "singular": "modelvalidation"},
            "versions": [version],
        },
    }


def webhook() -> Json:
    service = {"name": "webhook", "namespace": "predecessor", "path": "/mutate-v1-pod"}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods"],
        "operations": ["CREATE"],
    }
    entry = {
        "name": "pods.validation.ml.sigstore.dev",
        "clientConfig": {"service": service},
        "rules": [rule],
        "objectSelector": {"matchLabels": {"app": "somebody-else"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "predecessor"},
        "webhooks": [entry],
    }


def _take_finalizers_off(node: Node) -> None:
    """By the very command of docs/upgrade.md."""
    page = (ROOT / "docs" / "upgrade.md").read_text(encoding="utf-8")
    (command,) = [c for c in re.findall(r"```console\n(.*?)```", page, re.DOTALL) if FINALIZER in c]
    path = f"{node.programs}:{os.environ['PATH']}"
    environment = {"PATH": path, "KUBECONFIG": str(node.kubeconfig), "HOME": str(node.directory)}
    subprocess.run(("bash", "-euc", command), env=environment, check=True, timeout=60)
