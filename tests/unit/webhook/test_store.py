"""Whatever the API server has, nothing that covers a pod is lost on the way to a decision."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest

from tests.schemas import check_log_lines
from tests.unit.webhook.objects import namespace, resource
from verifier_cli.config.manifest import CLUSTER_KIND, Validation
from verifier_cli.host.logs import Log
from verifier_cli.kube.inforce import Unready, in_force
from verifier_cli.kube.names import IMAGE
from verifier_cli.kube.shapes import Unfit
from verifier_cli.webhook.store import Namespaces, Store, Validations

Json = dict[str, Any]
GROUP = "ml.sigstore.dev/v1alpha1"


class Kept:
    """A store with one collection of each kind, and its log."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        log = Log(self.stream)
        self.local = Validations(GROUP, "ModelValidation", log)
        self.cluster = Validations(GROUP, CLUSTER_KIND, log)
        self.namespaces = Namespaces()
        self.store = Store((self.local, self.cluster), self.namespaces)

    def names(self, space: str) -> set[str]:
        return {each.name for each in self.store.known(space)}

    def events(self) -> list[Json]:
        return check_log_lines(self.stream.getvalue())


@pytest.fixture
def kept() -> Kept:
    return Kept()


def cluster(name: str = "all") -> Json:
    return resource(name, "", kind=CLUSTER_KIND, namespaceSelector={})


def test_an_admission_looks_at_its_namespace_and_at_the_cluster(kept: Kept) -> None:
    kept.local.replace([resource("a", "one"), resource("b", "two")])
    kept.cluster.replace([cluster()])
    assert kept.names("one") == {"a", "all"}
    assert kept.names("two") == {"b", "all"}
    assert kept.names("three") == {"all"}
    assert kept.store.counts() == (3, 0)


def test_a_change_takes_the_place_of_what_was_there(kept: Kept) -> None:
    kept.local.put(resource())
    (before,) = kept.store.known("ns")
    kept.local.put(resource(model={"path": "/other"}))
    (after,) = kept.store.known("ns")
    assert isinstance(before, Validation)
    assert isinstance(after, Validation)
    assert before.policy.sha256 != after.policy.sha256
    kept.local.remove(resource())
    assert kept.store.known("ns") == []


def test_a_list_takes_the_place_of_all(kept: Kept) -> None:
    kept.local.put(resource("gone"))
    kept.local.replace([resource("there")])
    assert kept.names("ns") == {"there"}


def test_items_of_a_list_need_not_say_what_they_are(kept: Kept) -> None:
    item = resource()
    del item["kind"], item["apiVersion"]
    kept.local.replace([item])
    assert kept.store.counts() == (1, 0)


def test_what_is_not_valid_stands_there_and_lets_nothing_in(kept: Kept) -> None:
    kept.local.put(resource(config={}))
    (found,) = kept.store.known("ns")
    assert isinstance(found, Unready)
    assert kept.store.counts() == (0, 1)


@pytest.mark.parametrize(
    "unreadable",
    [
        None,
        "text",
        [],
        {},
        {"metadata": []},
        {"metadata": {"name": 5}},
        {"metadata": {"namespace": "ns"}},
        {"metadata": {"name": "x", "namespace": 5}},
        {"kind": 7, "metadata": {"name": "x", "namespace": "ns"}},
    ],
)
@pytest.mark.parametrize("how", ["put", "replace"])
def test_what_cannot_be_read_holds_for_all_that_it_may_be_about(
    kept: Kept, how: str, unreadable: object
) -> None:
    if how == "put":
        kept.local.put(unreadable)
    else:
        kept.local.replace([unreadable])
    (found,) = kept.store.known("ns")
    assert isinstance(found, Unready)
    assert (found.group, found.kind) == ("ml.sigstore.dev", "ModelValidation")
    assert found.namespace in (None, "ns")
    assert found.wiring.selector.selects({})


class Bomb(dict[str, Any]):
    """Stands for an object that shows a bug."""

    def items(self) -> Any:  # noqa: ANN401
        raise ZeroDivisionError("the secret")


def test_a_bug_makes_no_validation_vanish(kept: Kept) -> None:
    kept.local.put(resource())
    kept.local.put({**resource(), "spec": Bomb()})
    (found,) = kept.store.known("ns")
    assert isinstance(found, Unready)
    assert (found.name, found.namespace) == ("demo", "ns")
    (fault, _) = kept.events()
    assert (fault["event"], fault["fault"]) == ("fault", "ZeroDivisionError")
    assert "secret" not in kept.stream.getvalue()


def test_a_cluster_validation_is_of_no_namespace_whatever_it_says(kept: Kept) -> None:
    odd = cluster()
    odd["metadata"]["namespace"] = "elsewhere"
    kept.cluster.put(odd)
    assert kept.names("ns") == {"all"}


def test_a_fault_is_logged_once_and_again_when_it_changes(kept: Kept) -> None:
    for spec in ({}, {}, {"other": 1}):
        kept.local.put(resource(config=spec))
    kept.local.replace([resource(config={"other": 1})])
    lines = kept.events()
    assert [line["event"] for line in lines] == ["validation.unready"] * 2
    assert (lines[0]["namespace"], lines[0]["name"]) == ("ns", "demo")


def good_digest() -> str:
    found = in_force(resource())
    assert isinstance(found, Validation)
    return found.policy.sha256


COUNTED: list[Json] = [
    {"status": {"verdicts": {"verified": 1}}},
    {"status": {"verdicts": {"verified": 2}, "lastRejection": {"pod": "ns/p", "reason": "X"}}},
    {"status": {"method": "key", "configMap": "demo-0123456789"}},
    {"metadata": {"name": "demo", "namespace": "ns", "resourceVersion": "2"}},
    {"metadata": {"name": "demo", "namespace": "ns", "managedFields": [{"time": "now"}]}},
]


