"""What a validation of the cluster puts in force."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.kube.pods import CLAIM, KEY, PATH, pod
from verifier_cli.config import manifest
from verifier_cli.errors import ConfigError
from verifier_cli.kube.choice import Namespace, validations_for
from verifier_cli.kube.inforce import Unready, in_force
from verifier_cli.kube.shapes import Unfit

Json = dict[str, Any]

SPEC: Json = {"config": {"publicKeyConfig": {"key": KEY}}, "model": {"path": PATH}}
BROKEN: Json = {**SPEC, "model": {"path": "relative"}}


def resource(spec: Json, *, kind: str = "ModelValidation", status: Json | None = None) -> Json:
    metadata = {"name": "demo", "namespace": "models", "uid": "1", "generation": 2}
    if kind.startswith("Cluster"):
        del metadata["namespace"]
        spec = {"namespaceSelector": {"matchLabels": {"team": "a"}}, **spec}
    top = {"apiVersion": "ml.sigstore.dev/v1alpha1", "kind": kind, "metadata": metadata}
    return {**top, "spec": copy.deepcopy(spec), **({"status": status} if status else {})}


def last_good() -> Json:
    sha256 = manifest.decode(resource(SPEC), "").policy.sha256
    return {"policySha256": sha256, "lastGood": {"generation": 1, "spec": SPEC}}


def test_a_sound_one_is_in_force() -> None:
    assert in_force(resource(SPEC)) == manifest.decode(resource(SPEC), "")


def test_an_invalid_change_keeps_the_last_good_policy() -> None:
    assert in_force(resource(BROKEN, status=last_good())) == in_force(resource(SPEC))


@pytest.mark.parametrize(
    "status",
    [
        None,
        {"policySha256": "0" * 64, "lastGood": {"generation": 1, "spec": SPEC}},
        {**last_good(), "lastGood": {"generation": 1, "spec": BROKEN}},
        {**last_good(), "lastGood": []},
        {"lastGood": {"generation": 1, "spec": SPEC}},
    ],
    ids=["never good", "another digest", "broken too", "malformed", "without a digest"],
)
def test_what_never_was_good_is_not_ready_and_says_why(status: Json | None) -> None:
    found = in_force(resource(BROKEN, status=status))
    assert isinstance(found, Unready)
    assert "spec.model.path: is not an absolute, normalised path" in found.reason


@pytest.mark.parametrize("value", ["demo", "true"])
def test_a_pod_under_one_that_is_not_ready_is_not_let_in(value: str) -> None:
    made = pod()
    made["metadata"]["labels"] = {"validation.ml.sigstore.dev/ml": value}
    sound = resource(SPEC)
    sound["metadata"]["name"] = "other"
    known = [in_force(resource(BROKEN)), in_force(sound)]
    with pytest.raises(Unfit, match=r"ModelValidation demo of ml\.sigstore\.dev is not valid"):
        validations_for(made, Namespace("models", {}), known)


def test_a_broken_selector_selects_everything() -> None:
    broken = resource({**SPEC, "selector": {"matchLabels": []}})
    made = pod(models=CLAIM)
    made["metadata"]["labels"] = {"validation.ml.sigstore.dev/ml": "true"}
    with pytest.raises(Unfit, match="is not valid"):
        validations_for(made, Namespace("models", {}), [in_force(broken)])


def test_a_broken_cluster_validation_keeps_its_own_namespaces() -> None:
    found = in_force(resource(BROKEN, kind="ClusterModelValidation"))
    assert isinstance(found, Unready)
    made = pod()
    enforced = {"validation.ml.sigstore.dev/enforce": "true"}
    with pytest.raises(Unfit, match="ClusterModelValidation demo"):
        validations_for(made, Namespace("models", {**enforced, "team": "a"}), [found])
    with pytest.raises(Unfit, match="lets models in only verified"):
        validations_for(made, Namespace("models", {**enforced, "team": "b"}), [found])


@pytest.mark.parametrize("missing", ["apiVersion", "kind", "metadata"])
def test_what_has_no_name_is_no_validation(missing: str) -> None:
    broken = resource(BROKEN)
    del broken[missing]
    with pytest.raises(ConfigError):
        in_force(broken)
