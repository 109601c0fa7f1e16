"""The manifests where no other test has them: what an outage touches, quotas, overlays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.installed import eventually, manifests
from tests.cluster.test_injected_pods import RESTRICTED, restricted
from tests.unit.kube.pods import container, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

DRY = ("create", "--dry-run=server", "--filename=-")
SILENT = "failed calling webhook"
LABELS = ("validation.ml.sigstore.dev/ml", "validation.rhtas.redhat.com/ml")


def of_kind(objects: list[Json], kind: str) -> list[Json]:
    return [each for each in objects if each["kind"] == kind]


@pytest.fixture(params=LABELS)
def labelled(server: ApiServer, namespace: str, request: pytest.FixtureRequest) -> Iterator[Json]:
    """A labelled pod that was let in before nobody answered for the webhook any more."""
    verifier = container("model-validation", image="example.com/a:1", securityContext=RESTRICTED)
    made = restricted(pod(inits=(verifier,)), namespace)
    made["metadata"]["labels"] = {request.param: "demo"}
    taken = server.create(made)
    (found,) = of_kind(manifests(server, "base"), "MutatingWebhookConfiguration")
    for entry in found["webhooks"]:
        entry["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        entry["clientConfig"]["service"]["namespace"] = namespace
    server.create({**found, "metadata": {"name": namespace}})
    made["metadata"]["name"] += "-new"
    eventually(lambda: SILENT in server.kubectl(*DRY, stdin=made, check=False).stderr)
    yield taken
    server.kubectl("delete", "mutatingwebhookconfiguration", namespace)


def change(server: ApiServer, made: Json, patch: Json) -> str:
    """What the API server has against a change; "" if it takes it."""
    where = ("pod", made["metadata"]["name"], f"--namespace={made['metadata']['namespace']}")
    asked = ("patch", *where, "--type=merge", f"--patch={json.dumps(patch)}")
    return server.kubectl(*asked, check=False).stderr


def test_an_outage_keeps_nobody_from_looking_after_a_pod_that_is_there(
    server: ApiServer, labelled: Json
) -> None:
    more = {"labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["x.y/z"]}
    assert change(server, labelled, {"metadata": more}) == ""
    assert change(server, labelled, {"metadata": {"finalizers": None}}) == ""


def test_an_outage_lets_nothing_become_what_was_verified(server: ApiServer, labelled: Json) -> None:
    for label in LABELS:
        assert SILENT in change(server, labelled, {"metadata": {"labels": {label: "other"}}})
    (old,) = labelled["metadata"]["labels"]
    assert SILENT in change(server, labelled, {"metadata": {"labels": {old: None}}})
    inits = [{**labelled["spec"]["initContainers"][0], "image": "example.com/a:2"}]
    assert SILENT in change(server, labelled, {"spec": {"initContainers": inits}})


def test_pods_of_a_priority_that_may_need_a_quota_have_one(server: ApiServer) -> None:
    objects = manifests(server, "base")
    (quota,) = of_kind(objects, "ResourceQuota")
    (scope,) = quota["spec"]["scopeSelector"]["matchExpressions"]
    deployments = of_kind(objects, "Deployment")
    assert len(deployments) == 2
    for each in deployments:
        assert each["metadata"]["namespace"] == quota["metadata"]["namespace"]
        assert each["spec"]["template"]["spec"]["priorityClassName"] in scope["values"]


def test_cert_managers_authority_outlives_the_certificates_that_it_issues(
    server: ApiServer,
) -> None:
    """Else the API server would trust the new one only, before the webhook has it."""
    objects = manifests(server, "overlays/cert-manager")
    certificates = {e["metadata"]["name"]: e["spec"] for e in of_kind(objects, "Certificate")}
    issuers = {e["metadata"]["name"]: e["spec"] for e in of_kind(objects, "Issuer")}
    (hooks,) = of_kind(objects, "MutatingWebhookConfiguration")
    injected = hooks["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    serving = certificates[injected.split("/")[1]]
    assert serving["secretName"] == "model-validation-webhook-tls"
    held = issuers[serving["issuerRef"]["name"]]["ca"]["secretName"]
    (authority,) = (each for each in certificates.values() if each["secretName"] == held)
    assert authority["isCA"]
    assert authority["privateKey"]["rotationPolicy"] == "Never"


def test_everything_of_the_whole_cluster_can_be_found_by_its_label(server: ApiServer) -> None:
    """So that what is left behind, or is to be taken away in need, is found."""
    for each in manifests(server, "base"):
        if "namespace" not in each["metadata"] and each["kind"] != "CustomResourceDefinition":
            found = each["metadata"]["labels"]["app.kubernetes.io/part-of"]
            assert found == "model-verify", each["metadata"]["name"]
