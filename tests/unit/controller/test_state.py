"""What is known of the cluster: who is under what, however many there are."""

from __future__ import annotations

from verifier_cli.controller.state import Key, Pod, Pods, State, kept_of
from verifier_cli.kube.verdicts import PodVerdict

GROUP, THEIRS = "ml.sigstore.dev", "rhtas.redhat.com"
DEMO = Key(GROUP, "ModelValidation", "ns", "demo")
ELSEWHERE = Key(GROUP, "ModelValidation", "elsewhere", "demo")
PREDECESSORS = Key(THEIRS, "ModelValidation", "ns", "demo")
CLUSTER = Key(GROUP, "ClusterModelValidation", "", "demo")
# By the name of its ConfigMaps it cannot be told from the cluster validation.
ALIKE = Key(GROUP, "ModelValidation", "ns", "cluster-demo")
EVERY = (DEMO, ELSEWHERE, PREDECESSORS, CLUSTER, ALIKE)


def pod(uid: str, *configmaps: str, namespace: str = "ns") -> Pod:
    return Pod(uid, namespace, uid, frozenset(configmaps), PodVerdict("pending"))


def state(*pods: Pod) -> State:
    made = State()
    for key in EVERY:
        metadata = {"uid": f"uid of {key.group} {key.namespace}/{key.name}"}
        made.validations[key] = {"metadata": metadata}
    for each in pods:
        made.pods[each.uid] = each
    return made


def test_who_is_under_what() -> None:
    one = pod("one", "demo-0123456789", "cluster-demo-0123456789")
    other = pod("other", "cluster-demo-aaaaaaaaaa", namespace="elsewhere")
    theirs = pod("theirs", "rhtas-demo-0123456789")
    there = state(one, other, theirs, pod("unknown", "demos-0123456789", "demo"))
    under = {key: [each.uid for each in there.pods_under(key)] for key in EVERY}
    assert under == {
        DEMO: ["one"],
        ELSEWHERE: [],
        PREDECESSORS: ["theirs"],
        CLUSTER: ["one", "other"],
        ALIKE: ["one"],
    }
    assert set(there.owners_of(one)) == {DEMO, CLUSTER, ALIKE}
    assert there.owners_of(other) == [CLUSTER]
    assert there.owners_of(theirs) == [PREDECESSORS]
    assert there.of_configmap("elsewhere", "demo-bbbbbbbbbb") == [ELSEWHERE]
    assert there.of_configmap("nowhere", "demo-bbbbbbbbbb") == []


def test_pods_are_found_as_they_are_by_now() -> None:
    pods = Pods()
    pods["a"] = pod("a", "demo-0123456789", "demo-1111111111")
    pods["b"] = pod("b", "demo-0123456789")
    assert [each.uid for each in pods.of_stem("demo")] == ["a", "b"]
    pods["a"] = moved = pod("a", "other-0123456789")
    assert [each.uid for each in pods.of_stem("demo")] == ["b"]
    assert list(pods.of_stem("other")) == [moved]
    del pods["b"]
    pods.pop("a", None)
    pods.pop("never", None)
    assert not pods
    assert not [*pods.of_stem("demo"), *pods.of_stem("other")]


def test_what_is_in_force_in_use_or_of_somebody_else_is_not_unused() -> None:
    there = state(pod("p", "demo-2222222222"))
    for name, owner in (("demo-1", DEMO), ("demo-2", DEMO), ("demo-3", DEMO), ("x-4", ELSEWHERE)):
        metadata = there.validations[owner]["metadata"]
        reference = {"uid": metadata["uid"], "controller": True}
        found = {"metadata": {"ownerReferences": [reference]}}
        there.configmaps["ns", f"{name[:-1]}{name[-1] * 10}"] = kept_of(found)
    there.configmaps["ns", "demo-5555555555"] = kept_of({"metadata": {}})
    assert there.unused({DEMO: {("ns", "demo-1111111111")}}) == {("ns", "demo-3333333333")}
    assert there.unused({}) == set()


def test_what_is_kept_of_a_configmap_tells_all_changes_and_is_small() -> None:
    metadata = {"uid": "u", "resourceVersion": "7"}
    one = {"metadata": metadata, "data": {"policy.json": "x" * 2**20}, "immutable": True}
    others = ({"data": {"policy.json": "y"}}, {"binaryData": {"a": ""}}, {"immutable": False})
    kept = kept_of(one)
    assert (kept.uid, kept.version, kept.owner) == ("u", "7", "")
    assert len(repr(kept)) < 300
    assert kept_of({**one, "metadata": {}}).content == kept.content
    assert all(kept_of({**one, **other}).content != kept.content for other in others)
