"""What the controller writes for a validation, and what it leaves alone."""

from __future__ import annotations

import asyncio
import copy
import io
from types import SimpleNamespace
from typing import Any

import pytest

from tests.schemas import check_log_lines
from tests.unit.controller.api import FakeApi
from tests.unit.kube.pods import KEY, PATH
from verifier_cli.apiserver.client import ApiError
from verifier_cli.config import manifest
from verifier_cli.controller.material import Materials
from verifier_cli.controller.reconcile import MAX_SPEC_BYTES, Reconciler, path_of
from verifier_cli.controller.state import Key, Pod, State, kept_of
from verifier_cli.controller.watching import Watching
from verifier_cli.host.logs import Log
from verifier_cli.kube.inforce import Unready, in_force
from verifier_cli.kube.verdicts import PodVerdict
from verifier_cli.kube.verdicts import State as Answer

Json = dict[str, Any]

OURS = Key("ml.sigstore.dev", "ModelValidation", "ns", "demo")
CLUSTER = Key("ml.sigstore.dev", "ClusterModelValidation", "", "demo")
SPEC: Json = {"config": {"publicKeyConfig": {"key": KEY}}, "model": {"path": PATH}}
REFERRING: Json = {"signers": [{"key": {"publicKey": {"secretKeyRef": {"name": "s", "key": "k"}}}}]}
CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"


class Cluster:
    """A controller with one validation."""

    def __init__(self, spec: Json, key: Key = OURS) -> None:
        if key is CLUSTER:
            spec = {"namespaceSelector": {"matchLabels": {"a": "b"}}, **spec}
        metadata = {"name": key.name, "uid": "u", "generation": 1}
        if key.namespace:
            metadata["namespace"] = key.namespace
        resource = {"apiVersion": f"{key.group}/v1alpha1", "kind": key.kind, "spec": spec}
        self.key = key
        self.api = FakeApi((path_of(key), {**resource, "metadata": metadata}))
        self.state = State()
        materials = Materials(self.api, "own")  # type: ignore[arg-type]  # the same interface
        self.lines = io.StringIO()
        log = Log(self.lines)
        self.reconciler = Reconciler(self.api, self.state, materials, log)  # type: ignore[arg-type]
        self.watched()

    def watched(self) -> None:
        self.state.validations[self.key] = copy.deepcopy(self.api.objects[path_of(self.key)])

    def changed(self, spec: Json) -> None:
        there = self.api.objects[path_of(self.key)]
        there["spec"] = spec
        there["metadata"]["generation"] += 1
        self.watched()

    def reconcile(self) -> bool | None:
        return asyncio.run(self.reconciler.reconcile(self.key))

    def restored(self) -> list[str]:
        """What was said of ConfigMaps that were put right."""
        lines = check_log_lines(self.lines.getvalue())
        return [each["msg"] for each in lines if each["event"] == "policy.restored"]

    @property
    def status(self) -> Json:
        found: Json = self.api.objects[path_of(self.key)].get("status", {})
        return found

    @property
    def message(self) -> str:
        (condition,) = self.status["conditions"]
        return str(condition["message"])

    def configmaps(self) -> list[str]:
        return sorted(path for path in self.api.objects if "/configmaps/" in path)

    def resource(self) -> Json:
        return self.api.objects[path_of(self.key)]


def test_the_webhook_reads_what_is_written() -> None:
    cluster = Cluster(SPEC)
    assert cluster.reconcile() is True
    (written,) = cluster.configmaps()
    assert written == f"{CONFIGMAPS}/{cluster.status['configMap']}"
    found = in_force(cluster.resource())
    assert not isinstance(found, Unready)
    assert found.policy.sha256 == cluster.status["policySha256"]


def test_the_second_time_nothing_is_written() -> None:
    cluster = Cluster(SPEC)
    cluster.reconcile()
    cluster.api.asked.clear()
    assert cluster.reconcile() is True
    assert cluster.api.asked == []


def test_a_fault_keeps_the_last_good_policy_in_force() -> None:
    cluster = Cluster(SPEC)
    cluster.reconcile()
    before, good = cluster.configmaps(), in_force(cluster.resource())
    cluster.changed({**SPEC, "config": {"publicKeyConfig": {"key": "no PEM"}}})
    assert cluster.reconcile() is False
    assert cluster.configmaps() == before
    assert in_force(cluster.resource()) == good
    # And back.
    cluster.changed(SPEC)
    assert cluster.reconcile() is True
    (condition,) = cluster.status["conditions"]
    assert (condition["status"], condition["observedGeneration"]) == ("True", 3)


