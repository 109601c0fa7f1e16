"""Pods and validations to wire together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from verifier_cli.config import manifest
from verifier_cli.kube.container import Settings
from verifier_cli.kube.inject import inject as inject_all
from verifier_cli.kube.names import CONTAINER

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]

KEY = (Path(__file__).parents[3] / "testdata/trust/key.pub").read_text(encoding="utf-8")
IMAGE = f"registry.example.com/verifier@sha256:{'0' * 64}"
SETTINGS = Settings(IMAGE)
PATH = "/data/model"
LABEL = "validation.ml.sigstore.dev/ml"
CLAIM = {"persistentVolumeClaim": {"claimName": "models"}}


def resource(
    name: str = "demo",
    *,
    group: str = "ml.sigstore.dev",
    kind: str = "ModelValidation",
    namespace: str | None = None,
    **spec: object,
) -> Json:
    """A validation by a key of the model at `PATH`, unless `spec` says otherwise."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    whole: Json = {"config": {"publicKeyConfig": {"key": KEY}}, "model": {"path": PATH}, **spec}
    if kind == "ClusterModelValidation":
        whole = {"namespaceSelector": {}, **whole}
    if whole["model"] is None:
        del whole["model"]
    if "signers" in spec:
        del whole["config"]
    top = {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": metadata}
    return {**top, "spec": whole}


def validation(name: str = "demo", **what: object) -> Validation:
    return manifest.decode(resource(name, **cast("Any", what)), "test")


def mount(path: str = "/data", name: str = "models", **more: object) -> Json:
    return {"name": name, "mountPath": path, **more}


def container(name: str = "server", *mounts: Json, **more: object) -> Json:
    return {"name": name, "image": "x", "volumeMounts": list(mounts), **more}


def pod(*containers: Json, inits: tuple[Json, ...] = (), **volumes: Json) -> Json:
    """A pod with volumes by name; `models` is a claim unless given."""
    found = {"models": CLAIM, **volumes}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {}},
        "spec": {
            "initContainers": list(inits),
            "containers": list(containers) or [container("server", mount())],
            "volumes": [{"name": name, **source} for name, source in found.items()],
        },
    }


def inject(made: Json, *validations: Validation, settings: Settings = SETTINGS) -> Json:
    return inject_all(made, validations or [validation()], settings).pod


def warnings(made: Json, *validations: Validation) -> tuple[str, ...]:
    return inject_all(made, validations or [validation()], SETTINGS).warnings


def order(made: Json) -> list[str]:
    return [each["name"] for each in made["spec"]["initContainers"]]


def verifier(made: Json) -> Json:
    found: list[Json] = [e for e in made["spec"]["initContainers"] if e["name"] == CONTAINER]
    (one,) = found
    return one


def mounts(made: Json, name: str) -> dict[str, tuple[str, bool]]:
    """By path: volume, and whether it is read-only."""
    every = [*made["spec"]["initContainers"], *made["spec"]["containers"]]
    (found,) = [each for each in every if each["name"] == name]
    return {m["mountPath"]: (m["name"], m.get("readOnly", False)) for m in found["volumeMounts"]}


def variables(made: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in verifier(made)["env"] if "value" in each}