@pytest.mark.parametrize("change", COUNTED)
@pytest.mark.parametrize("how", ["put", "replace"])
def test_what_says_nothing_new_is_not_read_anew(kept: Kept, how: str, change: Json) -> None:
    """Decoding a large trust root would keep admissions waiting, at each verdict of a pod."""
    kept.local.put({**resource(), "status": {}})
    (before,) = kept.store.known("ns")
    changed = {**resource(), "status": {}, **change}
    if how == "put":
        kept.local.put(changed)
    else:
        kept.local.replace([changed])
    (after,) = kept.store.known("ns")
    assert after is before


def test_what_a_bug_kept_from_being_read_is_read_anew(kept: Kept) -> None:
    for _ in range(2):
        kept.local.put({**resource(), "spec": Bomb()})
    assert [line["event"] for line in kept.events()] == ["fault", "validation.unready", "fault"]
    kept.local.put(resource())
    assert kept.store.counts() == (1, 0)


SOUND: Json = resource()["spec"]
SECRET = {"key": {"publicKey": {"secretKeyRef": {"name": "a", "key": "b"}}}}
REFERRING: Json = {"model": {"path": "/data/model"}, "signers": [SECRET]}
BROKEN: Json = {**SOUND, "model": {"path": "relative"}}
FALSE = {"type": "Ready", "status": "False", "message": "one"}
GOOD: Json = {"policySha256": good_digest(), "lastGood": {"generation": 1, "spec": SOUND}}
BASES: dict[str, Json] = {
    "sound": {"spec": SOUND},
    "referring": {"spec": REFERRING, "status": {"observedGeneration": 2, "policySha256": "0" * 64}},
    "broken": {"spec": BROKEN, "status": GOOD},
    "refused": {"spec": SOUND, "status": {**GOOD, "observedGeneration": 2, "conditions": [FALSE]}},
    "never good": {"spec": SOUND, "status": {"observedGeneration": 2, "conditions": [FALSE]}},
}
# What `in_force` looks at, and what else it may be.
LOOKED_AT: dict[str, list[object]] = {
    "apiVersion": ["other/v1", 5],
    "kind": [CLUSTER_KIND, 7],
    "more": [1],
    "metadata.generation": [1, 3, None],
    "spec": [REFERRING, BROKEN, [], None],
    "spec.mode": ["warn"],
    "spec.selector": [{"matchLabels": {"a": "b"}}],
    "status": [None, [], {}],
    "status.observedGeneration": [1, None],
    "status.conditions": [[], [{**FALSE, "status": "True"}], [{**FALSE, "message": "two"}], [5]],
    "status.policySha256": ["1" * 64, "x", None],
    "status.lastGood": [[], {"spec": BROKEN}, {"spec": {**SOUND, "mode": "warn"}}, None],
}


def based(base: Json) -> Json:
    made = {**resource(), **copy.deepcopy(base)}
    made["metadata"] |= {"generation": 2, "uid": "1", "resourceVersion": "1"}
    return made


def changed(base: Json, path: str, value: object) -> Json:
    made = based(base)
    *above, last = path.split(".")
    place = made
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    return made


def said(kept: Kept, *states: Json, listed: bool = False) -> list[Validation | Unready]:
    """What holds after an object was in these states, one after the other."""
    for each in states:
        if listed:
            kept.local.replace([each])
        else:
            kept.local.put(each)
    return kept.store.known("ns")


@pytest.mark.parametrize("path", LOOKED_AT)
@pytest.mark.parametrize("listed", [True, False])
def test_what_decides_is_read_anew(path: str, listed: bool) -> None:  # noqa: FBT001
    differ = False
    for base in BASES.values():
        for value in LOOKED_AT[path]:
            before, after = based(base), changed(base, path, value)
            fresh = said(Kept(), after)
            assert said(Kept(), before, after, listed=listed) == fresh
            differ |= fresh != said(Kept(), before)
    assert differ


def test_namespaces_are_known_by_their_labels(kept: Kept) -> None:
    kept.namespaces.replace([namespace("a", team="x"), namespace("b")])
    kept.namespaces.put(namespace("a", team="y"))
    kept.namespaces.put(namespace("c"))
    kept.namespaces.remove(namespace("b"))
    assert kept.store.namespaces == {"a": {"team": "y"}, "c": {}}
    kept.namespaces.replace([namespace("d")])
    assert kept.store.namespaces == {"d": {}}


def test_a_namespace_whose_labels_cannot_be_read_is_not_known(kept: Kept) -> None:
    kept.namespaces.put(namespace("ns", team="x"))
    odd = namespace("ns")
    odd["metadata"]["labels"] = {"team": 5}
    kept.namespaces.put(odd)
    assert kept.store.namespaces == {}


@pytest.mark.parametrize("nobody", [None, {}, {"metadata": {"name": ""}}, {"metadata": 5}])
def test_what_cannot_be_placed_is_not_passed_over(kept: Kept, nobody: object) -> None:
    for refuse in (kept.namespaces.put, kept.namespaces.remove, kept.local.remove):
        with pytest.raises(Unfit):
            refuse(nobody)


def test_the_own_namespace_names_the_verifiers_image() -> None:
    taken: list[str | None] = []
    known = Namespaces("own", taken.append)
    annotated = {"name": "own", "annotations": {IMAGE: "x"}}
    known.replace([namespace("other", **{IMAGE: "y"}), {"metadata": annotated}])
    known.put({"metadata": {"name": "own"}})
    known.put({"metadata": {**annotated, "labels": 7}})
    known.remove({"metadata": annotated})
    assert taken == ["x", None, "x"]
    assert set(known.labels) == {"other"}
