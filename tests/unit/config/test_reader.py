"""Policy files: documents, ModelValidations and ConfigMaps, in JSON and YAML."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.unit.config.test_document import SMALLEST
from tests.unit.config.test_manifest import KEY_CONFIG, MODEL, validation
from verifier_cli.config import document, reader
from verifier_cli.errors import ConfigError
from verifier_cli.inputs import MAX_POLICY_BYTES

if TYPE_CHECKING:
    from pathlib import Path

VALIDATION = validation({"config": KEY_CONFIG, "model": MODEL})
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "x"},
    "data": {"policy.json": json.dumps(SMALLEST)},
}


def problems(raw: bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        reader.parse(raw, "p.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("value", [SMALLEST, VALIDATION, CONFIG_MAP], ids=["doc", "mv", "cm"])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_every_kind_in_both_forms(value: object, form: str) -> None:
    text = json.dumps(value, indent=1) if form == "json" else yaml.safe_dump(value)
    (found,) = reader.parse(text.encode(), "p")
    assert [rules.path for rules in found.policy.models] == ["/data/m"]
    assert found.policy.source == "p"
    assert (found.validation is not None) == (value is VALIDATION)


def test_a_json_document_keeps_its_bytes() -> None:
    for raw in (json.dumps(SMALLEST).encode(), b"\n " + json.dumps(SMALLEST).encode() + b"\n"):
        (found,) = reader.parse(raw, "p")
        assert found.policy.sha256 == hashlib.sha256(raw).hexdigest()


def test_a_config_map_has_the_digest_of_its_policy() -> None:
    expected = hashlib.sha256(CONFIG_MAP["data"]["policy.json"].encode()).hexdigest()  # type: ignore[index]
    for text in (json.dumps(CONFIG_MAP), yaml.safe_dump(CONFIG_MAP)):
        (found,) = reader.parse(text.encode(), "p")
        assert found.policy.sha256 == expected


def test_a_yaml_document_has_the_digest_of_its_canonical_form() -> None:
    (found,) = reader.parse(yaml.safe_dump(SMALLEST).encode(), "p")
    (again,) = reader.parse(yaml.safe_dump(SMALLEST, indent=5).encode(), "p")
    assert found.policy.sha256 == again.policy.sha256


def test_several_documents() -> None:
    text = yaml.safe_dump_all([VALIDATION, SMALLEST, None, CONFIG_MAP])
    assert len(reader.parse(text.encode(), "p")) == 3


def test_one_policy_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump_all([VALIDATION, VALIDATION]), encoding="utf-8")
    with pytest.raises(ConfigError, match="holds 2 policies where one is wanted"):
        reader.read_policy(str(path))
    path.write_text(yaml.safe_dump(VALIDATION), encoding="utf-8")
    assert reader.read_policy(str(path)).source == str(path)


def test_faults_of_all_documents_are_told_at_once() -> None:
    broken = validation({"config": KEY_CONFIG, "model": {"path": "m"}, "x": 1})
    nameless = {"kind": "ModelValidation"}
    text = yaml.safe_dump_all([VALIDATION, broken, nameless, {"kind": "Pod"}])
    found = problems(text.encode())
    assert found[:2] == [
        "demo: spec.model.path: is not an absolute, normalised path",
        "demo: spec.x: is not a known field",
    ]
    assert "document 3: apiVersion: is missing" in found
    assert found[-1].startswith("document 4")
    assert "is neither a policy document nor a ModelValidation" in found[-1]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "holds no policy"),
        (b"# only a comment\n", "holds no policy"),
        (b"---\n---\n", "holds no policy"),
        (b"{", "is not JSON"),
        (b"{}", "schema: is missing"),
        (b'{"kind": "List"}', "is neither a policy document nor a ModelValidation"),
        (b"[]", "is neither a policy document"),
        (b"text", "is neither a policy document"),
        (b"apiVersion: v1\n", "is neither a policy document"),
        (b"a: b: c", "is not YAML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"kind: ConfigMap\n", "data['policy.json']: is missing"),
        (b"kind: ConfigMap\ndata: []\n", "data['policy.json']: is missing"),
        (b"kind: ConfigMap\ndata: {policy.json: 1}\n", "data['policy.json']: is missing"),
        (b'{"kind": "ConfigMap", "data": {"policy.json": "{"}}', "is not JSON"),
        (b"schema: x\nmodels: []\n", "schema: is 'x', not"),
    ],
)
def test_what_is_refused(raw: bytes, expected: str) -> None:
    found = problems(raw)
    assert any(expected in problem for problem in found), found


@pytest.mark.parametrize(
    "raw",
    [
        b"schema: model-verify/policy/v1\nmode: !!timestamp 2026-01-02\n",
        b"schema: model-verify/policy/v1\nmode: !!binary YQ==\n",
        b"schema: !!set {a}\n",
        b'schema: "\\ud800"\n',
        b'schema: model-verify/policy/v1\n"\\ud800": x\n',
        b'{"schema": "\\ud800"}',
        b'{"\\ud800": "x"}',
        b'{"kind": "ConfigMap", "data": {"policy.json": "\\ud800"}}',
        b'kind: ConfigMap\ndata: {policy.json: "\\ud800"}\n',
        b'{"kind": "ModelValidation", "\\ud800": "\\ud800"}',
        b"schema: " + b"[" * 200 + b"]" * 200,
        b"schema: !!float .nan\n",
    ],
    ids=str,
)
def test_no_content_is_more_than_a_fault(raw: bytes) -> None:
    with pytest.raises(ConfigError):
        reader.parse(raw, "p")


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    raw = json.dumps(SMALLEST).encode()
    path.write_bytes(raw + b" " * (MAX_POLICY_BYTES - len(raw)))
    assert MAX_POLICY_BYTES == 1 << 20
    assert reader.read_policy(str(path)).models
    with path.open("ab") as file:
        file.write(b" ")
    with pytest.raises(ConfigError, match="more than the 1048576 that are read"):
        reader.read_policy(str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json: .*no such file"):
        reader.read_bytes(str(tmp_path / "absent.json"))


def test_what_is_read_can_be_mounted() -> None:
    (found,) = reader.parse(yaml.safe_dump(VALIDATION).encode(), "p")
    mounted = document.decode(document.encode(found.policy), "p")
    assert mounted == found.policy
