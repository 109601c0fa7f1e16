"""What watches and listings tell, and which validations it concerns."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.controller.api import FakeApi
from tests.unit.kube.pods import KEY, inject, pod, validation
from verifier_cli.apiserver.client import ApiError
from verifier_cli.controller import events
from verifier_cli.controller.state import Key, Pod, State
from verifier_cli.controller.watching import Watching, key_of
from verifier_cli.kube.names import CONTAINER

if TYPE_CHECKING:
    from collections.abc import MutableMapping

Json = dict[str, Any]

OURS = "ml.sigstore.dev"
DEMO = Key(OURS, "ModelValidation", "ns", "demo")
CLUSTER = Key(OURS, "ClusterModelValidation", "", "all")
PODS, CONFIGMAPS = "/api/v1/pods", "/api/v1/configmaps"
VALIDATIONS = f"/apis/{OURS}/v1alpha1/modelvalidations"
CLUSTERS = f"/apis/{OURS}/v1alpha1/clustermodelvalidations"
THEIRS = "/apis/rhtas.redhat.com/v1alpha1/modelvalidations"
NAMESPACES = "/api/v1/namespaces"


class Marks:
    """A queue that only remembers."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def mark(self, key: Key) -> None:
        self.keys.append(key)

    def soon(self, key: Key) -> None:
        self.mark(key)

    def taken(self) -> list[Key]:
        found, self.keys = sorted(set(self.keys)), []
        return found


class Seen:
    def __init__(self) -> None:
        self.state, self.marks = State(), Marks()
        self.told: list[Pod] = []
        self.watching = Watching(self.state, self.marks, self.told.append)  # type: ignore[arg-type]

    def sees(self, resource: Json, *, gone: bool = False) -> list[Key]:
        self.watching.seen(copy.deepcopy(resource), gone=gone)
        return self.marks.taken()


def resource(key: Key, generation: int = 1, uid: str = "") -> Json:
    metadata = {"name": key.name, "uid": uid or key.name, "generation": generation}
    if key.namespace:
        metadata["namespace"] = key.namespace
    spec = {"config": {"publicKeyConfig": {"key": KEY}}}
    return {
        "apiVersion": f"{key.group}/v1alpha1",
        "kind": key.kind,
        "metadata": metadata,
        "spec": spec,
    }


