"""The pod in an object that makes pods."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from verifier_cli.kube.shapes import Unfit
from verifier_cli.kube.workloads import pod_of, unpacked, with_pod

Json = dict[str, Any]

POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")
LABEL = "validation.ml.sigstore.dev/ml"
LABELLED: Json = {"metadata": {"labels": {LABEL: "demo"}}}


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


def test_a_template_alone() -> None:
    workload = {"apiVersion": "v1", "kind": "PodTemplate", "template": POD}
    assert pod_of(workload) == (POD, "default")
    assert with_pod(workload, {"spec": 1}) == {**workload, "template": {"spec": 1}}


def test_the_namespace_of_what_names_none() -> None:
    assert pod_of({"kind": "Pod", **POD}, "there") == ({"kind": "Pod", **POD}, "there")
    assert pod_of(made("Job"), "there") == (POD, "ns")
    assert pod_of({"kind": "Pod", "metadata": None}, "there")[1] == "there"


def test_lists_are_unpacked() -> None:
    one, other = {"kind": "Pod"}, {"kind": "Job"}
    nested = {"kind": "PodList", "items": [other]}
    assert list(unpacked({"kind": "List", "items": [one, nested]})) == [one, other]
    assert list(unpacked(one)) == [one]
    assert list(unpacked({"kind": "AllowList", "items": 1})) == [{"kind": "AllowList", "items": 1}]
    with pytest.raises(Unfit, match="items is not a list of objects"):
        list(unpacked({"kind": "List", "items": [one, 1]}))


UNKNOWN: dict[str, Json] = {
    "a template in another kind": {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "spec": {"template": LABELLED},
    },
    "a template in a list": {
        "apiVersion": "jobset.x-k8s.io/v1",
        "kind": "JobSet",
        "spec": {"jobs": [{"template": {"spec": {"template": LABELLED}}}]},
    },
    "another's kind of that name": {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "Job",
        "spec": {"tasks": [{"template": LABELLED}]},
    },
    "labels that pods will get": {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        **LABELLED,
    },
    "a pod without a kind": {"apiVersion": "v1", **LABELLED},
    "a pod without a version": {"kind": "Thing", **LABELLED},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_label_that_would_be_passed_by_is_an_error(name: str) -> None:
    with pytest.raises(Unfit, match=f"carries the label {LABEL}"):
        pod_of(UNKNOWN[name])


@pytest.mark.parametrize(
    "workload",
    [
        {"apiVersion": "v1", "kind": "Service", "spec": {"selector": {LABEL: "demo"}}, **LABELLED},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **LABELLED},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", **LABELLED},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": {"template": POD}},
        {"apiVersion": "x.example.com/v1", "kind": "Odd", "metadata": {"labels": [LABEL]}},
    ],
)
def test_a_label_on_what_makes_no_pods_is_none(workload: Json) -> None:
    assert pod_of(workload) == (None, "default")


@pytest.mark.parametrize("kind", [*KINDS, "CronJob"])
def test_a_label_that_no_pod_gets_is_an_error(kind: str) -> None:
    workload = made(kind)
    workload["metadata"]["labels"] = {LABEL: "demo"}
    with pytest.raises(Unfit, match="is not on its pod template"):
        pod_of(workload)
    assert pod_of({**workload, "spec": made(kind)["spec"], "metadata": {}}) == (POD, "default")


def test_a_kind_that_is_not_made_like_it() -> None:
    with pytest.raises(Unfit, match="template is not an object"):
        pod_of({"kind": "Job", "spec": {"template": []}})
