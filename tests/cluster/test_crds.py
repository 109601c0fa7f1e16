"""The custom resources on a real API server: what it takes, refuses and fills in."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.cluster.apiserver import ApiServer, Refused
from tests.unit.config.test_manifest import (
    CA,
    CONFIGS,
    DEMO,
    ENTRIES,
    KEY_CONFIG,
    MODEL,
    WIRING_FAULTS,
    WRONG,
)
from verifier_cli.config import manifest
from verifier_cli.config.strictyaml import load_all

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

OURS, THEIRS = "ml.sigstore.dev/v1alpha1", "rhtas.redhat.com/v1alpha1"
CLUSTER = "ClusterModelValidation"
# What no schema can say: the controller reports it in the status (Ready=False).
SAID_BY_THE_CONTROLLER = {
    "trust config no JSON",
    "trust config not Unicode",
}
# What is right in a cluster.
RIGHT_HERE = {"material in a secret", "material in a config map"}


@pytest.fixture(scope="module")
def crds(installed: ApiServer) -> Iterator[ApiServer]:
    yield installed
    # They select every namespace, those of other tests too.
    installed.kubectl("delete", "clustermodelvalidations", "--all")


def resource(spec: object, *, version: str = OURS, kind: str = "ModelValidation") -> Json:
    if kind == CLUSTER and isinstance(spec, dict):
        spec = {"namespaceSelector": {}, **spec}
    metadata = {"name": f"v-{uuid4().hex[:12]}"}
    if kind != CLUSTER:
        metadata["namespace"] = "default"
    made = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    return {name: value for name, value in made.items() if value is not None}


VALID: dict[str, Json] = {
    **{
        f"config, {name}": {"config": config, "model": MODEL}
        for name, (config, _) in CONFIGS.items()
    },
    **{f"signers, {name}": {"signers": [entry]} for name, (entry, _) in ENTRIES.items()},
    "everything": {
        "signers": [entry for entry, _ in ENTRIES.values()],
        "models": [
            {"path": "/a/..b/.c", "ignorePaths": ["x", "y/.z"], "ignoreGitPaths": False},
            {"path": "/b", "discover": True, "allowSymlinks": True},
        ],
        "mode": "warn",
        "timeoutSeconds": 60,
        "mounts": "Preserve",
        "selector": {
            "matchLabels": {"a": "b"},
            "matchExpressions": [
                {"key": "c", "operator": "NotIn", "values": ["d"]},
                {"key": "e", "operator": "Exists"},
            ],
        },
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
        "imagePullPolicy": "Always",
    },
}


LARGE: dict[str, Json] = {
    "a certificate authority": {
        "config": {"pkiConfig": {"certificateAuthority": f"# {'x' * 1_000_000}\n{CA}"}}
    },
    "many long paths": {
        "config": KEY_CONFIG,
        "models": [{"path": f"/{index}" + "/x" * 2000} for index in range(64)],
    },
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_large_costs_no_more_than_a_rule_may(crds: ApiServer, name: str) -> None:
    assert crds.create(resource(LARGE[name]))


@pytest.mark.parametrize(
    "kind", [(OURS, "ModelValidation"), (OURS, CLUSTER), (THEIRS, "ModelValidation")]
)
@pytest.mark.parametrize("name", VALID)
def test_what_is_taken_means_the_same_with_its_defaults(
    crds: ApiServer, name: str, kind: tuple[str, str]
) -> None:
    sent = resource(copy.deepcopy(VALID[name]), version=kind[0], kind=kind[1])
    taken = crds.create(sent)
    assert taken["spec"]["mode"]
    assert taken["spec"]["timeoutSeconds"]
    ours, theirs = manifest.decode(sent, ""), manifest.decode(taken, "")
    assert (ours.policy.sha256, ours.wiring) == (theirs.policy.sha256, theirs.wiring)


def test_the_predecessors_manifest_unchanged(crds: ApiServer) -> None:
    (demo,) = load_all(DEMO)
    demo["metadata"]["namespace"] = "default"
    taken = crds.create(demo)
    assert manifest.decode(taken, "").policy.sha256 == manifest.decode(demo, "").policy.sha256


INVALID: dict[str, object] = {
    **{name: spec for name, (spec, _) in WRONG.items() if name not in RIGHT_HERE},
    **{
        fault: {"config": KEY_CONFIG, "model": MODEL, **spec}
        for fault, spec in WIRING_FAULTS.items()
    },
}


@pytest.mark.parametrize("name", sorted(INVALID.keys() - SAID_BY_THE_CONTROLLER))
def test_what_is_refused(crds: ApiServer, name: str) -> None:
    with pytest.raises(Refused):
        crds.create(resource(INVALID[name]))


@pytest.mark.parametrize("name", sorted(SAID_BY_THE_CONTROLLER))
def test_what_only_the_controller_can_say(crds: ApiServer, name: str) -> None:
    assert crds.create(resource(INVALID[name]))


def test_a_refusal_names_the_field_and_says_why(crds: ApiServer) -> None:
    both = {"config": KEY_CONFIG, "model": MODEL, "models": [MODEL]}
    with pytest.raises(
        Refused, match=r"spec: Invalid value: .*has both model and models: give one"
    ):
        crds.create(resource(both))
    pinned = {"signers": [{"key": {"publicKey": {"inline": "x", "sha256": "0" * 64}}}]}
    with pytest.raises(Refused, match=r"publicKey\.sha256: Invalid value: .*goes with path only"):
        crds.create(resource(pinned))


UNREADABLE: dict[str, tuple[Json, str]] = {
    "a path": (
        {"config": KEY_CONFIG, "model": {"path": "/data/m/"}},
        r"spec\.model\.path: Invalid value: .*: is not an absolute, normalised path",
    ),
    "one of several paths": (
        {"config": KEY_CONFIG, "models": [MODEL, {"path": "m"}]},
        r"spec\.models\[1\]\.path: Invalid value: .*: is not an absolute, normalised path",
    ),
    "a path in a path's place": (
        {"config": {"publicKeyConfig": {"keyPath": "/a/../b"}}},
        r"keyPath: Invalid value: .*: is not an absolute, normalised path",
    ),
    "a certificate authority": (
        {"config": {"pkiConfig": {"certificateAuthority": "ca.pem"}}},
        "certificateAuthority: Invalid value: .*: is neither PEM nor an absolute path in the pod",
    ),
    "an issuer": (
        {"config": {"sigstoreConfig": {"certificateIdentity": "a", "certificateOidcIssuer": "x"}}},
        "certificateOidcIssuer: Invalid value: .*: is not one exact https URL",
    ),
    "a digest": (
        {"signers": [{"key": {"publicKey": {"path": "/k", "sha256": "x"}}}]},
        "sha256: Invalid value: .*: is not a SHA-256 digest in lower-case hex",
    ),
    "a name": (
        {"signers": [{"key": {"publicKey": {"secretKeyRef": {"name": "A", "key": "k"}}}}]},
        r"secretKeyRef\.name: Invalid value: .*: is not the name of an object",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_a_pattern_refuses_is_said_in_words(crds: ApiServer, name: str) -> None:
    spec, said = UNREADABLE[name]
    with pytest.raises(Refused, match=said):
        crds.create(resource(spec))


def test_a_selector_is_of_one_applier(crds: ApiServer) -> None:
    """Merged, it would select what neither of the two asked for."""
    made = resource({"config": KEY_CONFIG})
    for who in ("one", "other"):
        made["spec"]["selector"] = {"matchLabels": {who: "x"}}
        options = ("--server-side", "--force-conflicts", f"--field-manager={who}")
        crds.kubectl("apply", *options, "--filename=-", stdin=made)
    found = crds.get("modelvalidations.ml.sigstore.dev", made["metadata"]["name"])
    assert found["spec"]["selector"] == {"matchLabels": {"other": "x"}}


def test_an_expression_that_names_nobody(crds: ApiServer) -> None:
    config = {"certificateIdentityRegexp": ".*", "certificateOidcIssuer": "https://x"}
    with pytest.raises(Refused, match="matches every identity"):
        crds.create(resource({"config": {"sigstoreConfig": config}}))


def test_a_cluster_validation_must_select_namespaces(crds: ApiServer) -> None:
    made = resource({"config": KEY_CONFIG}, kind=CLUSTER)
    del made["spec"]["namespaceSelector"]
    with pytest.raises(Refused, match=r"spec\.namespaceSelector: Required"):
        crds.create(made)


def test_the_status_is_a_thing_of_its_own(crds: ApiServer) -> None:
    """Who may write a spec cannot write a status with it, and the other way round."""
    made = resource({"config": KEY_CONFIG})
    taken = crds.create({**made, "status": {"policySha256": "0" * 64}})
    assert "status" not in taken
    name = taken["metadata"]["name"]
    where = ("modelvalidations.ml.sigstore.dev", name)
    change = '{"status": {"policySha256": "1"}, "spec": {"mode": "warn"}}'
    crds.kubectl("patch", *where, "--type=merge", f"--patch={change}", "--subresource=status")
    found = crds.get(*where)
    assert (found["status"]["policySha256"], found["spec"]["mode"]) == ("1", "enforce")
    assert found["metadata"]["generation"] == 1


def test_the_columns_that_people_see(crds: ApiServer) -> None:
    taken = crds.create(resource({"config": KEY_CONFIG}))
    status = {
        "method": "key",
        "verdicts": {"verified": 3, "rejected": 1, "undetermined": 0, "pending": 0},
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "PolicyRendered",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    patch = json.dumps({"status": status})
    name = taken["metadata"]["name"]
    crds.kubectl("patch", "mv", name, "--type=merge", f"--patch={patch}", "--subresource=status")
    head, line = crds.kubectl("get", "mv", name).stdout.splitlines()
    assert head.split() == ["NAME", "READY", "METHOD", "VERIFIED", "REJECTED", "AGE"]
    assert line.split()[:5] == [name, "True", "key", "3", "1"]


def test_all_kinds_are_found_by_one_word(crds: ApiServer) -> None:
    """A short name would be of one group only."""
    made = [
        crds.create(resource({"config": KEY_CONFIG}, version=version, kind=kind))
        for version, kind in (
            (OURS, "ModelValidation"),
            (OURS, CLUSTER),
            (THEIRS, "ModelValidation"),
        )
    ]
    found = crds.kubectl("get", "model-verify", "--all-namespaces", "--output=name").stdout.split()
    for each in made:
        group = each["apiVersion"].split("/")[0]
        assert f"{each['kind'].lower()}.{group}/{each['metadata']['name']}" in found


def test_every_field_is_explained(crds: ApiServer) -> None:
    said = crds.kubectl("explain", "mv.spec.signers.key.publicKey.secretKeyRef").stdout
    assert "In a Secret." in said