def test_what_was_never_good_denies_with_the_controllers_words() -> None:
    cluster = Cluster({**SPEC, "config": {"publicKeyConfig": {"key": "no PEM"}}})
    assert not isinstance(in_force(cluster.resource()), Unready), "nobody has looked at it yet"
    cluster.reconcile()
    found = in_force(cluster.resource())
    assert isinstance(found, Unready)
    assert "is not a PEM public key" in found.reason


def secret(text: bytes) -> Json:
    import base64

    return {"metadata": {"name": "s"}, "data": {"k": base64.b64encode(text).decode()}}


KEYS = "/api/v1/namespaces/ns/secrets/s"


def test_material_in_a_secret_is_in_force_once_the_controller_says_so() -> None:
    cluster = Cluster(REFERRING)
    waiting = in_force(cluster.resource())
    assert isinstance(waiting, Unready)
    assert "the controller has not read it yet" in waiting.reason
    cluster.api.objects[KEYS] = secret(KEY.encode())
    assert cluster.reconcile() is True
    found = in_force(cluster.resource())
    assert not isinstance(found, Unready)
    assert found.policy.sha256 == cluster.status["policySha256"]
    # A change that the controller has not seen: nobody knows its digest.
    cluster.changed({**REFERRING, "mode": "warn"})
    assert isinstance(in_force(cluster.resource()), Unready)
    cluster.reconcile()
    again = in_force(cluster.resource())
    assert not isinstance(again, Unready)
    assert again.policy.sha256 != found.policy.sha256


def test_material_that_is_gone_leaves_the_last_good_policy() -> None:
    cluster = Cluster(REFERRING)
    cluster.api.objects[KEYS] = secret(KEY.encode())
    cluster.reconcile()
    good = in_force(cluster.resource())
    del cluster.api.objects[KEYS]
    assert cluster.reconcile() is False
    assert "there is no Secret s in namespace ns" in cluster.message
    assert in_force(cluster.resource()) == good