def namespace(name: str, **labels: str) -> Json:
    metadata = {"name": name, "uid": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def running(code: int | None, time: str = "1", uid: str = "p") -> Json:
    made = inject(pod(), validation())
    made["metadata"] |= {"namespace": "ns", "uid": uid, "name": uid}
    state = {} if code is None else {"terminated": {"exitCode": code, "finishedAt": time}}
    made["status"] = {"initContainerStatuses": [{"name": CONTAINER, "state": state}]}
    return made


def configmap(version: str = "1", name: str = "demo-0123456789") -> Json:
    metadata = {"name": name, "namespace": "ns", "uid": name, "resourceVersion": version}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def test_a_validation_is_marked_for_what_its_author_changed() -> None:
    seen = Seen()
    assert seen.sees(resource(DEMO)) == [DEMO]
    # The status, written by ourselves.
    assert seen.sees({**resource(DEMO), "status": {"method": "key"}}) == []
    assert seen.state.validations[DEMO]["status"] == {"method": "key"}
    assert seen.sees(resource(DEMO, 2)) == [DEMO]
    # A listing that came late does not bring the old one back.
    assert seen.sees(resource(DEMO, 1)) == []
    assert seen.state.validations[DEMO]["metadata"]["generation"] == 2
    assert seen.sees(resource(DEMO, 2), gone=True) == [DEMO]
    assert seen.state.validations == {}
    # Another one by the same name.
    seen.sees(resource(DEMO, 5))
    assert seen.sees(resource(DEMO, 1, "another")) == [DEMO]


def test_namespaces_concern_cluster_validations() -> None:
    seen = Seen()
    seen.sees(resource(DEMO))
    seen.sees(resource(CLUSTER))
    assert seen.sees(namespace("a", team="x")) == [CLUSTER]
    assert seen.sees(namespace("a", team="x")) == []
    assert seen.sees(namespace("a", team="y")) == [CLUSTER]
    ending = namespace("a", team="y")
    ending["metadata"]["deletionTimestamp"] = "now"
    assert seen.sees(ending) == []
    assert seen.state.namespaces == {}
    seen.sees(namespace("b"))
    seen.sees(namespace("b"), gone=True)
    assert seen.state.namespaces == {}


def test_configmaps_concern_whose_policy_they_would_carry() -> None:
    seen = Seen()
    seen.sees(resource(DEMO))
    assert seen.sees(configmap()) == [DEMO]
    assert seen.sees(configmap()) == []
    assert seen.sees(configmap("2")) == [DEMO]
    assert seen.sees(configmap("2"), gone=True) == [DEMO]
    assert seen.sees(configmap(name="other-0123456789")) == []


def test_pods_are_told_of_once_for_each_end_of_their_verifier() -> None:
    seen = Seen()
    seen.sees(resource(DEMO))
    assert seen.sees(running(None)) == [DEMO]
    assert seen.told == []
    assert seen.sees(running(12)) == [DEMO]
    assert seen.sees(running(12)) == []
    assert seen.sees(running(12, "2")) == [DEMO]
    assert [each.verdict.time for each in seen.told] == ["1", "2"]
    assert seen.sees(running(12, "2"), gone=True) == [DEMO]
    assert seen.state.pods == {}
    made = pod()
    made["metadata"] |= {"namespace": "ns", "uid": "q"}
    assert seen.sees(made) == []
    assert seen.state.pods == {}


def listed(**lists: list[Json]) -> FakeApi:
    api = FakeApi()
    paths = {
        "pods": PODS,
        "configmaps": CONFIGMAPS,
        "ours": VALIDATIONS,
        "clusters": CLUSTERS,
        "theirs": THEIRS,
        "namespaces": NAMESPACES,
    }
    api.lists = {path: lists.get(name, []) for name, path in paths.items()}
    return api


def test_what_is_not_listed_any_longer_is_forgotten() -> None:
    seen = Seen()
    whole = listed(
        ours=[resource(DEMO)],
        clusters=[resource(CLUSTER)],
        namespaces=[namespace("a")],
        pods=[running(12)],
        configmaps=[configmap()],
    )
    asyncio.run(seen.watching.list_all(whole))  # type: ignore[arg-type]  # the same interface
    assert set(seen.marks.taken()) == {DEMO, CLUSTER}
    state = seen.state
    held: list[MutableMapping[Any, Any]] = [
        state.validations,
        state.namespaces,
        state.pods,
        state.configmaps,
    ]
    assert [len(each) for each in held] == [2, 1, 1, 1]
    asyncio.run(seen.watching.list_all(listed()))  # type: ignore[arg-type]
    assert held == [{}, {}, {}, {}]
    # They have their turn once more, and are counted no longer.
    assert set(seen.marks.taken()) == {DEMO, CLUSTER}


def test_long_lists_come_in_pages() -> None:
    seen = Seen()
    keys = [Key(OURS, "ModelValidation", "ns", f"v{index}") for index in range(1200)]
    api = listed(ours=[resource(key) for key in keys])
    asyncio.run(seen.watching.list_all(api))  # type: ignore[arg-type]
    assert set(seen.state.validations) == set(keys)
    assert sum(path == VALIDATIONS for _, path in api.asked) == 3


def test_what_cannot_be_listed_stays() -> None:
    seen = Seen()
    seen.sees(resource(DEMO))
    api = listed()
    api.failing[VALIDATIONS] = 500
    with pytest.raises(ApiError):
        asyncio.run(seen.watching.list_all(api))  # type: ignore[arg-type]
    assert set(seen.state.validations) == {DEMO}


def test_a_kind_without_its_definition_has_no_objects_and_hides_no_others() -> None:
    seen = Seen()
    seen.sees(resource(DEMO))
    seen.sees(resource(CLUSTER))
    api = listed(clusters=[resource(CLUSTER)], pods=[running(12)], namespaces=[namespace("a")])
    api.failing[VALIDATIONS] = 404
    asyncio.run(seen.watching.list_all(api))  # type: ignore[arg-type]  # the same interface
    assert set(seen.state.validations) == {CLUSTER}
    assert len(seen.state.pods) == len(seen.state.namespaces) == 1
    there = {each.path: found for each, found in seen.watching.listed.items()}
    assert there.pop(VALIDATIONS) is False
    assert len(there) == 5
    assert all(there.values())
    # And it is looked for.
    assert asyncio.run(seen.watching.appeared(api)) is False  # type: ignore[arg-type]
    api.failing[VALIDATIONS] = 500
    with pytest.raises(ApiError):
        asyncio.run(seen.watching.appeared(api))  # type: ignore[arg-type]
    del api.failing[VALIDATIONS]
    api.asked.clear()
    assert asyncio.run(seen.watching.appeared(api)) is True  # type: ignore[arg-type]
    assert api.asked == [("GET", VALIDATIONS)]
    asyncio.run(seen.watching.list_all(api))  # type: ignore[arg-type]
    assert asyncio.run(seen.watching.appeared(api)) is False  # type: ignore[arg-type]


def test_what_comes_while_it_is_listed_is_not_forgotten() -> None:
    """The list is of the moment in which it began; watches go on."""
    seen = Seen()
    seen.sees(namespace("old"))

    class Meanwhile(FakeApi):
        async def get(self, path: str, **query: str) -> Json:
            found = await super().get(path, **query)
            if path == NAMESPACES:
                seen.watching.seen(namespace("new"), gone=False)
            return found

    api = Meanwhile()
    api.lists = listed().lists
    asyncio.run(seen.watching.list_all(api))  # type: ignore[arg-type]  # the same interface
    assert set(seen.state.namespaces) == {"new"}


def rejected() -> Pod:
    seen = Seen()
    seen.sees(running(12, "2026-01-01T00:00:00Z"))
    (told,) = seen.told
    return told


def test_an_end_is_one_event_on_the_pod_and_one_on_each_validation() -> None:
    api, told = FakeApi(), rejected()
    validations = {DEMO: resource(DEMO), CLUSTER: resource(CLUSTER)}
    for _ in range(2):
        asyncio.run(events.emit(api, told, validations, "now"))  # type: ignore[arg-type]
    made = list(api.objects.values())
    about = {(e["involvedObject"]["kind"], e["metadata"]["namespace"]) for e in made}
    kinds = {("Pod", "ns"), ("ModelValidation", "ns"), ("ClusterModelValidation", "default")}
    assert about == kinds
    assert len(made) == 3
    assert all(each["message"] == "model of pod ns/p rejected, CONTENT_MISMATCH" for each in made)
    assert all(each["lastTimestamp"] == "2026-01-01T00:00:00Z" for each in made)


@pytest.mark.parametrize(("status", "matters"), [(403, False), (404, False), (500, True)])
def test_an_event_that_cannot_be_written(status: int, *, matters: bool) -> None:
    api = FakeApi()
    api.failing["/api/v1/namespaces/ns/events"] = status
    if matters:
        with pytest.raises(ApiError):
            asyncio.run(events.emit(api, rejected(), {}, "now"))  # type: ignore[arg-type]
    else:
        asyncio.run(events.emit(api, rejected(), {}, "now"))  # type: ignore[arg-type]


def test_keys() -> None:
    assert key_of(resource(DEMO)) == DEMO
    assert key_of(resource(CLUSTER)) == CLUSTER
