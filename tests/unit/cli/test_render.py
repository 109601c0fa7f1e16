"""`render`: what the controller would write, for `kubectl apply -f -`."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import yaml

from tests.schemas import check_policy
from tests.unit.config.test_document import SMALLEST
from tests.unit.config.test_manifest import DEMO, KEY_CONFIG, MODEL, OURS, validation
from tests.unit.conftest import REPOSITORY
from verifier_cli.config import reader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Run


def test_one_manifest(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_bytes(DEMO)
    result = cli("render", "-f", path)
    assert result.code == 0
    (found,) = yaml.safe_load_all(result.out)
    text = found["data"]["policy.json"]
    check_policy(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert found["apiVersion"] == "v1"
    assert found["kind"] == "ConfigMap"
    assert found["immutable"] is True
    assert found["metadata"]["name"] == f"rhtas-demo-{digest[:10]}"
    assert re.fullmatch(r"[a-z0-9-]{1,253}", found["metadata"]["name"])
    assert "namespace" not in found["metadata"]
    # What was written is read back as the same policy, by the same digest.
    (parsed,) = reader.parse(result.out.encode(), "rendered")
    assert parsed.policy.sha256 == digest


def test_several_manifests_in_several_namespaces(cli: Run, tmp_path: Path) -> None:
    one = validation({"config": KEY_CONFIG, "model": MODEL})
    one["metadata"]["namespace"] = "ns"
    two = validation({"config": KEY_CONFIG}, version=OURS, kind="ClusterModelValidation")
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all([one, two]), encoding="utf-8")
    found = list(yaml.safe_load_all(cli("render", "--filename", path).out))
    assert found[0]["metadata"]["namespace"] == "ns"
    assert found[0]["metadata"]["name"].startswith("demo-")
    assert found[1]["metadata"]["name"].startswith("cluster-demo-")


def test_every_manifest_of_the_test_data(cli: Run) -> None:
    for path in (REPOSITORY / "testdata/policies").glob("*.yaml"):
        result = cli("render", "-f", path)
        assert result.code == 0
        (found,) = yaml.safe_load_all(result.out)
        check_policy(found["data"]["policy.json"])


def test_a_json_manifest(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(validation({"config": KEY_CONFIG})), encoding="utf-8")
    assert cli("render", "-f", path).code == 0


def test_what_is_no_validation(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    manifest = validation({"config": KEY_CONFIG, "model": MODEL})
    path.write_text(yaml.safe_dump_all([manifest, SMALLEST]), encoding="utf-8")
    result = cli("render", "-f", path)
    assert (result.code, result.out) == (3, "")
    assert "holds something besides ModelValidations" in result.sentence


def test_a_name_that_is_too_long(cli: Run, tmp_path: Path) -> None:
    manifest = validation({"config": KEY_CONFIG, "model": MODEL})
    manifest["metadata"]["name"] = "n" * 250
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(manifest), encoding="utf-8")
    result = cli("render", "-f", path)
    assert (result.code, result.out) == (3, "")
    assert "metadata.name: is too long" in result.sentence