FAULTS: dict[str, tuple[Json | None, int | None, str]] = {
    "absent": (None, None, "there is no Secret s"),
    "forbidden": (secret(b""), 403, "bind the ClusterRole model-validation-material-reader"),
    "no such key": ({"metadata": {}, "data": {}}, None, "has no such key"),
    "no data": ({"metadata": {}}, None, "has no such key"),
    "not base64": ({"metadata": {}, "data": {"k": "%"}}, None, "k is not text"),
    "not text": (secret(b"\xff"), None, "k is not text"),
    "empty": (secret(b" "), None, "secretKeyRef: is empty"),
    "no PEM": (secret(b"x"), None, "is not a PEM public key"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_can_be_wrong_with_material(name: str) -> None:
    there, status, said = FAULTS[name]
    cluster = Cluster(REFERRING)
    if there is not None:
        cluster.api.objects[KEYS] = there
    if status is not None:
        cluster.api.failing[KEYS] = status
    assert cluster.reconcile() is False
    assert said in cluster.message
    assert cluster.configmaps() == []


def test_a_cluster_validation_takes_material_from_the_controllers_namespace() -> None:
    cluster = Cluster(REFERRING, CLUSTER)
    cluster.api.objects["/api/v1/namespaces/own/secrets/s"] = secret(KEY.encode())
    assert cluster.reconcile() is True


def test_a_trust_root_from_a_configmap_must_be_json() -> None:
    root = {"configMapKeyRef": {"name": "c", "key": "k"}}
    signer = {"identity": "a", "issuer": "https://x", "trustRoot": root}
    cluster = Cluster({"signers": [{"sigstore": signer}]})
    cluster.api.objects[f"{CONFIGMAPS}/c"] = {"metadata": {}, "data": {"k": "no JSON"}}
    assert cluster.reconcile() is False
    assert "spec.signers[0].sigstore.trustRoot: is not JSON" in cluster.message


def test_a_cluster_validation_goes_where_it_selects() -> None:
    cluster = Cluster(SPEC, CLUSTER)
    cluster.state.namespaces = {"one": {"a": "b"}, "two": {}, "three": {"a": "b", "c": "d"}}
    assert cluster.reconcile() is True
    assert [path.split("/")[4] for path in cluster.configmaps()] == ["one", "three"]


@pytest.mark.parametrize("status", [403, 409, 500])
def test_one_namespace_does_not_decide_about_the_others(status: int) -> None:
    """Its editors can keep a ConfigMap from being written there: by a finalizer, by a quota."""
    cluster = Cluster(SPEC, CLUSTER)
    cluster.state.namespaces = {name: {"a": "b"} for name in ("one", "three", "two")}
    cluster.api.failing["/api/v1/namespaces/one/configmaps"] = status
    if status == 409:
        digest = manifest.decode(cluster.resource(), "").policy.sha256
        name = f"/api/v1/namespaces/one/configmaps/cluster-demo-{digest[:10]}"
        cluster.api.failing[name] = 409
    with pytest.raises(ApiError):
        cluster.reconcile()
    assert [path.split("/")[4] for path in cluster.configmaps()] == ["three", "two"]
    assert cluster.status["policySha256"]
    # Without any answer, asking for each of many namespaces would take for ever.
    cluster = Cluster(SPEC, CLUSTER)
    cluster.state.namespaces = {name: {"a": "b"} for name in ("one", "two")}
    cluster.api.failing["/api/v1/namespaces/one/configmaps"] = 0
    with pytest.raises(ApiError):
        cluster.reconcile()
    assert cluster.configmaps() == []
    assert cluster.status == {}


def test_two_validations_of_like_names_and_one_policy_share_it() -> None:
    """`cluster-demo`, whoever made it, and `demo` of the cluster."""
    cluster = Cluster(SPEC, CLUSTER)
    cluster.state.namespaces = {"ns": {"a": "b"}}
    twin = Key("ml.sigstore.dev", "ModelValidation", "ns", "cluster-demo")
    metadata = {"name": twin.name, "namespace": "ns", "uid": "v", "generation": 1}
    made = {"apiVersion": "ml.sigstore.dev/v1alpha1", "kind": twin.kind, "spec": SPEC}
    cluster.api.objects[path_of(twin)] = {**made, "metadata": metadata}
    cluster.state.validations[twin] = {**made, "metadata": metadata}
    cluster.reconcile()
    cluster.api.asked.clear()
    for known in (True, False):
        if not known:
            cluster.state.configmaps.clear()
        asyncio.run(cluster.reconciler.reconcile(twin))
        cluster.reconcile()
    assert "DELETE" not in {verb for verb, _ in cluster.api.asked}
    # Somebody else's is not theirs.
    (path,) = cluster.configmaps()
    cluster.api.objects[path]["metadata"]["ownerReferences"] = []
    cluster.state.configmaps.clear()
    cluster.reconcile()
    assert ("DELETE", path) in cluster.api.asked


def test_what_has_its_name_is_replaced_and_what_is_ours_is_not() -> None:
    cluster = Cluster(SPEC)
    cluster.reconcile()
    (path,) = cluster.configmaps()
    cluster.state.configmaps.clear()
    uid = cluster.api.objects[path]["metadata"]["uid"]
    cluster.reconcile()
    assert cluster.api.objects[path]["metadata"]["uid"] == uid
    assert cluster.restored() == []
    damages: list[Json] = [{"data": {}}, {"binaryData": {"a": ""}}, {"immutable": False}]
    for damage in damages:
        cluster.state.configmaps.clear()
        wanted = cluster.api.objects[path]
        cluster.api.objects[path] = {**wanted, **damage, "metadata": {**wanted["metadata"]}}
        cluster.reconcile()
        assert cluster.api.objects[path]["metadata"]["uid"] != wanted["metadata"]["uid"]
        assert cluster.api.objects[path]["data"] == wanted["data"]
    told = f"ConfigMap {path.rsplit('/', 1)[1]} of ModelValidation demo was"
    assert cluster.restored() == [f"{told} not as it is rendered: it is made anew"] * len(damages)
    del cluster.api.objects[path]
    cluster.state.configmaps.clear()
    cluster.reconcile()
    assert cluster.restored()[len(damages) :] == [f"{told} gone: it is made anew"]


@pytest.mark.parametrize("status", [0, 403, 500])
def test_a_failed_write_is_an_error_and_changes_no_status(status: int) -> None:
    cluster = Cluster(SPEC)
    cluster.api.failing[CONFIGMAPS] = status
    with pytest.raises(ApiError):
        cluster.reconcile()
    assert cluster.status == {}


def test_one_that_was_deleted_meanwhile() -> None:
    cluster = Cluster(SPEC)
    del cluster.api.objects[path_of(OURS)]
    assert cluster.reconcile() is True
    del cluster.state.validations[OURS]
    assert cluster.reconcile() is None
    cluster = Cluster(SPEC)
    cluster.api.failing[f"{path_of(OURS)}/status"] = 500
    with pytest.raises(ApiError):
        cluster.reconcile()


def pod(configmap: str, name: str = "p", verdict: PodVerdict | None = None) -> Pod:
    said = verdict or PodVerdict("verified", "VERIFIED")
    return Pod(name, "ns", name, frozenset({configmap}), said)


def test_verdicts_are_counted_with_pods_of_older_policies() -> None:
    cluster = Cluster(SPEC)
    states: list[Answer] = ["verified", "rejected", "rejected", "undetermined", "pending"]
    for index, state in enumerate(states):
        verdict = PodVerdict(state, "X", f"finding {index}", f"2026-01-0{index + 1}T00:00:00Z")
        cluster.state.pods[str(index)] = pod("demo-0123456789", f"p{index}", verdict)
    cluster.state.pods["other"] = pod("demo-other-0123456789", "other")
    cluster.reconcile()
    wanted = {"verified": 1, "rejected": 2, "undetermined": 1, "pending": 1}
    assert cluster.status["verdicts"] == wanted
    last = {"pod": "ns/p2", "reason": "X", "finding": "finding 2", "time": "2026-01-03T00:00:00Z"}
    assert cluster.status["lastRejection"] == last
    # It stays when the pod is gone.
    cluster.state.pods.clear()
    cluster.reconcile()
    assert cluster.status["lastRejection"] == last
    assert cluster.status["verdicts"]["rejected"] == 0


def test_only_what_is_neither_in_force_nor_used_is_swept() -> None:
    cluster = Cluster(SPEC)
    cluster.reconcile()
    (path,) = cluster.configmaps()
    now = path.rsplit("/", 1)[1]
    owned = {"ownerReferences": [{"uid": "u", "controller": True}], "uid": "x"}
    for name in ("demo-1111111111", "demo-2222222222"):
        cluster.api.objects[f"{CONFIGMAPS}/{name}"] = {"metadata": owned}
        cluster.state.configmaps[("ns", name)] = kept_of({"metadata": owned})
    theirs = kept_of({"metadata": {"uid": "theirs"}})
    cluster.state.configmaps[("ns", "demo-3333333333")] = theirs
    cluster.state.pods["p"] = pod("demo-1111111111")
    unused = sorted(cluster.state.unused(cluster.reconciler.places))
    assert unused == [("ns", "demo-2222222222")]
    asyncio.run(cluster.reconciler.sweep(unused))
    left = [each.rsplit("/", 1)[1] for each in cluster.configmaps()]
    assert sorted(left) == sorted([now, "demo-1111111111"])
    # Gone already, or another by now.
    asyncio.run(cluster.reconciler.sweep(unused))
    cluster.api.failing[f"{CONFIGMAPS}/demo-2222222222"] = 500
    with pytest.raises(ApiError):
        asyncio.run(cluster.reconciler.sweep(unused))


def test_one_that_ended_between_configmap_and_status_is_followed_up() -> None:
    cluster = Cluster(SPEC)
    cluster.api.failing[f"{path_of(OURS)}/status"] = 0
    with pytest.raises(ApiError):
        cluster.reconcile()
    (path,) = cluster.configmaps()
    assert cluster.status == {}
    # Another controller, which knows nothing but what the cluster says.
    del cluster.api.failing[f"{path_of(OURS)}/status"]
    after = Cluster(SPEC)
    after.api = cluster.api
    materials = Materials(after.api, "own")  # type: ignore[arg-type]  # the same interface
    log = Log(after.lines)
    after.reconciler = Reconciler(after.api, after.state, materials, log)  # type: ignore[arg-type]
    after.watched()
    uid = cluster.api.objects[path]["metadata"]["uid"]
    assert after.reconcile() is True
    assert cluster.configmaps() == [path]
    assert cluster.api.objects[path]["metadata"]["uid"] == uid
    assert cluster.status["configMap"] == path.rsplit("/", 1)[1]


def test_a_spec_that_changes_while_it_is_reported_on_is_still_news() -> None:
    """The answer to the status' writing has the new spec, which nobody has looked at."""
    cluster = Cluster(SPEC)
    there = cluster.api.objects[path_of(OURS)]
    there["metadata"]["generation"] += 1
    there["spec"] = {**SPEC, "mode": "warn"}
    cluster.reconcile()
    assert cluster.status["observedGeneration"] == 1
    queue: list[Key] = []
    marks = SimpleNamespace(mark=queue.append)
    watching = Watching(cluster.state, marks, lambda _: None)  # type: ignore[arg-type]
    watching.seen(cluster.resource(), gone=False)
    assert queue == [OURS]
    cluster.reconcile()
    assert cluster.status["observedGeneration"] == 2


def test_a_status_is_not_written_to_another_by_the_same_name() -> None:
    cluster = Cluster(SPEC)
    cluster.api.objects[path_of(OURS)]["metadata"]["uid"] = "another"
    with pytest.raises(ApiError):
        cluster.reconcile()
    assert cluster.status == {}
    cluster.watched()
    assert cluster.reconcile() is True
    assert cluster.status["policySha256"]


def test_a_spec_that_cannot_be_stored_twice_says_so_and_is_not_tried_for_ever() -> None:
    comment = "<" * (MAX_SPEC_BYTES // 6)
    cluster = Cluster({**SPEC, "comment": comment})
    assert cluster.reconcile() is False
    assert "spec: has more than 700 KiB" in cluster.message
    assert "configMapKeyRef" in cluster.message
    assert cluster.configmaps() == []
    assert "lastGood" not in cluster.status
