"""From the bytes of a review to the bytes of its answer; whatever fails, nobody is let in."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.schemas import check_log_lines
from tests.unit.kube.pods import SETTINGS
from tests.unit.webhook.objects import LABEL, labelled, namespace, resource, review
from verifier_cli.host.logs import Log
from verifier_cli.kube.names import ANNOTATION
from verifier_cli.webhook.admission import Admissions
from verifier_cli.webhook.image import VerifierImage
from verifier_cli.webhook.metrics import Metrics
from verifier_cli.webhook.store import Namespaces, Store, Validations

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.inforce import Unready

Json = dict[str, Any]
SECRET = "what only the pod knows"  # noqa: S105


class Desk:
    """Admissions over a store that can be filled, with their log and metrics."""

    def __init__(self, kind: type[Store] = Store) -> None:
        self.stream, self.metrics = io.StringIO(), Metrics()
        log = Log(self.stream)
        self.validations = Validations("ml.sigstore.dev/v1alpha1", "ModelValidation", log)
        self.namespaces = Namespaces()
        self.fault: str | None = None
        self.namespaces.put(namespace())
        self.validations.put(resource())
        store = kind((self.validations,), self.namespaces)
        image = VerifierImage(log, development=False, user=SETTINGS.user)
        image.take(SETTINGS.image)
        self.stream.seek(0)
        self.stream.truncate()
        self.admissions = Admissions(store, image, lambda: self.fault, self.metrics, log)

    def ask(self, asked: Json) -> Json:
        """The response to a review."""
        answer = self.admissions.answer(json.dumps(asked).encode())
        assert answer.status == 200
        whole = json.loads(answer.body)
        assert (whole["kind"], whole["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
        response: Json = whole["response"]
        assert response["uid"] == asked["request"]["uid"]
        return response

    def lines(self) -> list[Json]:
        return check_log_lines(self.stream.getvalue())

    def counted(self) -> dict[tuple[str, str], float]:
        """How many admissions, by decision and whether injected."""
        return {
            (sample.labels["decision"], sample.labels["injected"]): sample.value
            for metric in self.metrics.registry.collect()
            for sample in metric.samples
            if sample.name == "model_verify_admissions_total" and sample.value
        }


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_labelled_pod_gets_the_verifier(desk: Desk) -> None:
    response = desk.ask(review(labelled()))
    assert response["allowed"] is True
    operations = json.loads(base64.b64decode(response["patch"]))
    assert any("model-validation" in json.dumps(each) for each in operations)
    (line,) = desk.lines()
    pins = json.dumps(operations).split(f'"{ANNOTATION}": "')[1].split('"')[0]
    assert line["policies"] == pins
    assert {
        **dict.fromkeys(("time", "durationMs")),
        **{k: v for k, v in line.items() if k not in ("time", "durationMs")},
    } == {
        "time": None,
        "durationMs": None,
        "level": "info",
        "event": "admission.decided",
        "msg": "the pod is let in",
        "uid": "7f0b0a4e-6c0e-4f0e-9d0b-0a4e6c0e4f0e",
        "operation": "CREATE",
        "namespace": "ns",
        "pod": "p",
        "user": "system:serviceaccount:kube-system:replicaset-controller",
        "decision": "admitted",
        "policies": pins,
        "warnings": 0,
        "patched": True,
        "dryRun": False,
    }
    assert desk.counted() == {("admitted", "true"): 1}


def test_a_pod_that_asks_for_nothing_is_not_touched(desk: Desk) -> None:
    response = desk.ask(review(labelled(None)))
    assert response == {"uid": response["uid"], "allowed": True}
    (line,) = desk.lines()
    assert (line["decision"], line["patched"], line.get("policies")) == ("admitted", False, None)
    assert desk.counted() == {("admitted", "false"): 1}


def test_a_refusal_is_a_sentence(desk: Desk) -> None:
    response = desk.ask(review(labelled("nobody")))
    assert (response["allowed"], response["status"]["code"]) == (False, 403)
    assert "names no ModelValidation" in response["status"]["message"]
    (line,) = desk.lines()
    assert line["reason"] == response["status"]["message"]
    assert (line["level"], line["decision"]) == ("warning", "denied")
    assert desk.counted() == {("denied", "false"): 1}


def test_a_label_put_on_later_is_refused(desk: Desk) -> None:
    asked = review(labelled(), operation="UPDATE", old=labelled(None))
    response = desk.ask(asked)
    assert response["allowed"] is False
    assert "cannot be put on" in response["status"]["message"]


def test_a_dry_run_is_answered_alike_and_marked(desk: Desk) -> None:
    wet, dry = (desk.ask(review(labelled(), dryRun=each)) for each in (False, True))
    assert wet == dry
    assert [line["dryRun"] for line in desk.lines()] == [False, True]


def test_warnings_are_counted_in_the_audit(desk: Desk) -> None:
    desk.validations.put(resource(mounts="Preserve"))
    response = desk.ask(review(labelled()))
    assert len(response["warnings"]) == 1
    assert desk.lines()[0]["warnings"] == 1


@pytest.mark.parametrize("fault", ["namespaces are not listed yet", "there is no news"])
@pytest.mark.parametrize("value", ["demo", None])
def test_before_the_watches_are_synced_nobody_is_let_in(
    desk: Desk, fault: str, value: str | None
) -> None:
    desk.fault = fault
    response = desk.ask(review(labelled(value)))
    assert response["allowed"] is False
    assert (response["status"]["code"], response["status"]["reason"]) == (503, "ServiceUnavailable")
    message = f"a pod of ns is not let in: the webhook is not ready ({fault}): try again"
    assert response["status"]["message"] == message
    assert desk.counted() == {("error", "false"): 1}
    (line,) = desk.lines()
    assert (line["level"], line["decision"]) == ("error", "error")


class Broken(Store):
    """A store with a bug."""

    def known(self, namespace: str) -> list[Validation | Unready]:
        raise KeyError(SECRET, namespace)


@pytest.mark.parametrize("value", ["demo", None])
def test_a_bug_lets_nobody_in_and_is_told_without_the_pod(value: str | None) -> None:
    desk = Desk(Broken)
    response = desk.ask(review(labelled(value)))
    assert (response["allowed"], response["status"]["code"]) == (False, 500)
    assert response["status"]["message"].endswith("the webhook failed: its log says more")
    fault, line = desk.lines()
    assert (fault["event"], fault["fault"], fault["level"]) == ("fault", "KeyError", "error")
    assert "test_admission" in fault["place"]
    assert line["decision"] == "error"
    assert SECRET not in desk.stream.getvalue() + json.dumps(response)
    assert desk.counted() == {("error", "false"): 1}


def test_a_bug_before_the_review_is_read_is_no_yes_either(desk: Desk) -> None:
    answer = desk.admissions.answer(cast("bytes", 5))
    assert (answer.status, answer.body) == (500, b"the webhook failed: its log says more")
    assert [line["event"] for line in desk.lines()] == ["fault"]
    assert desk.counted() == {("error", "false"): 1}


MALFORMED: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"kind": "\xff"}',
    "nested without end": b"[" * 100_000,
    "a list": [],
    "a number": 1,
    "no review": {"kind": "Pod"},
    "another version": review(labelled()) | {"apiVersion": "admission.k8s.io/v1beta1"},
    "no request": {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"},
    "a request that is none": review(labelled()) | {"request": [1]},
    "of another resource": review(labelled(), resource={"resource": "secrets"}),
    "of a part of a pod": review(labelled(), subResource="ephemeralcontainers"),
    "no uid": review(labelled(), uid=""),
    "a uid that is none": review(labelled(), uid=7),
    "no namespace": review(labelled(), namespace=None),
    "no pod": review(labelled(), object="x"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_review_is_a_bad_request(desk: Desk, what: str) -> None:
    found = MALFORMED[what]
    body = found if isinstance(found, bytes) else json.dumps(found).encode()
    answer = desk.admissions.answer(body)
    assert answer.status == 400
    assert answer.body
    assert b'"allowed"' not in answer.body
    (line,) = desk.lines()
    assert line["event"] == "admission.malformed"
    assert desk.counted() == {("malformed", "false"): 1}


ODD: list[Json] = [
    {"userInfo": None},
    {"userInfo": {"username": "a\nb\x1b[2J"}},
    {"dryRun": None},
    {"object": {"metadata": {"namespace": "ns"}}},
    {"object": {"metadata": {"generateName": "web-"}}},
    {"object": {"metadata": {"name": 7, "labels": {LABEL: "demo"}}}},
    {"object": {"metadata": []}},
    {"object": None},
    {"operation": "CONNECT"},
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_review_is_answered_and_logged_all_the_same(desk: Desk, odd: Json) -> None:
    desk.ask(review(labelled(), **odd))
    (line,) = desk.lines()
    assert line["event"] == "admission.decided"


def test_a_pod_that_has_no_name_yet_is_called_by_what_it_will_begin_with(desk: Desk) -> None:
    desk.ask(review(labelled(), object={"metadata": {"generateName": "web-"}}))
    assert desk.lines()[0]["pod"] == "web-…"


def test_what_a_pod_holds_is_never_logged(desk: Desk) -> None:
    pod = labelled()
    pod["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": SECRET}]
    pod["metadata"]["annotations"] = {"note": SECRET}
    for value in ("demo", "nobody", "true"):
        pod["metadata"]["labels"][LABEL] = value
        desk.ask(review(pod))
    assert SECRET not in desk.stream.getvalue()


def test_a_long_reason_is_cut_in_the_log_only(desk: Desk) -> None:
    response = desk.ask(review(labelled("x" * 5000)))
    assert len(response["status"]["message"]) > 5000
    assert len(desk.lines()[0]["reason"]) == 2000
