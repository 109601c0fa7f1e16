"""The controller on a real API server, with the rights that the manifests give it."""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.cluster.installed import (
    NAMESPACE,
    Program,
    controller,
    eventually,
    in_force,
)
from tests.cluster.test_injected_pods import restricted
from tests.unit.kube.pods import KEY, PATH, inject, pod
from verifier_cli.config import document, manifest
from verifier_cli.kube.crd import PLURALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

OURS, THEIRS = "ml.sigstore.dev", "rhtas.redhat.com"
CLUSTER = "ClusterModelValidation"
SPEC: Json = {"config": {"publicKeyConfig": {"key": KEY}}, "model": {"path": PATH}}
BY_SECRET: Json = {
    "signers": [{"key": {"publicKey": {"secretKeyRef": {"name": "keys", "key": "release.pub"}}}}],
    "model": {"path": PATH},
}


@pytest.fixture(scope="module")
def running(installed: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    directory = tmp_path_factory.mktemp("controller")
    configured = in_force(installed, "MutatingWebhookConfiguration")
    with configured, controller(installed, directory) as program:
        eventually(lambda: [e for e in program.events() if e["event"] == "leader.elected"])
        yield program


@pytest.fixture
def at_work(running: Program, installed: ApiServer) -> ApiServer:
    assert running.process.poll() is None
    return installed


def validation(
    spec: Json, namespace: str = "", *, group: str = OURS, kind: str = "ModelValidation"
) -> Json:
    metadata = {"name": f"v-{uuid4().hex[:8]}"}
    if kind == CLUSTER:
        spec = {"namespaceSelector": {"matchLabels": {"test": namespace}}, **spec}
    else:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def look(server: ApiServer, made: Json) -> Json:
    group = made["apiVersion"].split("/")[0]
    where = [f"{PLURALS[made['kind']]}.{group}", made["metadata"]["name"]]
    if "namespace" in made["metadata"]:
        where.append(f"--namespace={made['metadata']['namespace']}")
    return server.get(*where)


def ready(server: ApiServer, made: Json, wanted: str = "True") -> Json:
    """The validation once its Ready condition is as wanted, for its newest generation."""

    def found() -> Json:
        now = look(server, made)
        (condition,) = now["status"]["conditions"]
        assert condition["status"] == wanted, condition
        assert now["status"]["observedGeneration"] == now["metadata"]["generation"]
        return now

    return eventually(found)


def message(resource: Json) -> str:
    (condition,) = resource["status"]["conditions"]
    text: str = condition["message"]
    return text


def configmaps(server: ApiServer, namespace: str) -> dict[str, Json]:
    chosen = "--selector=app.kubernetes.io/managed-by=model-verify"
    found = server.get("configmaps", f"--namespace={namespace}", chosen)["items"]
    return {each["metadata"]["name"]: each for each in found}


@pytest.mark.parametrize("group", [OURS, THEIRS])
def test_a_validation_becomes_a_policy(at_work: ApiServer, namespace: str, group: str) -> None:
    made = at_work.create(validation(SPEC, namespace, group=group))
    found = ready(at_work, made)
    policy = manifest.decode(made, "").policy
    status = found["status"]
    assert status["policySha256"] == policy.sha256
    assert status["method"] == "key"
    assert status["verdicts"] == {"verified": 0, "rejected": 0, "undetermined": 0, "pending": 0}
    prefix = "rhtas-" if group == THEIRS else ""
    assert status["configMap"] == f"{prefix}{made['metadata']['name']}-{policy.sha256[:10]}"
    configmap = configmaps(at_work, namespace)[status["configMap"]]
    assert configmap["immutable"] is True
    assert configmap["data"] == {"policy.json": document.encode(policy).decode()}
    (owner,) = configmap["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (made["metadata"]["uid"], True)


def test_a_change_gets_a_configmap_of_its_own(at_work: ApiServer, namespace: str) -> None:
    made = at_work.create(validation(SPEC, namespace))
    before = ready(at_work, made)["status"]["configMap"]
    change(at_work, made, {"mode": "warn"})
    after = ready(at_work, made)["status"]["configMap"]
    assert before != after
    assert after in configmaps(at_work, namespace)
    # Nobody needs the old one: it goes.
    eventually(lambda: before not in configmaps(at_work, namespace))


def change(server: ApiServer, made: Json, spec: Json) -> None:
    group = made["apiVersion"].split("/")[0]
    where = (f"{PLURALS[made['kind']]}.{group}", made["metadata"]["name"])
    within = [f"--namespace={n}" for n in [made["metadata"].get("namespace")] if n]
    patch = json.dumps({"spec": spec})
    server.kubectl("patch", *where, *within, "--type=merge", f"--patch={patch}")


def test_an_invalid_change_keeps_what_was_good(at_work: ApiServer, namespace: str) -> None:
    made = at_work.create(validation(SPEC, namespace))
    good = ready(at_work, made)["status"]
    broken = {"config": {"publicKeyConfig": {"key": "no PEM"}}}
    change(at_work, made, broken)
    found = ready(at_work, made, "False")
    assert "signers[0].publicKey: is not a PEM public key" in message(found)
    kept = {name: found["status"][name] for name in ("policySha256", "configMap", "lastGood")}
    assert kept == {name: good[name] for name in kept}
    assert good["configMap"] in configmaps(at_work, namespace)
    assert found["status"]["lastGood"]["spec"]["config"] == SPEC["config"]


def test_the_last_good_spec_is_kept_whole_and_not_mixed(at_work: ApiServer, namespace: str) -> None:
    made = at_work.create(validation(SPEC, namespace))
    ready(at_work, made)
    signers = [{"key": {"publicKey": {"inline": KEY}}}]
    change(at_work, made, {"config": None, "signers": signers, "mode": "warn"})
    found = eventually(
        lambda: (now := ready(at_work, made))["status"]["lastGood"]["generation"] == 2 and now
    )
    assert "config" not in found["status"]["lastGood"]["spec"]


def test_what_never_was_good_says_why(at_work: ApiServer, namespace: str) -> None:
    made = at_work.create(validation({"config": {"publicKeyConfig": {"key": "no PEM"}}}, namespace))
    found = ready(at_work, made, "False")
    assert "is not a PEM public key" in message(found)
    assert "policySha256" not in found["status"]
    assert configmaps(at_work, namespace) == {}


def test_anchors_without_an_identity_are_warned_of(at_work: ApiServer, namespace: str) -> None:
    made = at_work.create(
        validation({"config": {"pkiConfig": {"certificateAuthority": "/trust/ca.pem"}}}, namespace)
    )
    assert "any code-signing certificate" in message(ready(at_work, made))


def test_a_key_from_a_secret(at_work: ApiServer, namespace: str) -> None:
    made = at_work.create(validation(BY_SECRET, namespace))
    where = "spec.signers[0].key.publicKey.secretKeyRef"
    refused = ready(at_work, made, "False")
    assert f"{where}: the controller may not read Secrets" in message(refused)
    assert "model-validation-material-reader" in message(refused)
    at_work.kubectl(
        "create",
        "rolebinding",
        "reader",
        f"--namespace={namespace}",
        "--clusterrole=model-validation-material-reader",
        f"--serviceaccount={NAMESPACE}:model-validation-controller",
    )
    eventually(lambda: "there is no Secret keys" in message(look(at_work, made)))
    secret(at_work, namespace, KEY)
    inline = {"signers": [{"key": {"publicKey": {"inline": KEY}}}], "model": {"path": PATH}}
    as_if = manifest.decode(validation(inline, namespace), "").policy.sha256
    assert ready(at_work, made)["status"]["policySha256"] == as_if
    # Taken away or spoilt, what was good stays in force.
    secret(at_work, namespace, "spoilt")
    spoilt = ready(at_work, made, "False")["status"]
    assert spoilt["policySha256"] == as_if
    assert spoilt["configMap"] in configmaps(at_work, namespace)


def secret(server: ApiServer, namespace: str, text: str) -> None:
    data = {"release.pub": base64.b64encode(text.encode()).decode()}
    metadata = {"name": "keys", "namespace": namespace}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    server.kubectl("apply", "--filename=-", stdin=made)


def test_a_cluster_validation_goes_where_it_selects(at_work: ApiServer, namespace: str) -> None:
    at_work.kubectl("label", "namespace", namespace, f"test={namespace}")
    made = at_work.create(validation(SPEC, namespace, kind=CLUSTER))
    name = ready(at_work, made)["status"]["configMap"]
    assert name.startswith(f"cluster-{made['metadata']['name']}-")
    eventually(lambda: name in configmaps(at_work, namespace))
    assert name not in configmaps(at_work, "default")
    # A namespace that is selected later, and one that is so no longer.
    at_work.kubectl("label", "namespace", "default", f"test={namespace}", "--overwrite")
    eventually(lambda: name in configmaps(at_work, "default"))
    at_work.kubectl("label", "namespace", "default", "test-")
    eventually(lambda: name not in configmaps(at_work, "default"))
    assert name in configmaps(at_work, namespace)


def test_a_configmap_that_was_deleted_comes_back(at_work: ApiServer, namespace: str) -> None:
    made = at_work.create(validation(SPEC, namespace))
    name = ready(at_work, made)["status"]["configMap"]
    at_work.kubectl("delete", "configmap", name, f"--namespace={namespace}")
    eventually(lambda: name in configmaps(at_work, namespace))


def test_a_configmap_that_was_there_before_is_replaced(at_work: ApiServer, namespace: str) -> None:
    """Whoever can write ConfigMaps could have guessed the name."""
    made = validation(SPEC, namespace)
    policy = manifest.decode(made, "").policy
    name = f"{made['metadata']['name']}-{policy.sha256[:10]}"
    metadata = {"name": name, "namespace": namespace}
    forged = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True}
    at_work.create({**forged, "data": {"policy.json": "{}"}})
    ready(at_work, at_work.create(made))
    found = configmaps(at_work, namespace)[name]
    assert found["data"] == {"policy.json": document.encode(policy).decode()}


def ended(code: int, **said: object) -> Json:
    message = {"v": 1, "verdict": "REJECTED", "reason": "CONTENT_MISMATCH", "finding": "", **said}
    return {
        "terminated": {
            "exitCode": code,
            "message": json.dumps(message),
            "finishedAt": "2026-01-01T00:00:00Z",
            "startedAt": "2026-01-01T00:00:00Z",
        }
    }


def run(server: ApiServer, namespace: str, made: Json, name: str, state: Json) -> None:
    """A pod under the validation whose verifier came to this end, as a kubelet would say it."""
    decoded = manifest.decode(made, "")
    injected = restricted(inject(pod(), decoded), namespace)
    injected["metadata"] = {**injected["metadata"], "name": name}
    injected["metadata"]["labels"] = {"validation.ml.sigstore.dev/injected": "true"}
    server.create(injected)
    status = {
        "initContainerStatuses": [
            {
                "name": "model-validation",
                "state": state,
                "image": "x",
                "imageID": "x",
                "ready": False,
                "restartCount": 0,
            }
        ]
    }
    patch = json.dumps({"status": status})
    where = ("pod", name, f"--namespace={namespace}", "--subresource=status")
    server.kubectl("patch", *where, "--type=merge", f"--patch={patch}")


def test_verdicts_of_pods(at_work: ApiServer, running: Program, namespace: str) -> None:
    made = at_work.create(validation(SPEC, namespace))
    name = ready(at_work, made)["status"]["configMap"]
    finding = "FILE_MODIFIED weights.bin: its digest differs"
    trusted = {"verdict": "TRUSTED", "reason": "VERIFIED"}
    run(at_work, namespace, made, "good", ended(0, **trusted))
    run(at_work, namespace, made, "bad", ended(12, finding=finding))
    run(at_work, namespace, made, "warned", ended(0, finding="excused"))
    run(at_work, namespace, made, "killed", ended(137))
    run(at_work, namespace, made, "silent", {"terminated": {"exitCode": 0}})
    run(at_work, namespace, made, "waiting", {"waiting": {}})
    counts = {"verified": 1, "rejected": 2, "undetermined": 2, "pending": 1}
    found = eventually(lambda: (now := look(at_work, made)["status"])["verdicts"] == counts and now)
    assert found["lastRejection"]["pod"] in (f"{namespace}/bad", f"{namespace}/warned")
    assert found["lastRejection"]["reason"] == "CONTENT_MISMATCH"
    events = eventually(lambda: rejections(at_work, namespace, 8))
    about = {(each["involvedObject"]["kind"], each["reason"]) for each in events}
    kinds = ("Pod", "ModelValidation")
    assert about == {(k, r) for k in kinds for r in ("ModelRejected", "ModelUndetermined")}
    assert any(finding in each["message"] for each in events)
    with urllib.request.urlopen(f"http://127.0.0.1:{running.metrics_port}/metrics") as answer:
        metrics = answer.read().decode()
    rejected = 'model_verify_verdicts_total{reason="CONTENT_MISMATCH",verdict="rejected"}'
    assert rejected in metrics
    # What a pod has is kept, though it is no longer the policy in force.
    change(at_work, made, {"mode": "warn"})
    ready(at_work, made)
    at_work.kubectl("delete", "pod", "good", f"--namespace={namespace}", "--now")
    eventually(lambda: look(at_work, made)["status"]["verdicts"]["verified"] == 0)
    assert name in configmaps(at_work, namespace)


def rejections(server: ApiServer, namespace: str, count: int) -> list[Json]:
    found: list[Json] = server.get("events", f"--namespace={namespace}")["items"]
    assert len(found) == count, [each["message"] for each in found]
    return found


def test_the_webhooks_certificate(at_work: ApiServer) -> None:
    def made() -> tuple[str, Json]:
        where = f"--namespace={NAMESPACE}"
        serving = at_work.get("secret", "model-validation-webhook-tls", where)
        hooks = at_work.get("mutatingwebhookconfiguration", "model-validation-webhook")["webhooks"]
        (bundle,) = {each["clientConfig"]["caBundle"] for each in hooks}
        return bundle, serving["data"]

    bundle, data = eventually(made)
    assert set(data) == {"tls.crt", "tls.key"}
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(base64.b64decode(bundle)))
    # Spoilt, it is made anew.
    patch = json.dumps({"data": {"tls.crt": ""}})
    where = ("secret", "model-validation-webhook-tls", f"--namespace={NAMESPACE}")
    at_work.kubectl("patch", *where, "--type=merge", f"--patch={patch}")
    eventually(lambda: made()[1]["tls.crt"] not in ("", data["tls.crt"]))


def test_another_takes_over(at_work: ApiServer, namespace: str, tmp_path: Path) -> None:
    """Of two, one is at work; killed, it is followed by the other."""
    lease = ("lease", NAMESPACE, f"--namespace={NAMESPACE}")
    with controller(at_work, tmp_path, "b") as second:
        assert at_work.get(*lease)["spec"]["holderIdentity"] == "a"
        assert second.process.poll() is None
        assert not [e for e in second.events() if e["event"] == "leader.elected"]
    made = at_work.create(validation(SPEC, namespace))
    assert ready(at_work, made)
