"""Two replicas of the webhook on a node, under load: replaced in turn, and one gone at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.installed import NAMESPACE, eventually
from tests.cluster.product import example, send, wait_ready
from tests.cluster.registered import Load, administrator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.node import Node

Json = dict[str, Any]

WEBHOOK = "model-validation-webhook"
WHERE = f"--namespace={NAMESPACE}"
OWN = f"--selector=app.kubernetes.io/name={WEBHOOK}"
# The API server hears of it once the kubelet has told that the container has ended.
READY_AGAIN_SECONDS = 30


@pytest.fixture
def two(product: Node) -> Iterator[Node]:
    """The node with two replicas of the webhook."""
    scale(product, 2)
    yield product
    scale(product, 1)


def scale(product: Node, replicas: int) -> None:
    product.kubectl("scale", WHERE, f"--replicas={replicas}", f"deployment/{WEBHOOK}")
    product.get_until(lambda found: len(serving(found)) == replicas, "pods", WHERE, OWN)
    endpoints = f"--selector=kubernetes.io/service-name={WEBHOOK}"
    product.get_until(
        lambda found: len(addresses(found)) == replicas, "endpointslices", WHERE, endpoints
    )


def serving(pods: Json) -> list[str]:
    """The names of the pods that are ready, if all are."""
    conditions = {
        each["metadata"]["name"]: {c["type"]: c["status"] for c in each["status"]["conditions"]}
        for each in pods["items"]
    }
    ready = [name for name, each in conditions.items() if each.get("Ready") == "True"]
    return ready if len(ready) == len(conditions) else []


def addresses(slices: Json) -> set[str]:
    return {
        address
        for each in slices["items"]
        for endpoint in each["endpoints"] or ()
        for address in endpoint["addresses"]
    }


@pytest.fixture
def load(two: Node, room: str, tmp_path: Path) -> Iterator[Load]:
    """Labelled pods, made all the time."""
    asking = administrator(two, tmp_path / "administrator")
    validation, pod = example("image-volume.yaml", room)
    pod["metadata"] = {**pod["metadata"], "generateName": "p-", "name": ""}
    send(two, [validation])
    wait_ready(two, room, "image-volume")
    first = Load(asking, pod)
    with first.running(1):
        until_more(first)
    yield Load(asking, pod)
    for each in two.get("clusterrolebindings")["items"]:
        if each["metadata"]["name"].startswith("administrator-"):
            two.delete("clusterrolebinding", each["metadata"]["name"])


def until_more(load: Load, seconds: float = READY_AGAIN_SECONDS) -> None:
    seen = load.admitted
    eventually(lambda: load.admitted > seen + 20, seconds=seconds)


def test_a_roll_out_refuses_nobody(two: Node, load: Load) -> None:
    with load.running(8):
        until_more(load)
        two.kubectl("rollout", "restart", WHERE, f"deployment/{WEBHOOK}")
        two.kubectl("rollout", "status", WHERE, f"deployment/{WEBHOOK}", seconds=150)
        two.get_until(lambda found: len(serving(found)) == 2, "pods", WHERE, OWN)
        until_more(load)
    assert (load.failures, load.bare) == ([], 0)


def test_a_replica_that_is_gone_at_once_lets_nobody_in_unverified(two: Node, load: Load) -> None:
    (name, _) = serving(two.get("pods", WHERE, OWN))
    with load.running(8):
        until_more(load)
        two.kubectl("delete", "pod", name, WHERE, "--grace-period=0", "--force")
        gone = time.monotonic()
        eventually(lambda: calm(load), seconds=READY_AGAIN_SECONDS)
        assert time.monotonic() - gone < READY_AGAIN_SECONDS
    assert load.bare == 0
    assert not [each for each in load.failures if "failed calling webhook" not in each]


def calm(load: Load) -> bool:
    """Whether nothing fails for a while, and much is let in."""
    admitted, failed = load.admitted, len(load.failures)
    time.sleep(2)
    return load.admitted > admitted + 20 and len(load.failures) == failed
