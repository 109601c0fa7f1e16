"""ModelValidations in every shape: ours, the predecessors', and everything that can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.schemas import check_policy
from verifier_cli.config import document, manifest
from verifier_cli.config.selector import Requirement, Selector
from verifier_cli.config.strictyaml import load_all
from verifier_cli.config.wiring import Wiring
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]
TESTDATA = Path(__file__).parents[3] / "testdata"
OURS, THEIRS = "ml.sigstore.dev/v1alpha1", "rhtas.redhat.com/v1alpha1"
PEM = "-----BEGIN PUBLIC KEY-----\nYQ==\n-----END PUBLIC KEY-----\n"
CA = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
SIGSTORE = {
    "certificateIdentity": "release@example.com",
    "certificateOidcIssuer": "https://idp.example.com",
}
KEY_CONFIG = {"publicKeyConfig": {"key": PEM}}
MODEL = {"path": "/data/m"}

# As the issue gives it, unchanged.
DEMO = b"""
apiVersion: rhtas.redhat.com/v1alpha1
kind: ModelValidation
metadata:
  name: demo
spec:
  config:
    sigstoreConfig:
      certificateIdentity: "https://github.com/miyunari/model-validation-controller/.github/workflows/sign-model.yaml@refs/tags/v0.0.2"
      certificateOidcIssuer: "https://token.actions.githubusercontent.com"
  model:
    path: /data/tensorflow_saved_model
    signaturePath: /data/tensorflow_saved_model/model.sig
