"""Whatever pod there is: the verifier goes first, or the pod is refused with a sentence."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.strategies import json_values
from tests.unit.kube.pods import SETTINGS, validation
from verifier_cli.kube.choice import Namespace, validations_for
from verifier_cli.kube.inject import inject
from verifier_cli.kube.mounts import covers, normalised
from verifier_cli.kube.names import CONTAINER, ENFORCE, VOLUME
from verifier_cli.kube.review import VERSION, MalformedReviewError, Request, decide, decode, encode
from verifier_cli.kube.shapes import Unfit

Json = dict[str, Any]

VALIDATIONS = (
    validation("named"),
    validation("found", model=None),
    validation("b", mounts="ReadOnly"),
)
LABEL = "validation.ml.sigstore.dev/ml"
PATHS = (
    "/data",
    "/data/model",
    "/data/model/sub",
    "/other",
    "data/",
    "/",
    "//data/../data",
    "/run/x",
    "/var/run/x",
)
NAMES = ("models", "again", "scratch", "host", "part", VOLUME)
SOURCES: tuple[Json, ...] = (
    {"persistentVolumeClaim": {"claimName": "a"}},
    {"persistentVolumeClaim": {"claimName": "b"}},
    {"emptyDir": {}},
    {"hostPath": {"path": "/srv"}},
    {"hostPath": {"path": "/srv/models"}},
    {"configMap": {"name": "c"}},
    {"nfs": {"server": "nas", "path": "/models"}},
    {"nfs": {"server": "nas", "path": "/"}},
    {"ephemeral": {"volumeClaimTemplate": {}}},
    {"image": {"reference": "x"}},
)


PICKED = {
    "spec": {
        "containers": [{"name": "a", "volumeMounts": [{"name": "m", "mountPath": "/m"}]}],
        "volumes": [{"name": "m", "persistentVolumeClaim": {"claimName": "c"}}],
    }
}


def mounts() -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {"name": st.sampled_from(NAMES), "mountPath": st.sampled_from(PATHS)},
        optional={
            "readOnly": st.booleans(),
            "subPath": st.sampled_from(["", "x"]),
            "subPathExpr": st.just("$(X)"),
        },
    )


def containers(name: str) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {"name": st.just(name)},
        optional={
            "volumeMounts": st.lists(mounts(), max_size=3, unique_by=lambda m: m["mountPath"]),
            "restartPolicy": st.just("Always"),
            "terminationMessagePath": st.sampled_from(PATHS),
            "volumeDevices": st.just([{"name": "models", "devicePath": "/dev/x"}]),
        },
    )


def pods() -> st.SearchStrategy[Json]:
    def named(prefix: str, least: int) -> st.SearchStrategy[list[Json]]:
        sizes = st.integers(least, 3)
        return sizes.flatmap(
            lambda n: st.tuples(*(containers(f"{prefix}{i}") for i in range(n)))
        ).map(list)

    volumes = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(SOURCES), max_size=5)
    spec = st.fixed_dictionaries(
        {
            "initContainers": named("init-", 0),
            "containers": named("main-", 1),
            "volumes": volumes.map(lambda found: [{"name": n, **s} for n, s in found.items()]),
        }
    )
    return st.fixed_dictionaries({"metadata": st.just({"name": "p"}), "spec": spec})


def injected(pod: Json, *validations: Any) -> Json | None:  # noqa: ANN401
    try:
        return inject(pod, validations, SETTINGS).pod
    except Unfit:
        return None


def storage(pod: Json, volume: str) -> str:
    """What is behind a volume, written down a second time on purpose."""
    for each in pod["spec"]["volumes"]:
        if each["name"] == volume and "persistentVolumeClaim" in each:
            return str(each["persistentVolumeClaim"]["claimName"])
        if each["name"] == volume and "nfs" in each:
            return "one server's"
        if each["name"] == volume and "hostPath" in each:
            return "one of the host's, of which one lies below the other"
    return f"its own: {volume}"


def within(mounts: list[Json], path: str) -> list[Json]:
    """All that is mounted in the outermost mount above a path."""
    outer = sorted(m["mountPath"] for m in mounts if covers(m["mountPath"], path))
    return [m for m in mounts if covers((outer or [path])[0], m["mountPath"])]


@given(pods(), st.lists(st.sampled_from(VALIDATIONS), min_size=1, max_size=2, unique_by=id))
def test_nothing_that_runs_later_can_write_where_the_verifier_looks(
    pod: Json, validations: list[Any]
) -> None:
    made = injected(pod, *validations)
    if made is None:
        return
    inits = made["spec"]["initContainers"]
    (place,) = [index for index, each in enumerate(inits) if each["name"] == CONTAINER]
    roots = next((e["value"] for e in inits[place]["env"] if e["name"] == "MODEL_VERIFY_ROOTS"), "")
    looked_at = [
        *filter(None, roots.split(":")),
        *(["/data/model"] if validations != [VALIDATIONS[1]] else []),
    ]
    verifiers = [m for m in inits[place]["volumeMounts"] if m["name"] != VOLUME]
    model_mounts = [m for path in looked_at for m in within(verifiers, path)]
    assert model_mounts
    assert all(mount["readOnly"] for mount in inits[place]["volumeMounts"])
    held = {storage(made, mount["name"]) for mount in model_mounts}
    for later in [*inits[place + 1 :], *made["spec"]["containers"]]:
        for mount in later.get("volumeMounts", []):
            if storage(made, mount["name"]) in held:
                assert mount.get("readOnly") is True, (later["name"], mount)
    # Who goes on running beside the verifier has not touched the model before it.
    for earlier in inits[:place]:
        if earlier.get("restartPolicy") == "Always":
            touched = {storage(made, m["name"]) for m in earlier.get("volumeMounts", [])}
            assert not touched & held


@given(pods(), st.sampled_from(VALIDATIONS))
def test_the_verifier_sees_what_every_later_container_sees(pod: Json, validation: Any) -> None:  # noqa: ANN401
    made = injected(pod, validation)
    if made is None or validation is VALIDATIONS[1]:
        return
    inits = made["spec"]["initContainers"]
    (place,) = [index for index, each in enumerate(inits) if each["name"] == CONTAINER]

    def seen(container: Json) -> list[tuple[str, str, str]]:
        found = [
            (normalised(m["mountPath"]), m["name"], m.get("subPath") or "")
            for m in container.get("volumeMounts", [])
            if m["name"] != VOLUME
        ]
        outer = sorted(m[0] for m in found if covers(m[0], "/data/model"))
        return sorted(m for m in found if covers((outer or ["/data/model"])[0], m[0]))

    wanted = seen(inits[place])
    for later in [*inits[place + 1 :], *made["spec"]["containers"]]:
        assert seen(later) in ([], wanted)


@given(pods(), st.sampled_from(VALIDATIONS))
def test_injecting_twice_is_injecting_once(pod: Json, validation: Any) -> None:  # noqa: ANN401
    once = injected(pod, validation)
    if once is not None:
        assert injected(once, validation) == once


@given(json_values)
@example({"spec": {"containers": [{"volumeMounts": [{"mountPath": "/data", "name": "x"}]}]}})
@example({"metadata": {"labels": []}})
def test_no_json_breaks_it(value: object) -> None:
    pod = value if isinstance(value, dict) else {"spec": value}
    for spec in (pod, {"spec": pod}, {"spec": {"containers": [pod], "volumes": [pod]}}):
        try:
            validations_for(spec, Namespace("n", {}), VALIDATIONS)
            inject(spec, VALIDATIONS, SETTINGS)
        except Unfit:
            pass


@given(json_values)
@example({**PICKED, "metadata": None})
@example({"metadata": {"labels": {}, "annotations": []}})
def test_every_review_is_answered_with_yes_or_no(value: object) -> None:
    over = validation("all", kind="ClusterModelValidation", model=None)
    namespaces = {"n": {ENFORCE: "true"}}
    pod = value if isinstance(value, dict) else {"spec": value}
    for each in (pod, {"spec": pod}, {"metadata": {"labels": {LABEL: "named"}}, "spec": pod}):
        for operation in ("CREATE", "UPDATE"):
            request = Request("u", operation, "n", each, pod)
            answer = encode(request, decide(request, [*VALIDATIONS, over], namespaces, SETTINGS))
            response = answer["response"]
            assert response["allowed"] is ("status" not in response)
            # Nobody is let in by a label that was not looked at.
            labels = each.get("metadata", {}) or {}
            if (
                operation == "CREATE"
                and isinstance(labels, dict)
                and LABEL in (labels.get("labels") or ())
            ):
                assert "patch" in response or not response["allowed"]


@given(json_values)
def test_whatever_arrives_is_a_review_or_refused(value: object) -> None:
    bodies = (value, {"kind": "AdmissionReview", "apiVersion": VERSION, "request": value})
    for body in bodies:
        with contextlib.suppress(MalformedReviewError):
            decode(body)
