"""Which validations a pod is under: by label, namespace and selector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.kube.pods import CLAIM, container, mount, pod, validation
from verifier_cli.kube.choice import Namespace, validations_for
from verifier_cli.kube.names import ENFORCE
from verifier_cli.kube.shapes import Unfit

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]

OURS, THEIRS = "validation.ml.sigstore.dev/ml", "validation.rhtas.redhat.com/ml"
PREDECESSOR = "rhtas.redhat.com"
HERE = Namespace("here", {"team": "a"})
ENFORCED = Namespace("here", {ENFORCE: "true"})
CLUSTER = "ClusterModelValidation"
EMPTY: Json = {"emptyDir": {}}


def pod_with(labels: dict[str, str]) -> Json:
    made = pod()
    made["metadata"]["labels"] = labels
    return made


def chosen(labels: dict[str, str], *known: Validation, namespace: Namespace = HERE) -> list[str]:
    return [each.name for each in validations_for(pod_with(labels), namespace, known)]


def refused(labels: dict[str, str], *known: Validation, namespace: Namespace = HERE) -> str:
    with pytest.raises(Unfit) as caught:
        chosen(labels, *known, namespace=namespace)
    return str(caught.value)


def test_without_a_label_nobody_asks() -> None:
    assert chosen({}, validation(namespace="here"), validation("all", kind=CLUSTER)) == []
    made = pod()
    del made["metadata"]
    assert validations_for(made, HERE, [validation()]) == []


def test_a_name_is_that_one_validation() -> None:
    known = (validation("a", namespace="here"), validation("b", namespace="here"))
    assert chosen({OURS: "b"}, *known) == ["b"]


def test_true_is_every_one_that_selects_the_pod() -> None:
    selecting = {"matchLabels": {"app": "x"}}
    known = (
        validation("a", namespace="here"),
        validation("b", namespace="here", selector=selecting),
    )
    assert chosen({OURS: "true"}, *known) == ["a"]
    assert chosen({OURS: "true", "app": "x"}, *known) == ["a", "b"]


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "yes", "", "a ", "false"])
def test_a_value_that_names_nothing_is_a_denial(value: str) -> None:
    said = refused({OURS: value}, validation("a", namespace="here"))
    assert f"{OURS}={value!r} names no ModelValidation of ml.sigstore.dev in namespace here" in said


def test_a_label_looks_in_its_own_group() -> None:
    ours, theirs = validation("a", namespace="here"), validation("b", group=PREDECESSOR)
    assert chosen({OURS: "true"}, ours, theirs) == ["a"]
    assert chosen({THEIRS: "true"}, ours, theirs) == ["b"]
    assert sorted(chosen({OURS: "a", THEIRS: "b"}, ours, theirs)) == ["a", "b"]
    assert "names no ModelValidation of rhtas" in refused({THEIRS: "a"}, ours, theirs)


def test_another_namespace_counts_for_nothing() -> None:
    there = validation("a", namespace="there")
    assert "names no ModelValidation" in refused({OURS: "a"}, there)
    assert "and there is none" in refused({OURS: "true"}, there)


def test_true_with_nothing_to_hold_is_a_denial() -> None:
    unfit = validation("a", namespace="here", selector={"matchLabels": {"app": "x"}})
    assert "asks for every ModelValidation of namespace here" in refused({OURS: "true"}, unfit)


def test_a_cluster_validation_holds_for_labelled_pods_that_it_selects() -> None:
    spec = {"matchLabels": {"team": "a"}}
    over = validation("all", kind=CLUSTER, namespaceSelector=spec)
    picky = validation("some", kind=CLUSTER, selector={"matchLabels": {"app": "x"}})
    local = validation("a", namespace="here")
    assert chosen({OURS: "a"}, over, picky, local) == ["all", "a"]
    assert chosen({OURS: "true", "app": "x"}, over, picky) == ["all", "some"]
    assert chosen({THEIRS: "true"}, over) == ["all"]
    elsewhere = Namespace("here", {"team": "b"})
    assert chosen({OURS: "a"}, over, local, namespace=elsewhere) == ["a"]


def test_a_cluster_validation_is_never_meant_by_name() -> None:
    assert "names no ModelValidation" in refused({OURS: "all"}, validation("all", kind=CLUSTER))


def test_bypass_6_an_enforced_namespace_wants_models_verified() -> None:
    assert "lets models in only verified" in refused({}, namespace=ENFORCED)
    image = pod(models={"image": {"reference": "x"}})
    with pytest.raises(Unfit, match="mounts the volume 'models'"):
        validations_for(image, ENFORCED, [])
    harmless = pod(models={"emptyDir": {}})
    assert validations_for(harmless, ENFORCED, []) == []


FILL = container("fill", mount("/out"))
HARMLESS: dict[str, Json] = {
    "scratch": pod(container("a", mount()), models=EMPTY),
    "scratch for two": pod(container("a", mount()), container("b", mount()), models=EMPTY),
    "what an init container keeps for itself": pod(container("a"), inits=(FILL,), models=EMPTY),
    "what a sidecar shares": pod(
        container("a", mount()), inits=({**FILL, "restartPolicy": "Always"},), models=EMPTY
    ),
    "settings": pod(models={"configMap": {"name": "c"}}, s={"secret": {"secretName": "s"}}),
    "secrets by a driver": pod(models={"csi": {"driver": "secrets-store.csi.k8s.io"}}),
    "identities by a driver": pod(models={"csi": {"driver": "csi.spiffe.io"}}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_an_enforced_namespace_lets_in_what_holds_no_model(name: str) -> None:
    assert validations_for(HARMLESS[name], ENFORCED, []) == []


def test_bypass_6_a_cluster_validation_picks_unlabelled_pods_there() -> None:
    over = validation("all", kind=CLUSTER, selector={"matchLabels": {"app": "x"}})
    assert chosen({"app": "x"}, over, namespace=ENFORCED) == ["all"]
    assert chosen({"app": "x"}, over, namespace=HERE) == []
    assert "only verified" in refused({"app": "y"}, over, namespace=ENFORCED)
    made = pod(models={"emptyDir": {}})
    made["metadata"]["labels"] = {"app": "x"}
    assert [v.name for v in validations_for(made, ENFORCED, [over])] == ["all"]


@pytest.mark.parametrize("value", ["True", "yes", ""])
def test_only_true_enforces(value: str) -> None:
    assert not Namespace("n", {ENFORCE: value}).enforced


def test_labels_that_are_no_texts() -> None:
    made = pod(models=CLAIM)
    made["metadata"]["labels"] = {OURS: True}
    with pytest.raises(Unfit, match="labels is not made of texts"):
        validations_for(made, HERE, [])


@pytest.mark.parametrize(
    ("expression", "fitting", "unfitting"),
    [
        ({"operator": "In", "values": ["a", "b"]}, {"k": "b"}, {"k": "c"}),
        ({"operator": "NotIn", "values": ["a"]}, {"k": "b"}, {"k": "a"}),
        ({"operator": "NotIn", "values": ["a"]}, {}, {"k": "a"}),
        ({"operator": "Exists"}, {"k": ""}, {}),
        ({"operator": "DoesNotExist"}, {}, {"k": "x"}),
    ],
)
def test_selectors_select_as_kubernetes_does(
    expression: Json, fitting: dict[str, str], unfitting: dict[str, str]
) -> None:
    asked = {"matchExpressions": [{"key": "k", **expression}]}
    selector = validation(selector=asked).wiring.selector
    assert selector.selects(fitting)
    assert not selector.selects(unfitting)
