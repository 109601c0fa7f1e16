"""What manifests/monitoring takes for granted of kustomize and of the API server."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.apiserver import Refused
from tests.cluster.installed import MANIFESTS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer

LABEL = "validation.ml.sigstore.dev/ml"
ENTRY = "labelled.validation.ml.sigstore.dev"


def configure(server: ApiServer, namespace: str, failure_policy: str) -> None:
    """Puts our entry for labelled pods in force in one namespace, where nobody answers it."""
    documents = yaml.safe_load_all((MANIFESTS / "base/webhook.yaml").read_text(encoding="utf-8"))
    (found,) = (each for each in documents if each["kind"] == "MutatingWebhookConfiguration")
    (entry,) = (each for each in found["webhooks"] if each["name"] == ENTRY)
    entry["failurePolicy"] = failure_policy
    entry["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    entry["clientConfig"]["service"]["namespace"] = namespace
    server.create({**found, "metadata": {"name": namespace}, "webhooks": [entry]})


@pytest.fixture
def place(server: ApiServer, namespace: str) -> Iterator[str]:
    """A namespace whose entry of the webhook ends with the test."""
    yield namespace
    server.kubectl("delete", "mutatingwebhookconfiguration", namespace)


def pod(namespace: str) -> dict[str, object]:
    container = {
        "name": "main",
        "image": "example.com/model:1",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    metadata = {"generateName": "labelled-", "namespace": namespace, "labels": {LABEL: "any"}}
    spec = {"containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def count(server: ApiServer, name: str, *labels: str) -> int:
    text = server.kubectl("get", "--raw=/metrics").stdout
    lines = re.findall(rf"^{name}\{{(.*)\}} (\d+)$", text, re.MULTILINE)
    return sum(int(value) for found, value in lines if set(labels) <= set(found.split(",")))


def test_it_goes_with_the_base_into_one_overlay(server: ApiServer, tmp_path: Path) -> None:
    resources = [os.path.relpath(MANIFESTS / name, tmp_path) for name in ("base", "monitoring")]
    overlay = {"kind": "Kustomization", "resources": resources}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    found = [*yaml.safe_load_all(server.kubectl("kustomize", str(tmp_path)).stdout)]
    kinds = [each["kind"] for each in found]
    assert kinds.count("ServiceMonitor") == 2
    assert kinds.count("PrometheusRule") == 1
    assert any("dashboard.json" in each.get("data", {}) for each in found)


def test_a_call_that_fails_is_counted_by_the_names_of_the_alert(
    server: ApiServer, place: str
) -> None:
    name = "apiserver_admission_webhook_rejection_count"
    labels = (f'name="{ENTRY}"', 'error_type="calling_webhook_error"')
    before = count(server, name, *labels)
    configure(server, place, "Fail")

    # The API server takes a moment to go by it.
    def refused() -> bool:
        try:
            server.create(pod(place))
        except Refused as error:
            return "failed calling webhook" in str(error)
        return False

    eventually(refused)
    assert count(server, name, *labels) == before + 1


def test_a_pod_let_in_without_the_webhook_is_counted_by_the_name_of_the_alert(
    server: ApiServer, place: str
) -> None:
    name = "apiserver_admission_webhook_fail_open_count"
    before = count(server, name, f'name="{ENTRY}"')
    configure(server, place, "Ignore")

    # As above; until then the pod is let in without a call.
    def counted() -> bool:
        server.create(pod(place))
        return count(server, name, f'name="{ENTRY}"') == before + 1

    assert eventually(counted)
