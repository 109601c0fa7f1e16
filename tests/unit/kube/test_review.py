"""Admission reviews: what is read, decided and answered."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest

from tests.unit.kube.pods import SETTINGS, container, inject, mount, pod, validation
from verifier_cli.kube.names import ENFORCE
from verifier_cli.kube.patch import patch
from verifier_cli.kube.review import (
    Admit,
    Decision,
    Deny,
    MalformedReviewError,
    Request,
    decide,
    decode,
    encode,
)

Json = dict[str, Any]

LABEL, OLD_LABEL = "validation.ml.sigstore.dev/ml", "validation.rhtas.redhat.com/ml"
KNOWN = (validation(namespace="here"),)
NAMESPACES: dict[str, dict[str, str]] = {"here": {}, "strict": {ENFORCE: "true"}}


def labelled(value: str = "demo", label: str = LABEL) -> Json:
    made = pod(container("server", mount()))
    made["metadata"]["labels"] = {label: value}
    return made


def review(made: Json, **changes: object) -> Json:
    request = {
        "uid": "u",
        "operation": "CREATE",
        "namespace": "here",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "object": made,
        **changes,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def decided(made: Json, **changes: object) -> Decision:
    return decide(decode(review(made, **changes)), KNOWN, NAMESPACES, SETTINGS)


def denied(made: Json, **changes: object) -> str:
    found = decided(made, **changes)
    assert isinstance(found, Deny)
    return found.reason


def applied(made: Json, operations: tuple[Json, ...]) -> Json:
    """RFC 6902, as far as it is used."""
    result = copy.deepcopy(made)
    for operation in operations:
        *way, last = operation["path"].split("/")[1:]
        place = result
        for name in way:
            place = place[name]
        assert operation["op"] == ("replace" if last in place else "add")
        place[last] = operation["value"]
    return result


def test_a_labelled_pod_gets_the_verifier() -> None:
    found = decided(labelled())
    assert isinstance(found, Admit)
    assert applied(labelled(), found.patch) == inject(labelled(), *KNOWN)


def test_the_same_pod_gets_the_same_patch() -> None:
    assert decided(labelled()) == decided(labelled())


def test_a_pod_that_has_it_is_not_changed() -> None:
    pins = f"demo={KNOWN[0].policy.sha256}"
    assert decided(inject(labelled(), *KNOWN)) == Admit(policies=pins)


def test_a_pod_without_the_label_is_let_in_as_it_is() -> None:
    assert decided(pod(container("server", mount()))) == Admit()


def test_a_denial_names_pod_reason_and_remedy() -> None:
    said = denied(labelled("True"))
    assert said.startswith("pod here/p is not let in: its label")
    assert "create it, or name one that is there" in said
    made = labelled("True")
    made["metadata"] = {"generateName": "web-", "labels": made["metadata"]["labels"]}
    assert denied(made).startswith("pod here/web-… is not let in: ")


def test_a_namespace_that_is_not_known_yet_is_a_denial() -> None:
    assert "is not known to the webhook yet" in denied(labelled(), namespace="new")
    assert "is not known to the webhook yet" in denied(pod(), namespace="new")


def test_bypass_6_the_labels_of_the_namespace_count() -> None:
    assert "lets models in only verified" in denied(pod(), namespace="strict")


def test_a_policy_whose_configmap_cannot_be_named_is_a_denial() -> None:
    long = (validation("n" * 250, namespace="here"),)
    request = decode(review(labelled("n" * 250)))
    found = decide(request, long, NAMESPACES, SETTINGS)
    assert isinstance(found, Deny)
    assert "it cannot be judged" in found.reason


CHANGES = ((None, "demo"), ("demo", None), ("demo", "other"))


@pytest.mark.parametrize("label", [LABEL, OLD_LABEL])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_bypass_5_a_label_on_a_running_pod_stays_as_it_is(
    label: str, before: str | None, after: str | None
) -> None:
    old, new = pod(), pod()
    old["metadata"]["labels"] = {} if before is None else {label: before}
    new["metadata"]["labels"] = {} if after is None else {label: after}
    said = denied(new, operation="UPDATE", oldObject=old)
    assert f"the label {label} cannot be put on, changed or taken away" in said


def test_bypass_5_the_image_of_the_verifier_stays_as_it_is() -> None:
    old = inject(labelled(), *KNOWN)
    new = copy.deepcopy(old)
    new["spec"]["initContainers"][0]["image"] = "evil"
    said = denied(new, operation="UPDATE", oldObject=old)
    assert "the image of the container model-validation cannot be changed" in said
    assert decided(old, operation="UPDATE", oldObject=old) == Admit()


def test_a_container_without_a_name_is_a_denial() -> None:
    made = inject(labelled(), *KNOWN)
    made["spec"]["initContainers"].append({"image": "x"})
    assert "name is not a text" in denied(made)


def test_another_update_is_let_through() -> None:
    old, new = labelled(), labelled()
    new["metadata"]["labels"]["app"] = "x"
    assert decided(new, operation="UPDATE", oldObject=old) == Admit()
    assert decided({}, operation="DELETE", oldObject=old) == Admit()


MALFORMED: dict[str, object] = {
    "not an AdmissionReview": {"kind": "Pod"},
    "is not of admission.k8s.io/v1": review({}) | {"apiVersion": "admission.k8s.io/v1beta1"},
    "not about a pod": review({}, resource={"resource": "services"}),
    "request is not an object": review({}) | {"request": []},
    "uid is not a text": review({}, uid=""),
    "namespace is not a text": review({}, namespace=None),
    "object is not an object": review([]),  # type: ignore[arg-type]
    "userInfo is not an object": review({}, userInfo="root"),
    "username is not a text": review({}, userInfo={"username": 7}),
    "dryRun is neither true nor false": review({}, dryRun="yes"),
}


@pytest.mark.parametrize("message", MALFORMED)
def test_a_malformed_review(message: str) -> None:
    with pytest.raises(MalformedReviewError, match=message):
        decode(MALFORMED[message])


@pytest.mark.parametrize("value", [None, [], "x", 1, {}])
def test_what_is_no_review_at_all(value: object) -> None:
    with pytest.raises(MalformedReviewError):
        decode(value)


def test_a_subresource_is_not_a_pod() -> None:
    with pytest.raises(MalformedReviewError, match="not about a pod"):
        decode(review(pod(), subResource="ephemeralcontainers"))


REQUEST = Request("u", "CREATE", "here", {}, {})


def test_the_answer_to_a_denial() -> None:
    assert encode(REQUEST, Deny("no")) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "u",
            "allowed": False,
            "status": {"code": 403, "reason": "Forbidden", "message": "no"},
        },
    }


def test_the_answer_to_an_admission() -> None:
    assert encode(REQUEST, Admit())["response"] == {"uid": "u", "allowed": True}
    operation = {"op": "add", "path": "/spec/volumes", "value": []}
    response = encode(REQUEST, Admit((operation,), ("careful",)))["response"]
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [operation]
    assert response["warnings"] == ["careful"]


def test_a_patch_of_what_is_not_there_yet() -> None:
    bare: Json = {"spec": {"containers": []}}
    wanted: Json = {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [1], "x": 2}}
    operations = tuple(patch(bare, wanted))
    assert applied(bare, operations) == wanted
    assert [operation["path"] for operation in operations] == [
        "/metadata",
        "/spec/containers",
        "/spec/x",
    ]
    assert list(patch(bare, bare)) == []


@pytest.mark.parametrize("field", ["name", "generateName"])
def test_a_name_that_is_none_is_not_shown(field: str) -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    made = labelled("other")
    made["metadata"] = {**made["metadata"], "name": None, field: deep}
    assert denied(made).startswith("pod here/… is not let in: ")
    # Taken apart by hand: so deep, Python itself could not.
    while deep:
        deep = deep.pop()  # type: ignore[assignment]
