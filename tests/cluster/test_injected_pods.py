"""What a real API server makes of injected pods: it takes them, and they stay genuine."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.apiserver import Refused
from tests.unit.kube.pods import (
    SETTINGS,
    container,
    inject,
    mount,
    mounts,
    order,
    pod,
    validation,
    verifier,
)
from verifier_cli.kube.container import Settings
from verifier_cli.kube.names import CONTAINER, TOKEN
from verifier_cli.kube.patch import patch

if TYPE_CHECKING:
    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
CAPACITY = {"storage": "1Gi"}
SIDECAR = {"restartPolicy": "Always"}
RESOURCES = {"limits": {"cpu": 1, "memory": "1024Mi", "ephemeral-storage": "0.5Gi"}}


def restricted(made: Json, namespace: str) -> Json:
    """The pod as it may run in the namespace; the verifier is not touched."""
    made = copy.deepcopy(made)
    made["metadata"]["namespace"] = namespace
    for each in [*made["spec"]["initContainers"], *made["spec"]["containers"]]:
        if each["name"] != CONTAINER:
            each["securityContext"] = RESTRICTED
    return made


PODS: dict[str, tuple[Json, tuple[Any, ...]]] = {
    "a claim": (pod(), (validation(),)),
    "a downloader and a sidecar": (
        pod(
            container("server", mount()),
            inits=(container("download", mount()), container("proxy", **SIDECAR)),
            models={"emptyDir": {}},
        ),
        (validation(),),
    ),
    "part of a volume, and one below": (
        pod(
            container("server", mount("/data/model", subPath="a"), mount("/data/model/x", "sub")),
            sub={"emptyDir": {}},
        ),
        (validation(),),
    ),
    "discovery under two policies": (pod(), (validation("a", model=None), validation("b"))),
    "resources of its own": (pod(), (validation(resources=RESOURCES, imagePullPolicy="Always"),)),
    "an image volume": (
        pod(models={"image": {"reference": "registry.example.com/model:1"}}),
        (validation(),),
    ),
}


@pytest.mark.parametrize("name", PODS)
@pytest.mark.parametrize("user", [65532, None])
def test_an_injected_pod_is_taken_and_stays_as_it_is(
    server: ApiServer, namespace: str, name: str, user: int | None
) -> None:
    made, validations = PODS[name]
    settings = Settings(SETTINGS.image, user=user)
    sent = restricted(inject(made, *validations, settings=settings), namespace)
    taken = server.create(sent)
    assert order(taken) == order(sent)
    # Defaults and the token's volume were added; that does not make it another's.
    again = inject(taken, *validations, settings=settings)
    assert list(patch(taken, again)) == []


def test_what_a_limit_range_adds_stays(server: ApiServer, namespace: str) -> None:
    limit = {"type": "Container", "default": {"cpu": "2", "memory": "1Gi"}}
    server.create(
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "limits", "namespace": namespace},
            "spec": {"limits": [limit]},
        }
    )
    taken = server.create(restricted(inject(pod()), namespace))
    assert verifier(taken)["resources"]["limits"]["cpu"] == "2"
    assert list(patch(taken, inject(taken))) == []


def test_what_a_cluster_chooses_stays(server: ApiServer, namespace: str) -> None:
    settings = Settings(SETTINGS.image, user=None)
    made = restricted(inject(pod(), settings=settings), namespace)
    chosen = {"runAsUser": 1000680000, "seLinuxOptions": {"level": "s0:c26,c15"}}
    verifier(made)["securityContext"] |= chosen
    taken = server.create(made)
    assert list(patch(taken, inject(taken, settings=settings))) == []


def test_what_another_webhook_adds_is_taken_out_again(server: ApiServer, namespace: str) -> None:
    made = restricted(inject(pod()), namespace)
    verifier(made)["env"].append({"name": "LD_PRELOAD", "value": "/data/x.so"})
    taken = server.create(made)
    assert verifier(taken)["env"][-1]["name"] == "LD_PRELOAD"
    (operation,) = patch(taken, inject(taken))
    assert operation["path"] == "/spec/initContainers"
    assert verifier(inject(taken))["env"] == verifier(inject(pod()))["env"]


def test_bypass_3_directories_of_a_node_are_read_only_below_too(server: ApiServer) -> None:
    made = inject(pod(models={"hostPath": {"path": "/srv"}}))
    made["metadata"]["namespace"] = "default"
    account = {"name": "default", "namespace": "default"}
    made_account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
    with contextlib.suppress(Refused):  # it may be there already
        server.create(made_account)
    taken = server.create(made)
    (mounted, _) = taken["spec"]["containers"][0]["volumeMounts"]
    assert mounted["recursiveReadOnly"] == "IfPossible"
    assert list(patch(taken, inject(taken))) == []


def test_bypass_3_the_api_server_itself_refuses_the_claim_of_an_ephemeral_volume(
    server: ApiServer, namespace: str
) -> None:
    """So the injection need not take the two for the same storage."""
    template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": CAPACITY}}}
    made = pod(
        models={"ephemeral": {"volumeClaimTemplate": template}},
        again={"persistentVolumeClaim": {"claimName": "p-models"}},
    )
    with pytest.raises(Refused, match="a PVC that gets created for an ephemeral volume"):
        server.create(restricted(inject(made), namespace))


def test_bypass_4_the_api_server_itself_takes_two_mounts_at_one_place(
    server: ApiServer, namespace: str
) -> None:
    """So it is the injection that has to refuse them."""
    twice = container("server", mount("/data"), mount("/data/", "other"))
    assert server.create(restricted(pod(twice, other={"emptyDir": {}}), namespace))


def test_the_verifier_gets_no_token(server: ApiServer, namespace: str) -> None:
    taken = server.create(restricted(inject(pod()), namespace))
    assert mounts(taken, "server")[TOKEN][0].startswith("kube-api-access-")
    assert mounts(taken, CONTAINER)[TOKEN][0] == mounts(inject(pod()), CONTAINER)[TOKEN][0]


def test_it_runs_under_the_strictest_pod_security_also_without_a_uid(
    server: ApiServer, namespace: str
) -> None:
    settings = Settings(SETTINGS.image, user=None)
    assert server.create(restricted(inject(pod(), settings=settings), namespace))


def test_the_namespace_would_refuse_less(server: ApiServer, namespace: str) -> None:
    """The tests above mean something."""
    made = restricted(inject(pod()), namespace)
    del verifier(made)["securityContext"]["capabilities"]
    with pytest.raises(Refused, match=r'container "model-validation" must set'):
        server.create(made)
