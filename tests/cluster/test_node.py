"""The node of the tests: it does what a cluster does, and leaves the machine as it was."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from images.tools import UnavailableError
from tests.cluster import busybox, network
from tests.cluster.existing import Existing
from tests.cluster.node import Node
from tests.cluster.node import node as one_node
from tests.cluster.traces import traces

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

ENDED = ("Succeeded", "Failed")
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture
def own(node: Node) -> Node:
    """The node, if it is one that the tests have started."""
    if isinstance(node, Existing):
        pytest.skip("about a node that the tests start, and this one was there")
    return node


def shell(node: Node, name: str, script: str, **more: object) -> Json:
    return {"name": name, "image": node.busybox, "command": ["sh", "-euc", script], **more}


def pod(room: str, *containers: Json, inits: tuple[Json, ...] = (), **volumes: Json) -> Json:
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "initContainers": list(inits),
        "containers": list(containers),
        "volumes": [{"name": name, **source} for name, source in volumes.items()],
    }
    metadata = {"name": "p", "namespace": room}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def ended(node: Node, made: Json, phase: str = "Succeeded") -> Json:
    """Runs the pod to its end, and returns its status."""
    node.create(made)
    namespace = f"--namespace={made['metadata']['namespace']}"
    found = node.get_until(lambda found: found["status"]["phase"] in ENDED, "pod/p", namespace)
    status: Json = found["status"]
    assert status["phase"] == phase, (status, said(node, made["metadata"]["namespace"]))
    return status


def said(node: Node, room: str) -> str:
    return node.kubectl("logs", "p", f"--namespace={room}").stdout


def test_a_failing_init_container_tells_why_and_nothing_starts(node: Node, room: str) -> None:
    init = shell(node, "init", "echo no >/dev/termination-log; exit 12")
    status = ended(node, pod(room, shell(node, "main", "true"), inits=(init,)), "Failed")
    (init,) = status["initContainerStatuses"]
    told = init["state"]["terminated"]
    assert (told["exitCode"], told["message"]) == (12, "no\n")
    (main,) = status["containerStatuses"]
    assert "waiting" in main["state"]


def test_a_sidecar_and_volumes(own: Node, room: str) -> None:
    metadata = {"name": "c", "namespace": room}
    own.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "v"}})
    volumes: Json = {
        "config": {"projected": {"sources": [{"configMap": {"name": "c"}}]}},
        "image": {"image": {"reference": busybox.PAUSE, "pullPolicy": "Never"}},
        "shared": {"emptyDir": {}},
    }
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in volumes]
    sidecar = "trap exit TERM; while :; do cp /config/k /shared/; sleep 0.1; done"
    main = "until cat /shared/k; do sleep 0.1; done; ls /image/bin/busybox"
    made = pod(
        room,
        shell(own, "main", main, volumeMounts=mounts),
        inits=(shell(own, "side", sidecar, restartPolicy="Always", volumeMounts=mounts),),
        **volumes,
    )
    ended(own, made)
    assert said(own, room).splitlines()[-1] == "v/image/bin/busybox"


def test_a_pod_reaches_the_api_server_as_its_service_account(own: Node, room: str) -> None:
    """By kubectl, which is not in the image: busybox's TLS is too old."""
    script = f"""
        chroot /machine {own.programs}/kubectl auth whoami --token="$(cat {ACCOUNT}/token)" \\
        --server="https://$KUBERNETES_SERVICE_HOST" --certificate-authority={own.directory}/ca.crt
    """
    machine: Json = {"hostPath": {"path": "/"}}
    mount = {"name": "machine", "mountPath": "/machine", "readOnly": True}
    ended(own, pod(room, shell(own, "main", script, volumeMounts=[mount]), machine=machine))
    assert f"system:serviceaccount:{room}:default" in said(own, room)


def test_the_api_server_reaches_a_webhook_that_is_a_pod(own: Node, room: str) -> None:
    """As far as the pod's answer, which is not TLS."""
    made = pod(room, shell(own, "main", "httpd -f -p 8080"))
    made["metadata"]["labels"] = {"app": "webhook"}
    own.create(made)
    own.wait("condition=Ready", "pod/p", f"--namespace={room}")
    service = {"selector": {"app": "webhook"}, "ports": [{"port": 443, "targetPort": 8080}]}
    metadata = {"name": "webhook", "namespace": room}
    own.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service})
    own.create(webhook(room))
    try:
        answer = refusal(own, ("create", "configmap", "c", "--dry-run=server"), room)
    finally:
        own.delete("validatingwebhookconfiguration", room)
    assert "server gave HTTP response to HTTPS client" in answer


def webhook(room: str) -> Json:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    asked = {
        "name": "webhook.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": {"name": "webhook", "namespace": room}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": room}},
        "rules": [{**rule, "operations": ["CREATE"]}],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": room},
        "webhooks": [asked],
    }


def refusal(node: Node, arguments: tuple[str, ...], room: str) -> str:
    """What the API server says, once it knows of the webhook and of the pod behind it."""
    deadline = time.monotonic() + 60
    while True:
        ran = node.kubectl(*arguments, f"--namespace={room}", check=False)
        if ran.returncode and "no endpoints available" not in ran.stderr:
            return ran.stderr
        assert time.monotonic() < deadline, ran
        time.sleep(0.2)


def test_a_pod_has_no_way_out(own: Node, room: str) -> None:
    ended(own, pod(room, shell(own, "main", "ip route")))
    routes = [line.split()[0] for line in said(own, room).splitlines()]
    assert sorted(routes) == [str(network.SERVICES), str(network.PODS)]


@pytest.mark.usefixtures("own")
def test_what_is_meant_for_a_service_stays_on_the_machine() -> None:
    asked = ("ip", "route", "get", str(network.SERVICES[9]))
    answered = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "No route to host" in answered.stderr


def test_a_loaded_image_is_named_by_tag_and_by_digest(own: Node, room: str, tmp_path: Path) -> None:
    digest = own.load(busybox.archive(tmp_path / "again.tar"))
    tagged = f"{busybox.BUSYBOX}@{digest.partition('@')[2]}"
    images = (busybox.BUSYBOX, digest, tagged)
    containers = [
        {"name": f"c{n}", "image": image, "imagePullPolicy": "Never", "command": ["true"]}
        for n, image in enumerate(images)
    ]
    status = ended(own, pod(room, *containers))
    assert {each["imageID"] for each in status["containerStatuses"]} == {digest}


def test_a_second_node_is_refused_and_the_first_lives_on(own: Node, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="runs on this machine already"), one_node(tmp_path):
        pass
    assert own.says("get", "--raw=/readyz")


def test_what_is_looked_for_at_the_end_can_be_seen(own: Node, room: str) -> None:
    """The comparison of the `node` fixture means something."""
    own.create(pod(room, shell(own, "main", "sleep 1234567")))
    own.wait("condition=Ready", "pod/p", f"--namespace={room}")
    seen = traces(own.directory)
    # These are never to change.
    assert {kind for kind in seen if not seen[kind]} == {"firewall", "mounts"}
    commands = " ".join(seen["processes"])
    programs = ("etcd", "kube-apiserver", "kubelet", "containerd-shim", "sleep 1234567")
    assert [name for name in programs if name not in commands] == []
    assert network.BRIDGE in seen["links"]
    assert str(own.directory) in seen["files"]
