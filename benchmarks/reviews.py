"""Reviews of realistic pods, and what must be answered to each."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.unit.kube.pods import KEY
from tests.webhooks import IMAGE
from verifier_cli.kube.container import Settings
from verifier_cli.kube.inforce import in_force
from verifier_cli.kube.names import CONTAINER
from verifier_cli.kube.review import decide, decode, encode

Json = dict[str, Any]

LABEL = "validation.ml.sigstore.dev/ml"
NAMESPACES, VALIDATIONS = 100, 500
# As long as the API server's.
UID = b"00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Case:
    """A request, whole, and the body of its answer; both hold `UID`, each at a known place."""

    kind: str
    before: bytes
    after: bytes
    answer_before: bytes
    answer_after: bytes

    def request(self, uid: bytes) -> bytes:
        """The request of one admission."""
        return self.before + uid + self.after

    def answer(self, uid: bytes) -> bytes:
        """The body that must come back."""
        return self.answer_before + uid + self.answer_after


def namespace(number: int) -> Json:
    """A namespace as the API server has it."""
    name = f"team-{number:03}"
    labels = {"kubernetes.io/metadata.name": name, "team": name}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def validation(number: int) -> Json:
    """One of five validations of a namespace."""
    return {
        "apiVersion": "ml.sigstore.dev/v1alpha1",
        "kind": "ModelValidation",
        "metadata": {
            "name": f"model-{number % 5}",
            "namespace": f"team-{number // 5 % NAMESPACES:03}",
        },
        "spec": {
            "model": {"path": f"/models/classifier-{number % 5}"},
            "config": {"publicKeyConfig": {"key": KEY}},
        },
    }


def cases() -> list[Case]:
    """Ten of each namespace: one that asks for nothing, one that is refused, eight let in."""
    known = [in_force(validation(number)) for number in range(VALIDATIONS)]
    namespaces = {each["metadata"]["name"]: each["metadata"]["labels"] for each in _namespaces()}
    found = []
    for space in namespaces:
        for number in range(10):
            label = {0: None, 1: "missing"}.get(number, f"model-{number % 5}")
            review = _review(space, label)
            request = decode(review)
            here = [each for each in known if each.namespace == space]
            answered = encode(request, decide(request, here, namespaces, Settings(IMAGE)))
            _require_sound(review, answered, label)
            found.append(_case(review, answered, label))
    return found


def _namespaces() -> list[Json]:
    return [namespace(number) for number in range(NAMESPACES)]


def _case(review: Json, answered: Json, label: str | None) -> Case:
    body = msgspec.json.encode(review)
    head = (
        "POST /mutate-v1-pod?timeout=10s HTTP/1.1\r\nHost: webhook.model-validation.svc:443\r\n"
        "User-Agent: kube-apiserver-admission\r\nAccept: application/json, */*\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n"
        "Accept-Encoding: gzip\r\n\r\n"
    )
    before, after = (head.encode() + body).split(UID)
    answer_before, answer_after = msgspec.json.encode(answered).split(UID)
    kind = {None: "not labelled", "missing": "denied"}.get(label, "injected")
    return Case(kind, before, after, answer_before, answer_after)


def _require_sound(review: Json, answered: Json, label: str | None) -> None:
    """What is expected was not only computed by the same code: it is held against its meaning."""
    response = answered["response"]
    injected = label not in (None, "missing")
    if response["allowed"] is (label == "missing") or ("patch" in response) is not injected:
        raise ValueError(f"this is not how a pod with the label {label} is answered: {response}")
    if injected:
        pod = copy.deepcopy(review["request"]["object"])
        for each in json.loads(base64.b64decode(response["patch"])):
            _apply(pod, each)
        (verifier,) = [e for e in pod["spec"]["initContainers"] if e["name"] == CONTAINER]
        if verifier["image"] != IMAGE:
            raise ValueError(f"this is not the verifier: {verifier}")


def _apply(pod: Json, operation: Json) -> None:
    *way, last = [
        part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
    ]
    parent: Any = pod
    for part in way:
        parent = parent[int(part) if isinstance(parent, list) else part]
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last)
        if operation["op"] == "add":
            parent.insert(at, operation["value"])
        else:
            parent[at] = operation["value"]
    else:
        parent[last] = operation["value"]


def _review(space: str, label: str | None) -> Json:
    pod = _pod(space, label)
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID.decode(),
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": space,
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:replicaset-controller",
                "uid": "4c9d6e2f-3f0a-4a53-9b52-8f1d6a3f9a11",
                "groups": ["system:serviceaccounts", "system:authenticated"],
            },
            "object": pod,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }


def _pod(space: str, label: str | None) -> Json:
    """A server of a model as a ReplicaSet makes it, of about 4 KB."""
    labels = {"app": "classifier", "pod-template-hash": "6d4b75cb6d", "team": space}
    probe = {
        "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    token = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105
    server = {
        "name": "server",
        "image": f"registry.example.com/serving@sha256:{'1' * 64}",
        "args": ["--model-store=/models", "--port=8080", "--workers=4"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{n}", "value": f"value of setting {n}"} for n in range(20)],
        "resources": {
            "limits": {"memory": "8Gi", "nvidia.com/gpu": "1"},
            "requests": {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"},
        },
        "volumeMounts": [
            {"name": "models", "mountPath": "/models"},
            {"name": "kube-api-access-x7x2p", "readOnly": True, "mountPath": token},
        ],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "classifier-6d4b75cb6d"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "classifier-6d4b75cb6d-",
            "namespace": space,
            "labels": labels if label is None else {**labels, LABEL: label},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
            "ownerReferences": [{**owner, "uid": UID.decode().replace("0", "a")}],
            "managedFields": [_managed()],
        },
        "spec": {
            "volumes": [
                {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
                {"name": "kube-api-access-x7x2p", "projected": _token_volume()},
            ],
            "containers": [server],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
                for key in ("not-ready", "unreachable")
            ],
            "enableServiceLinks": True,
        },
        "status": {},
    }


def _managed() -> Json:
    fields: Json = {
        f"f:{name}": {} for name in ("args", "env", "image", "name", "ports", "resources")
    }
    return {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:containers": {'k:{"name":"server"}': fields}}},
    }


def _token_volume() -> Json:
    token = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    ca = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    return {"defaultMode": 420, "sources": [token, ca]}
