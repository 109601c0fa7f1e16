"""The pod in an object that makes pods."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from verifier_cli.kube.shapes import Unfit
from verifier_cli.kube.workloads import pod_of, with_pod

Json = dict[str, Any]

POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def made(kind: str) -> Json:
    spec: Json = {"template": copy.deepcopy(POD)}
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    return {"kind": kind, "metadata": {"name": "w", "namespace": "ns"}, "spec": spec}


@pytest.mark.parametrize("kind", [*KINDS, "CronJob"])
def test_every_kind_that_makes_pods(kind: str) -> None:
    workload = made(kind)
    before = copy.deepcopy(workload)
    assert pod_of(workload) == (POD, "ns")
    changed = with_pod(workload, {"spec": "new"})
    assert pod_of(changed) == ({"spec": "new"}, "ns")
    assert workload == before
    assert {**changed, "spec": 0} == {**workload, "spec": 0}


def test_a_pod_is_its_own() -> None:
    pod = {"kind": "Pod", **POD}
    assert pod_of(pod) == (pod, "default")
    assert with_pod(pod, {"kind": "Pod", "spec": 1}) == {"kind": "Pod", "spec": 1}


@pytest.mark.parametrize("workload", [{"kind": "Service"}, {}, {"kind": "List", "items": []}])
def test_other_kinds_have_none(workload: Json) -> None:
    assert pod_of(workload) == (None, "default")


def test_a_kind_that_is_not_made_like_it() -> None:
    with pytest.raises(Unfit, match="template is not an object"):
        pod_of({"kind": "Job", "spec": {"template": []}})
