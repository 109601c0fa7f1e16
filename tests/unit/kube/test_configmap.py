"""The ConfigMap that carries a policy into a pod."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.schemas import check_policy
from tests.unit.config.test_manifest import KEY_CONFIG, MODEL, OURS, THEIRS, validation
from verifier_cli.config import document, manifest
from verifier_cli.errors import ConfigError
from verifier_cli.kube.configmap import configmap, configmap_name

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation


def read(version: str = OURS, kind: str = "ModelValidation", **metadata: str) -> Validation:
    value = validation({"config": KEY_CONFIG, "model": MODEL}, version=version, kind=kind)
    value["metadata"] |= metadata
    return manifest.decode(value, "m.yaml")


@pytest.mark.parametrize(
    ("version", "kind", "prefix"),
    [
        (OURS, "ModelValidation", ""),
        (THEIRS, "ModelValidation", "rhtas-"),
        (OURS, "ClusterModelValidation", "cluster-"),
    ],
)
def test_the_name_holds_ten_digits_of_the_digest(version: str, kind: str, prefix: str) -> None:
    found = read(version, kind)
    assert configmap_name(found) == f"{prefix}demo-{found.policy.sha256[:10]}"


def test_the_shape() -> None:
    found = read(namespace="ns")
    value = configmap(found)
    assert (value["apiVersion"], value["kind"], value["immutable"]) == ("v1", "ConfigMap", True)
    assert value["metadata"] == {
        "name": configmap_name(found),
        "namespace": "ns",
        "labels": {"app.kubernetes.io/managed-by": "model-verify"},
        "annotations": {
            "validation.ml.sigstore.dev/validation": "ModelValidation.ml.sigstore.dev/demo",
            "validation.ml.sigstore.dev/policy-sha256": found.policy.sha256,
        },
    }
    assert list(value["data"]) == ["policy.json"]
    assert "namespace" not in configmap(read())["metadata"]


def test_the_policy_in_it_has_the_digest_of_the_name() -> None:
    found = read()
    text = configmap(found)["data"]["policy.json"].encode()
    check_policy(text)
    assert hashlib.sha256(text).hexdigest() == found.policy.sha256
    assert document.decode(text, "m.yaml") == found.policy


def test_a_name_that_just_fits_and_one_that_does_not() -> None:
    found = read()
    longest = dataclasses.replace(found, name="n" * (253 - 11))
    assert len(configmap_name(longest)) == 253
    for broken in (
        dataclasses.replace(found, name="n" * (253 - 10)),
        dataclasses.replace(longest, kind="ClusterModelValidation"),
    ):
        with pytest.raises(ConfigError, match=r"metadata\.name: is too long: .* by 2\d\d charac"):
            configmap(broken)
