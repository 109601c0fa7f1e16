"""Which volumes are taken for the same storage."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.kube.pods import (
    CLAIM,
    container,
    inject,
    mount,
    mounts,
    pod,
    warnings,
)

Json = dict[str, Any]

EMPTY: Json = {"emptyDir": {}}


def test_bypass_3_what_may_be_the_model_is_told() -> None:
    server = container("server", mount(), mount("/out", "results"))
    export, other = {"nfs": {"server": "a", "path": "/a"}}, {"nfs": {"server": "b", "path": "/b"}}
    made = pod(server, models=export, results=other)
    unseen = "server mounts results at /out, which no validation looks at"
    closed = (
        "server gets results at /out read-only, since it may be the storage of the model under "
        "another name"
    )
    assert warnings(made) == (unseen, closed)
    assert warnings(inject(made)) == (unseen,)


DIFFERENT_STORAGE: dict[str, tuple[Json, Json]] = {
    "two claims": (CLAIM, {"persistentVolumeClaim": {"claimName": "results"}}),
    "two network kinds": ({"nfs": {"server": "a", "path": "/"}}, {"cephfs": {"monitors": ["a"]}}),
    "two drivers": ({"csi": {"driver": "a"}}, {"csi": {"driver": "b"}}),
    "two ephemeral volumes": ({"ephemeral": {}}, {"ephemeral": {}}),
    "an ephemeral volume and a claim of another name": (CLAIM, {"ephemeral": {}}),
    "a claim and a scratch directory": (CLAIM, EMPTY),
    "a claim and a directory of the node": (CLAIM, {"hostPath": {"path": "/dev/shm"}}),  # noqa: S108
}


@pytest.mark.parametrize("name", DIFFERENT_STORAGE)
def test_what_is_plainly_other_storage_stays_writable(name: str) -> None:
    model, other = DIFFERENT_STORAGE[name]
    server = container("server", mount(), mount("/out", "out"))
    made = pod(server, models=model, out=other)
    assert mounts(inject(made), "server")["/out"] == ("out", False)
    unseen = () if other is EMPTY else ("server mounts out at /out, which no validation looks at",)
    assert warnings(made) == unseen
