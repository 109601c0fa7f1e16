"""What cannot be closed is told, and what usual pods do is not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.kube.pods import (
    container,
    inject,
    mount,
    mounts,
    order,
    pod,
    validation,
    warnings,
)
from verifier_cli.kube.names import CONTAINER

Json = dict[str, Any]

EMPTY: Json = {"emptyDir": {}}
MODELS: Json = {"persistentVolumeClaim": {"claimName": "models"}}
SIDECAR = {"restartPolicy": "Always"}


def capable(*names: str, **more: object) -> Json:
    return {"securityContext": {"capabilities": {"add": list(names)}, **more}}


MIGHT: dict[str, tuple[Json, Json, str]] = {
    "privileged": (capable("SYS_ADMIN", privileged=True), {}, "tool is privileged: it"),
    "a capability": (capable("SYS_ADMIN", "NET_ADMIN"), {}, "tool has SYS_ADMIN: it"),
    "in other letters": (capable("cap_sys_admin", "ALL"), {}, "tool has ALL, SYS_ADMIN: it"),
    "to trace the node": (capable("SYS_PTRACE"), {"hostPID": True}, "tool has SYS_PTRACE: it"),
    "to trace itself": (capable("SYS_PTRACE"), {}, ""),
    "of the network": (capable("NET_ADMIN", privileged=False), {}, ""),
}


@pytest.mark.parametrize("name", MIGHT)
@pytest.mark.parametrize("init", [True, False])
def test_who_can_do_what_no_mount_forbids_is_told(name: str, init: bool) -> None:  # noqa: FBT001
    more, spec, told = MIGHT[name]
    tool = container("tool", **more)
    containers = (container("server", mount()), *([] if init else [tool]))
    made = pod(*containers, inits=(tool,) if init else ())
    made["spec"] |= spec
    expected = (f"{told} can change the model after its check",) if told else ()
    assert warnings(made) == expected


@pytest.mark.parametrize(
    ("reference", "told"),
    [("r.example.com/m:1", True), ("r.example.com/m", True), (f"m:1@sha256:{'0' * 64}", False)],
)
def test_an_image_volume_that_can_be_moved_is_told(reference: str, told: bool) -> None:  # noqa: FBT001
    made = pod(models={"image": {"reference": reference, "pullPolicy": "Always"}})
    assert [w for w in warnings(made) if "name it by digest" in w] == [*warnings(made)]
    assert bool(warnings(made)) is told


def test_a_model_that_only_a_sidecar_mounts_is_told() -> None:
    made = pod(container("proxy"), inits=(container("server", mount(), **SIDECAR),))
    assert warnings(made) == (
        "only sidecars mount the model: what the pod's other containers load is not checked",
    )


CLAIM: Json = {"persistentVolumeClaim": {"claimName": "evil"}}
EVIL = mount("/evil", "evil")
INIT = container("init", mount("/fill", "evil"))
UNSEEN = ("server mounts evil at /evil, which no validation looks at",)
OTHERS: dict[str, tuple[Json, tuple[Json, ...], Json, tuple[str, ...]]] = {
    "a claim": (EVIL, (), CLAIM, UNSEEN),
    "a directory of the node": (EVIL, (), {"hostPath": {"path": "/srv"}}, UNSEEN),
    "an image": (EVIL, (), {"image": {"reference": f"m:1@sha256:{'0' * 64}"}}, UNSEEN),
    "read-only": (EVIL | {"readOnly": True}, (), CLAIM, UNSEEN),
    "beside the model": (
        mount("/data/evil", "evil"),
        (),
        CLAIM,
        ("server mounts evil at /data/evil, which no validation looks at",),
    ),
    "another part of the claim": (EVIL | {"subPath": "evil"}, (), MODELS, UNSEEN),
    "the same part of the claim": (EVIL, (), MODELS, ()),
    "filled by an init container": (EVIL, (INIT,), EMPTY, UNSEEN),
    "scratch space": (EVIL, (), EMPTY, ()),
    "settings": (EVIL, (INIT,), {"configMap": {"name": "evil"}}, ()),
    "below the model": (mount("/data/model/part", "evil"), (), CLAIM, ()),
    "by a link": (mount("/var/run/model", "evil"), (), CLAIM, ()),
    "only while it begins": (mount("/x", "models"), (container("init", EVIL),), CLAIM, ()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_volume_where_no_validation_looks_is_told(name: str) -> None:
    where, inits, source, told = OTHERS[name]
    paths = [{"path": "/data/model"}]
    if name == "by a link":
        paths.append({"path": "/run/model"})
    made = pod(container("server", mount(), where), inits=inits, evil=source)
    assert [w for w in warnings(made, validation(model=None, models=paths)) if "looks at" in w] == [
        *told
    ]


def test_it_is_told_of_every_container_that_goes_on() -> None:
    proxy = container("proxy", EVIL, **SIDECAR)
    made = pod(
        container("server", mount(), EVIL), container("web", EVIL), inits=(proxy,), evil=CLAIM
    )
    assert [w.split(" ")[0] for w in warnings(made)] == ["proxy", "server", "web"]


def test_where_material_is_nothing_is_told() -> None:
    key = {"publicKeyConfig": {"keyPath": "/evil/key.pub"}}
    made = pod(container("server", mount(), EVIL), evil=CLAIM)
    assert warnings(made, validation(config=key)) == ()


def test_where_models_are_discovered_all_is_looked_at() -> None:
    made = pod(container("server", mount(), EVIL), evil=CLAIM)
    named = validation("named", models=[{"path": "/data/model"}], model=None)
    assert warnings(made, validation(model=None)) == ()
    assert warnings(made, validation(model=None), named) == ()


def test_what_usual_pods_do_is_neither_refused_nor_told() -> None:
    """KServe's downloader, vLLM's shared memory, a mesh's proxy, a cloud's token."""
    token = mount("/var/run/secrets/eks.amazonaws.com/serviceaccount", "token", readOnly=True)
    proxy = container("istio-proxy", mount("/etc/istio/proxy", "istio"), token, **SIDECAR)
    download = container("storage-initializer", mount("/mnt/models"), token)
    server = container(
        "kserve-container",
        mount("/mnt/models", readOnly=True),
        mount("/dev/shm", "shm"),  # noqa: S108
        token,
    )
    made = pod(
        server,
        container("queue-proxy", token),
        inits=(container("istio-validation"), proxy, download),
        models=EMPTY,
        shm={"emptyDir": {"medium": "Memory"}},
        istio=EMPTY,
        token={"projected": {"sources": []}},
        identity={"csi": {"driver": "csi.spiffe.io", "readOnly": True}},
    )
    for each in (validation(model={"path": "/mnt/models"}), validation(model=None)):
        injected = inject(made, each)
        assert warnings(made, each) == ()
        assert order(injected)[-2:] == ["storage-initializer", CONTAINER]
        assert mounts(injected, "kserve-container")["/dev/shm"] == ("shm", False)  # noqa: S108
