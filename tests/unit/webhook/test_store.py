"""Whatever the API server has, nothing that covers a pod is lost on the way to a decision."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.schemas import check_log_lines
from tests.unit.webhook.objects import namespace, resource
from verifier_cli.config.manifest import CLUSTER_KIND, Validation
from verifier_cli.host.logs import Log
from verifier_cli.kube.inforce import Unready
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
