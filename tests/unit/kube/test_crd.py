"""The custom resource definitions: in step with what reads the resources, and described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from manifests.make import files
from verifier_cli.config import checks, declared, manifest, resource
from verifier_cli.kube.crd import definitions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier_cli.config.declared import Check

Json = dict[str, Any]

CRDS = {each["metadata"]["name"]: each for each in definitions()}


def schemas(definition: Json) -> Iterator[tuple[str, Json]]:
    """Every property below the top, with its path."""

    def below(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
        for name, child in schema.get("properties", {}).items():
            yield f"{path}.{name}", child
            yield from below(child, f"{path}.{name}")
        for key in ("items", "additionalProperties"):
            if key in schema:
                yield from below(schema[key], f"{path}[]")

    (version,) = definition["spec"]["versions"]
    top = version["schema"]["openAPIV3Schema"]["properties"]
    for name in ("spec", "status"):
        yield from below(top[name], name)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_files_are_what_the_types_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == files()[path], "run `nox -s manifests`"


def test_there_is_one_for_every_kind_that_is_read() -> None:
    found = {
        (f"{each['spec']['group']}/v1alpha1", each["spec"]["names"]["kind"])
        for each in CRDS.values()
    }
    assert found == {(version, kind) for version, kinds in manifest.KINDS.items() for kind in kinds}


@pytest.mark.parametrize("name", CRDS)
def test_every_field_is_described(name: str) -> None:
    undescribed = [path for path, schema in schemas(CRDS[name]) if not schema.get("description")]
    assert undescribed == []


def test_one_schema_for_both_groups() -> None:
    ours, theirs = (
        CRDS[f"modelvalidations.{group}"]["spec"]["versions"][0]["schema"]
        for group in (manifest.GROUP, manifest.PREDECESSOR_GROUP)
    )
    assert ours == theirs


def test_a_cluster_validation_has_a_namespace_selector_beside_the_rest() -> None:
    fields = {
        kind: {name for _, name, _ in declared.fields_of(kind)}
        for kind in (resource.Spec, resource.ClusterSpec)
    }
    assert fields[resource.ClusterSpec] - fields[resource.Spec] == {"namespaceSelector"}


def test_the_defaults_are_those_of_the_reader() -> None:
    model: Json = {"path": "/m"}
    spec = {"config": {"publicKeyConfig": {"keyPath": "/k"}}, "models": [model]}
    top = {"apiVersion": "ml.sigstore.dev/v1alpha1", "kind": "ModelValidation"}
    bare = manifest.decode({**top, "metadata": {"name": "a"}, "spec": spec}, "")
    written: Json = dict(spec)
    for path, schema in schemas(CRDS["modelvalidations.ml.sigstore.dev"]):
        places: dict[str, Json] = {"spec": written, "spec.models[]": model}
        place = places.get(path.rsplit(".", 1)[0])
        if place is not None and "default" in schema:
            place.setdefault(path.rsplit(".", 1)[1], schema["default"])
    assert len(written) > 3
    assert len(model) > 4
    assert manifest.decode({**top, "metadata": {"name": "a"}, "spec": written}, "") == bare


PATTERNS: dict[str, Check] = {
    name: check for name, check in vars(checks).items() if isinstance(check, declared.Check)
}
# These say more than a pattern can.
LOOSER = ("AUTHORITY", "EXPRESSION", "ISSUER", "JSON_OBJECT")
PATHS = st.text(st.sampled_from("/.a*?[\n\0-ü"), max_size=12)


@pytest.mark.parametrize("name", PATTERNS)
@given(text=PATHS | st.text(max_size=40) | st.text("0123456789abcdefA", min_size=63, max_size=65))
def test_a_pattern_is_never_stricter_than_the_check(name: str, text: str) -> None:
    """And as strict, where a pattern can be."""
    check = PATTERNS[name]
    assume(text.strip())  # white space alone is refused before
    taken = re2.search(check.schema["pattern"], text) is not None
    good = check.fault(text) is None
    assert taken if good else (name in LOOSER or not taken)


def test_an_issuer_is_as_strict_as_its_pattern_says() -> None:
    for good in ("https://a", "https://a:1/b/c", "https://[::1]/x"):
        assert checks.ISSUER.fault(good) is None
    for bad in ("https://", "https:///x", "http://a", "https://a?x", "https://a/#x", "https://a b"):
        assert checks.ISSUER.fault(bad)
        assert not re2.search(checks.ISSUER.schema["pattern"], bad)


SAID = ("ABSOLUTE", "AUTHORITY", "DIGEST", "ISSUER", "OBJECT_NAME")


@pytest.mark.parametrize("name", SAID)
def test_a_pattern_is_explained_in_our_words(name: str) -> None:
    """kubectl shows the pattern too, which nobody can read."""
    check = PATTERNS[name]
    (rule,) = check.schema["x-kubernetes-validations"]
    assert rule["message"] == check.fault("?")
    pattern, _, text = check.schema["pattern"].partition("|-----")
    either = f"self.contains('-----{text}') || " if text else ""
    assert rule["rule"] == f"{either}self.matches(r'{pattern}')"


def test_what_is_one_value_is_taken_from_one_applier() -> None:
    """As Kubernetes has it in LabelSelector and SecretKeySelector."""
    found = {
        path.rsplit(".", 1)[-1]
        for definition in CRDS.values()
        for path, schema in schemas(definition)
        if schema.get("x-kubernetes-map-type") == "atomic"
    }
    assert found == {"selector", "namespaceSelector", "secretKeyRef", "configMapKeyRef"}
