"""The guard holds the controller's own account to ConfigMaps that carry policies, everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.cluster.apiserver import Refused
from tests.cluster.guarded import OWN, until_refused
from tests.cluster.installed import NAMESPACE, apply, controller, eventually, manifests
from tests.cluster.test_controller import SPEC, change, configmaps, ready, validation
from verifier_cli.kube.configmap import MANAGED_BY, OURS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

POLICY = "model-validation-own"
CONTROLLER = f"--as=system:serviceaccount:{NAMESPACE}:{NAMESPACE}"
POLICIES: Json = {
    "immutable": True,
    "data": {"policy.json": "{}"},
    "metadata": {"labels": {MANAGED_BY: OURS}},
}


@pytest.fixture(scope="module")
def guarded(installed: ApiServer) -> Iterator[ApiServer]:
    """The API server with this one policy in force."""
    for name in (OWN, "default"):
        send(installed, name, "aws-auth", data={"mapUsers": ""})  # RBAC alone lets it through
    chosen = [each for each in manifests(installed) if each["metadata"]["name"] == POLICY]
    assert len(chosen) == 2
    apply(installed, chosen)
    until_refused(POLICY, lambda: send(installed, OWN, "aws-auth"), "own:")
    yield installed
    for each in chosen:
        installed.kubectl("delete", each["kind"], POLICY)


def send(server: ApiServer, namespace: str, name: str, *options: str, **fields: object) -> None:
    """What would come of a ConfigMap that the controller's account creates."""
    made = {"apiVersion": "v1", "kind": "ConfigMap", **POLICIES, **fields}
    made["metadata"] = {"name": name, **made["metadata"]}
    command = ("create", "--filename=-", "--dry-run=server", f"--namespace={namespace}", CONTROLLER)
    ran = server.kubectl(*command, *options, stdin=made, check=False)
    if ran.returncode:
        raise Refused(ran.stderr)


@pytest.mark.parametrize("namespace", [OWN, NAMESPACE, "default"])
def test_a_policy_is_written_and_nothing_else(guarded: ApiServer, namespace: str) -> None:
    send(guarded, namespace, "demo-0123456789")
    others: dict[str, Json] = {
        "aws-auth": {},
        "demo-012345678": {},
        "demo-0123456789x": {},
        "a-0123456789": {"data": {"policy.json": "{}", "mapUsers": ""}},
        "b-0123456789": {"data": {"mapUsers": ""}},
        "c-0123456789": {"data": {}},
        "d-0123456789": {"binaryData": {"mapUsers": ""}},
        "e-0123456789": {"immutable": False},
        "f-0123456789": {"metadata": {}},
    }
    for name, fields in others.items():
        with pytest.raises(Refused, match="own: the account of"):
            send(guarded, namespace, name, **fields)


def test_only_what_is_called_like_a_policy_is_deleted(guarded: ApiServer) -> None:
    suffix = uuid4().hex[:6]
    for name, refused in ((f"aws-auth-{suffix}", True), (f"demo{suffix}-0123456789", False)):
        where = ("configmap", name, f"--namespace={OWN}")
        guarded.kubectl("create", *where)
        ran = guarded.kubectl("delete", *where, CONTROLLER, check=False)
        assert ("own: the account of" in ran.stderr) is refused, ran.stderr
        assert guarded.says("get", *where) is refused
    # Everybody else may do what they may.
    guarded.kubectl("delete", "configmap", f"aws-auth-{suffix}", f"--namespace={OWN}")


def test_the_controller_does_its_work_under_it(
    guarded: ApiServer, namespace: str, tmp_path: Path
) -> None:
    lease = ("lease", NAMESPACE, f"--namespace={NAMESPACE}", "--ignore-not-found")
    guarded.kubectl("delete", *lease)
    with controller(guarded, tmp_path) as program:
        made = guarded.create(validation(SPEC, namespace))
        before = ready(guarded, made)["status"]["configMap"]
        change(guarded, made, {"mode": "warn"})
        after = ready(guarded, made)["status"]["configMap"]
        assert before != after
        eventually(lambda: [*configmaps(guarded, namespace)] == [after])
        # Of other tests' namespaces there may be some: without a node they never end.
        failed = [e for e in program.events() if e["event"] == "reconcile.failed"]
        assert not [each for each in failed if each["namespace"] == namespace]
