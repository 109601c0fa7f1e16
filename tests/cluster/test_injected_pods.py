"""What a real API server makes of injected pods: it takes them, and they stay genuine."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
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
def test_an_injected_pod_is_taken_and_stays_genuine(
    server: ApiServer, namespace: str, name: str
) -> None:
    made, validations = PODS[name]
    sent = restricted(inject(made, *validations), namespace)
    taken = server.create(sent)
    assert order(taken) == order(sent)
    # Defaults and the token's volume were added; that does not make it another's.
    assert verifier(inject(taken, *validations)) | {"resources": 0} == verifier(taken) | {
        "resources": 0
    }


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