"""


def validation(spec: object, *, version: str = OURS, kind: str = "ModelValidation") -> Json:
    if kind == "ClusterModelValidation" and isinstance(spec, dict):
        spec = {"namespaceSelector": {}, **spec}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "demo"}, "spec": spec}


def decode(spec: object, **top: str) -> Validation:
    found = manifest.decode(validation(spec, **top), "m.yaml")
    # Whatever a manifest says, the policy made of it is sound, and means the same when mounted.
    encoded = document.encode(found.policy)
    check_policy(encoded)
    mounted = document.decode(encoded, "m.yaml")
    assert mounted == found.policy
    return found


def problems(value: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        manifest.decode(value, "m.yaml")
    return [str(problem) for problem in caught.value.problems]


def spec_problems(spec: object) -> list[str]:
    return problems(validation(spec))


def test_the_manifest_of_the_predecessor_unchanged() -> None:
    found = manifest.decode(load_all(DEMO)[0], "demo.yaml")
    assert (found.group, found.kind, found.name, found.namespace) == (
        "rhtas.redhat.com",
        "ModelValidation",
        "demo",
        None,
    )
    (signer,) = found.policy.signers
    assert isinstance(signer, Keyless)
    assert signer.identity is not None
    assert signer.identity.endswith("sign-model.yaml@refs/tags/v0.0.2")
    assert signer.issuer == "https://token.actions.githubusercontent.com"
    assert signer.trust_root is None
    assert found.policy.models == (
        ModelRules("/data/tensorflow_saved_model", "/data/tensorflow_saved_model/model.sig"),
    )
    assert found.policy.source == "demo.yaml"
    assert len(found.policy.sha256) == 64


@pytest.mark.parametrize(
    "path", sorted((TESTDATA / "policies").glob("*.yaml")), ids=lambda p: p.stem
)
def test_the_manifests_of_the_test_data(path: Path) -> None:
    (value,) = load_all(path.read_bytes())
    found = manifest.decode(value, str(path))
    check_policy(document.encode(found.policy))
    assert len(found.policy.signers) == 1


@pytest.mark.parametrize(
    ("version", "kind"),
    [(OURS, "ModelValidation"), (OURS, "ClusterModelValidation"), (THEIRS, "ModelValidation")],
)
def test_every_version_and_kind(version: str, kind: str) -> None:
    found = decode({"config": KEY_CONFIG, "model": MODEL}, version=version, kind=kind)
    assert (f"{found.group}/v1alpha1", found.kind) == (version, kind)


def test_the_namespace() -> None:
    value = validation({"config": KEY_CONFIG, "model": MODEL})
    value["metadata"] = {"name": "demo", "namespace": "ns", "labels": {"a": "b"}, "uid": "x"}
    assert manifest.decode(value, "").namespace == "ns"


CONFIGS: dict[str, tuple[Json, object]] = {
    "sigstore": (
        {"sigstoreConfig": SIGSTORE},
        Keyless("https://idp.example.com", "release@example.com"),
    ),
    "sigstore with an expression": (
        {
            "sigstoreConfig": {
                "certificateIdentityRegexp": ".+@example.com",
                "certificateOidcIssuer": "https://x",
            }
        },
        Keyless("https://x", identity_regexp=".+@example.com"),
    ),
    "sigstore with a trust config in a file": (
        {"sigstoreConfig": SIGSTORE, "clientTrustConfig": {"trustConfigPath": "/t.json"}},
        Keyless(
            "https://idp.example.com",
            "release@example.com",
            trust_root=Material(path="/t.json"),
        ),
    ),
    "sigstore with a trust config inline": (
        {"sigstoreConfig": SIGSTORE, "clientTrustConfig": {"trustConfig": '{ "b": 1, "a": "ü" }'}},
        Keyless(
            "https://idp.example.com",
            "release@example.com",
            trust_root=Material(text='{"a":"ü","b":1}'),
        ),
    ),
    "certificate inline": (
        {"pkiConfig": {"certificateAuthority": CA}},
        Certificate(Material(text=CA)),
    ),
    "certificate in a file": (
        {"pkiConfig": {"certificateAuthority": "/trust/ca.pem", "certificateIdentity": "CN=x"}},
        Certificate(Material(path="/trust/ca.pem"), "CN=x"),
    ),
    "certificate without code signing": (
        {"pkiConfig": {"certificateAuthority": CA, "requireCodeSigning": False}},
        Certificate(Material(text=CA), require_code_signing=False),
    ),
    "key inline": (KEY_CONFIG, Key(Material(text=PEM))),
    "key in a file": ({"publicKeyConfig": {"keyPath": "/k"}}, Key(Material(path="/k"))),
    "key in the older spelling": (
        {"privateKeyConfig": {"keyPath": "/k"}},
        Key(Material(path="/k")),
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_each_method_of_config(name: str) -> None:
    config, signer = CONFIGS[name]
    assert decode({"config": config, "model": MODEL}).policy.signers == (signer,)


ENTRIES: dict[str, tuple[Json, object]] = {
    "sigstore": (
        {
            "name": "ci",
            "sigstore": {
                "identity": "a",
                "issuer": "https://x",
                "trustRoot": {"inline": '{"b":1,"a":2}'},
            },
        },
        Keyless("https://x", "a", trust_root=Material(text='{"a":2,"b":1}'), name="ci"),
    ),
    "sigstore without a trust root": (
        {"sigstore": {"identityRegexp": "a.", "issuer": "https://x"}},
        Keyless("https://x", identity_regexp="a."),
    ),
    "key": (
        {"key": {"publicKey": {"path": "/k", "sha256": "a" * 64}}, "name": "k"},
        Key(Material(path="/k", sha256="a" * 64), "k"),
    ),
    "key inline": ({"key": {"publicKey": {"inline": PEM}}}, Key(Material(text=PEM))),
    "certificate": (
        {"certificate": {"trustAnchors": {"inline": CA}, "identity": "CN=x"}},
        Certificate(Material(text=CA), "CN=x"),
    ),
    "certificate without code signing": (
        {"certificate": {"trustAnchors": {"path": "/ca"}, "requireCodeSigning": False}},
        Certificate(Material(path="/ca"), require_code_signing=False),
    ),
}


def test_each_method_of_signers() -> None:
    spec = {"signers": [entry for entry, _ in ENTRIES.values()], "model": MODEL}
    assert decode(spec).policy.signers == tuple(signer for _, signer in ENTRIES.values())


def test_models() -> None:
    rules = {
        "path": "/a",
        "ignorePaths": ["x"],
        "ignoreGitPaths": False,
        "ignoreUnsignedFiles": True,
        "allowSymlinks": True,
    }
    spec = {"config": KEY_CONFIG, "models": [rules, {"path": "/b", "discover": True}]}
    assert decode(spec).policy.models == (
        ModelRules(
            "/a",
            ignore_paths=("x",),
            ignore_git_paths=False,
            ignore_unsigned_files=True,
            allow_symlinks=True,
        ),
        ModelRules("/b", discover=True),
    )


def test_no_model_means_discover() -> None:
    assert decode({"config": KEY_CONFIG}).policy.models == (ModelRules(None, discover=True),)


def test_what_concerns_the_verifier_and_what_does_not() -> None:
    spec = {
        "config": KEY_CONFIG,
        "model": MODEL,
        "mode": "warn",
        "timeoutSeconds": 60,
        "mounts": "Preserve",
        "selector": {"matchLabels": {"a": "b"}},
        "namespaceSelector": {"matchExpressions": [{"key": "c", "operator": "Exists"}]},
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
        "imagePullPolicy": "Always",
    }
    found = decode(spec, kind="ClusterModelValidation")
    assert (found.policy.mode, found.policy.timeout_seconds) == ("warn", 60)
    for_all = {"config": KEY_CONFIG, "model": MODEL, "mode": "warn", "timeoutSeconds": 60}
    assert decode(for_all).policy.sha256 == found.policy.sha256
    assert found.wiring == Wiring(
        selector=Selector((Requirement("a", "In", ("b",)),)),
        namespace_selector=Selector((Requirement("c", "Exists"),)),
        mounts="Preserve",
        resources={"limits": {"cpu": 1, "memory": "1Gi"}},
        image_pull_policy="Always",
    )
    assert decode(for_all).wiring == Wiring()


WIRING_FAULTS: dict[str, Json] = {
    "selector.matchLabels.a: is not text": {"selector": {"matchLabels": {"a": 1}}},
    "selector.other: is not a known field": {"selector": {"other": {}}},
    "selector.matchExpressions[0].operator: is 'Is', not one of": {
        "selector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}
    },
    "selector.matchExpressions[0].values: In takes at least one value": {
        "selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}
    },
    "selector.matchExpressions[0].values: Exists takes no values": {
        "selector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}
    },
    "selector.matchExpressions[0].key: is missing": {
        "selector": {"matchExpressions": [{"operator": "Exists"}]}
    },
    "namespaceSelector: goes with ClusterModelValidation only": {"namespaceSelector": {}},
    "resources.limits.cpu: is not a quantity": {"resources": {"limits": {"cpu": True}}},
    "resources.claims: is not a known field": {"resources": {"claims": []}},
    "imagePullPolicy: is 'Often', not one of": {"imagePullPolicy": "Often"},
    "mounts: is 'Free', not one of": {"mounts": "Free"},
}


@pytest.mark.parametrize("fault", WIRING_FAULTS)
def test_what_is_wrong_with_the_wiring(fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode({"config": KEY_CONFIG, "model": MODEL, **WIRING_FAULTS[fault]})
    assert f"spec.{fault}" in str(caught.value)


def test_a_cluster_validation_names_its_namespaces() -> None:
    value = validation({"config": KEY_CONFIG, "model": MODEL}) | {"kind": "ClusterModelValidation"}
    with pytest.raises(ConfigError, match="namespaceSelector: is missing"):
        manifest.decode(value, "m.yaml")


def test_the_status_is_not_looked_at() -> None:
    value = validation({"config": KEY_CONFIG, "model": MODEL}) | {"status": {"conditions": []}}
    assert manifest.decode(value, "").name == "demo"


def test_one_meaning_has_one_digest_however_it_is_written() -> None:
    config = decode({"config": KEY_CONFIG, "model": MODEL})
    signers = decode(
        {"signers": [{"key": {"publicKey": {"inline": PEM}}}], "models": [MODEL]},
        version=OURS,
        kind="ClusterModelValidation",
    )
    assert config.policy.sha256 == signers.policy.sha256


def config(**methods: object) -> Json:
    return {"config": methods, "model": MODEL}


def signer(**methods: object) -> Json:
    return {"signers": [methods], "model": MODEL}


def material(**source: object) -> Json:
    return signer(key={"publicKey": source})


ONE_CONFIG = (
    "spec.config: needs exactly one of"
    " sigstoreConfig, pkiConfig, publicKeyConfig and privateKeyConfig"
)
WRONG: dict[str, tuple[object, str]] = {
    "no config": ({"model": MODEL}, "spec: needs exactly one of config and signers"),
    "config and signers": (
        config(**KEY_CONFIG) | signer(key={"publicKey": {"inline": PEM}}),
        "spec: needs exactly one of config and signers",
    ),
    "config a list": ({"config": [], "model": MODEL}, "spec.config: is not an object"),
    "config empty": (config(), ONE_CONFIG),
    "two methods": (config(**KEY_CONFIG, pkiConfig={"certificateAuthority": CA}), ONE_CONFIG),
    "two spellings of a key": (config(**KEY_CONFIG, privateKeyConfig={"key": PEM}), ONE_CONFIG),
    "unknown method": (
        config(**KEY_CONFIG, gpgConfig={}),
        "spec.config.gpgConfig: is not a known field",
    ),
    "method a text": (
        config(publicKeyConfig="x"),
        "spec.config.publicKeyConfig: is not an object",
    ),
    "trust config with a key": (
        config(**KEY_CONFIG, clientTrustConfig={"trustConfigPath": "/t"}),
        "spec.config.clientTrustConfig: goes with sigstoreConfig only",
    ),
    "no identity": (
        config(sigstoreConfig={"certificateOidcIssuer": "https://x"}),
        (
            "spec.config.sigstoreConfig: needs exactly one of certificateIdentity and"
            " certificateIdentityRegexp"
        ),
    ),
    "two identities": (
        config(sigstoreConfig=SIGSTORE | {"certificateIdentityRegexp": "a"}),
        "spec.config.sigstoreConfig: needs exactly one of",
    ),
    "identity empty": (
        config(sigstoreConfig=SIGSTORE | {"certificateIdentity": ""}),
        "spec.config.sigstoreConfig.certificateIdentity: is empty",
    ),
    "no issuer": (
        config(sigstoreConfig={"certificateIdentity": "a"}),
        "spec.config.sigstoreConfig.certificateOidcIssuer: is missing",
    ),
    "issuer empty": (
        config(sigstoreConfig=SIGSTORE | {"certificateOidcIssuer": ""}),
        "spec.config.sigstoreConfig.certificateOidcIssuer: is empty",
    ),
    "issuer no URL": (
        config(sigstoreConfig=SIGSTORE | {"certificateOidcIssuer": "idp"}),
        "spec.config.sigstoreConfig.certificateOidcIssuer: is not one exact https URL",
    ),
    "unknown field of sigstore": (
        config(sigstoreConfig=SIGSTORE | {"identity": "a"}),
        "spec.config.sigstoreConfig.identity: is not a known field",
    ),
    "trust config empty": (
        config(sigstoreConfig=SIGSTORE, clientTrustConfig={}),
        "spec.config.clientTrustConfig: needs exactly one of trustConfigPath and trustConfig",
    ),
    "trust config no JSON": (
        config(sigstoreConfig=SIGSTORE, clientTrustConfig={"trustConfig": "{"}),
        "spec.config.clientTrustConfig.trustConfig: is not JSON",
    ),
    "trust config a list": (
        config(sigstoreConfig=SIGSTORE, clientTrustConfig={"trustConfig": "[]"}),
        "spec.config.clientTrustConfig.trustConfig: is not a JSON object",
    ),
    "trust config not Unicode": (
        config(sigstoreConfig=SIGSTORE, clientTrustConfig={"trustConfig": '{"a":"\\ud800"}'}),
        "spec.config.clientTrustConfig.trustConfig: holds half a surrogate pair",
    ),
    "trust config relative": (
        config(sigstoreConfig=SIGSTORE, clientTrustConfig={"trustConfigPath": "t"}),
        "spec.config.clientTrustConfig.trustConfigPath: is not an absolute",
    ),
    "no authority": (
        config(pkiConfig={"certificateIdentity": "a"}),
        "spec.config.pkiConfig.certificateAuthority: is missing",
    ),
    "authority neither PEM nor path": (
        config(pkiConfig={"certificateAuthority": "ca.pem"}),
        "spec.config.pkiConfig.certificateAuthority: is neither PEM nor an absolute path",
    ),
    "unknown field of pki": (
        config(pkiConfig={"certificateAuthority": CA, "intermediates": []}),
        "spec.config.pkiConfig.intermediates: is not a known field",
    ),
    "no key": (config(publicKeyConfig={}), "spec.config.publicKeyConfig: needs exactly one of"),
    "two keys": (
        config(privateKeyConfig={"key": PEM, "keyPath": "/k"}),
        "spec.config.privateKeyConfig: needs exactly one of key and keyPath",
    ),
    "key path relative": (
        config(publicKeyConfig={"keyPath": "k"}),
        "spec.config.publicKeyConfig.keyPath: is not an absolute",
    ),
    "no signers": ({"signers": [], "model": MODEL}, "spec.signers: is empty"),
    "signer without a method": (
        signer(name="x"),
        "spec.signers[0]: needs exactly one of sigstore, key and certificate",
    ),
    "signer with two methods": (
        signer(key={"publicKey": {"inline": PEM}}, sigstore={}),
        "spec.signers[0]: needs exactly one of sigstore, key and certificate",
    ),
    "signer with an unknown field": (
        signer(key={"publicKey": {"inline": PEM}}, extra=1),
        "spec.signers[0].extra: is not a known field",
    ),
    "signer's key missing": (signer(key={}), "spec.signers[0].key.publicKey: is missing"),
    "material empty": (
        material(),
        (
            "spec.signers[0].key.publicKey: needs exactly one of"
            " inline, path, secretKeyRef and configMapKeyRef"
        ),
    ),
    "material twice": (
        material(inline=PEM, path="/k"),
        "spec.signers[0].key.publicKey: needs exactly one of",
    ),
    "material in a secret": (
        material(secretKeyRef={"name": "s", "key": "k"}),
        (
            "spec.signers[0].key.publicKey.secretKeyRef:"
            " can only be read in the cluster, by the controller"
        ),
    ),
    "material in a config map": (
        material(configMapKeyRef={"name": "s", "key": "k"}),
        (
            "spec.signers[0].key.publicKey.configMapKeyRef:"
            " can only be read in the cluster, by the controller"
        ),
    ),
    "pin of inline material": (
        material(inline=PEM, sha256="0" * 64),
        "spec.signers[0].key.publicKey.sha256: goes with path only",
    ),
    "pin no digest": (
        material(path="/k", sha256="0"),
        "spec.signers[0].key.publicKey.sha256: is not a SHA-256 digest",
    ),
    "trust root of a signer no JSON": (
        signer(sigstore={"identity": "a", "issuer": "https://x", "trustRoot": {"inline": "x"}}),
        "spec.signers[0].sigstore.trustRoot.inline: is not JSON",
    ),
    "unknown field of a signer's method": (
        signer(certificate={"trustAnchors": {"inline": CA}, "chain": 1}),
        "spec.signers[0].certificate.chain: is not a known field",
    ),
    "model and models": (
        config(**KEY_CONFIG) | {"models": [MODEL]},
        "spec: has both model and models: give one of them",
    ),
    "models empty": (
        {"config": KEY_CONFIG, "models": []},
        "spec.models: is empty",
    ),
    "model path relative": (
        {"config": KEY_CONFIG, "model": {"path": "m"}},
        "spec.model.path: is not an absolute, normalised path",
    ),
    "model without path": ({"config": KEY_CONFIG, "model": {}}, "spec.model.path: is missing"),
    "unknown field of a model": (
        {"config": KEY_CONFIG, "models": [MODEL | {"x": 1}]},
        "spec.models[0].x: is not a known field",
    ),
    "unknown mode": (config(**KEY_CONFIG) | {"mode": "audit"}, "spec.mode: is 'audit', not one"),
    "unknown mounts": (
        config(**KEY_CONFIG) | {"mounts": "rw"},
        "spec.mounts: is 'rw', not one of ReadOnly, Preserve",
    ),
    "time as text": (
        config(**KEY_CONFIG) | {"timeoutSeconds": "60"},
        "spec.timeoutSeconds: is not a whole number",
    ),
    "unknown field": (config(**KEY_CONFIG) | {"x": 1}, "spec.x: is not a known field"),
    "unknown field, null": (
        config(**KEY_CONFIG) | {"x": None},
        "spec.x: is not a known field",
    ),
    "spec missing": (None, "spec: is missing"),
    "spec a list": ([], "spec: is not an object"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str) -> None:
    spec, expected = WRONG[name]
    found = spec_problems(spec)
    assert any(problem.startswith(expected) for problem in found), found


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ({"apiVersion": "v1"}, "apiVersion: is 'v1' with kind 'ModelValidation'"),
        (
            {"apiVersion": "ml.sigstore.dev/v1beta1"},
            "apiVersion: is 'ml.sigstore.dev/v1beta1' with kind",
        ),
        (
            {"apiVersion": THEIRS, "kind": "ClusterModelValidation"},
            f"apiVersion: is {THEIRS!r} with kind 'ClusterModelValidation'",
        ),
        ({"kind": "MyModelValidation"}, f"apiVersion: is {OURS!r} with kind 'MyModelValidation'"),
        ({"apiVersion": None}, "apiVersion: is missing"),
        ({"metadata": {}}, "metadata.name: is missing"),
        ({"metadata": None}, "metadata: is missing"),
        ({"metadata": {"name": ""}}, "metadata.name: is empty"),
        ({"data": {}}, "data: is not a known field"),
    ],
)
def test_what_is_refused_around_the_spec(top: Json, expected: str) -> None:
    found = problems(validation({"config": KEY_CONFIG, "model": MODEL}) | top)
    assert any(problem.startswith(expected) for problem in found), found


def test_all_faults_are_told_at_once() -> None:
    spec = {
        "config": {"publicKeyConfig": {"keyPath": "k"}},
        "model": {"path": "m", "ignorePaths": ["*"]},
        "mode": "x",
        "extra": 1,
    }
    assert spec_problems(spec) == [
        "spec.model.path: is not an absolute, normalised path",
        "spec.model.ignorePaths[0]: is not an exact relative path",
        "spec.config.publicKeyConfig.keyPath: is not an absolute, normalised path",
        "spec.mode: is 'x', not one of enforce, warn",
        "spec.extra: is not a known field",
    ]


@pytest.mark.parametrize(
    ("value", "claims"),
    [
        (validation({}), True),
        ({"kind": "ClusterModelValidation"}, True),
        ({"kind": "ConfigMap"}, False),
        ({"kind": None}, False),
        ([], False),
        (None, False),
    ],
)
def test_what_claims_to_be_a_validation(value: object, *, claims: bool) -> None:
    assert manifest.is_validation(value) is claims


def test_a_manifest_is_plain_json_too() -> None:
    value = json.loads(json.dumps(validation({"config": KEY_CONFIG, "model": MODEL})))
    assert manifest.decode(value, "").policy.models == (ModelRules("/data/m"),)
