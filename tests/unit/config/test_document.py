"""The policy document: strict in, canonical out, one digest for one meaning."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.schemas import check_policy, fault
from verifier_cli.config import document
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules, Policy

Json = dict[str, Any]
KEY = {"method": "key", "publicKey": "-----BEGIN PUBLIC KEY-----\n"}
MODEL = {"path": "/data/m"}
SMALLEST = {"schema": document.SCHEMA, "models": [MODEL], "signers": [KEY]}

LARGEST = {
    "schema": document.SCHEMA,
    "mode": "warn",
    "timeoutSeconds": 86400,
    "models": [
        {
            "path": "/data/ü",
            "signaturePath": "/data/ü.sig",
            "ignorePaths": ["cache", "a/b"],
            "ignoreGitPaths": False,
            "ignoreUnsignedFiles": True,
            "allowSymlinks": True,
        },
        {"path": "/models", "discover": True},
        {"discover": True},
    ],
    "signers": [
        {
            "method": "sigstore",
            "name": "release",
            "identity": "release@example.com",
            "issuer": "https://idp.example.com",
            "trustRoot": {"b": [1], "a": "ü"},
        },
        {
            "method": "sigstore",
            "identityRegexp": r".+@example\.com",
            "issuer": "https://idp.example.com",
            "trustRootPath": "/trust/root.json",
            "trustRootSha256": "0" * 64,
        },
        {"method": "sigstore", "identity": "a", "issuer": "https://x"},
        KEY | {"name": "key"},
        {"method": "key", "publicKeyPath": "/trust/key.pub", "publicKeySha256": "a" * 64},
        {
            "method": "certificate",
            "trustAnchors": "-----BEGIN CERTIFICATE-----",
            "identity": "CN=x",
            "requireCodeSigning": False,
            "name": "pki",
        },
        {"method": "certificate", "trustAnchorsPath": "/trust/ca.pem"},
    ],
}


def decode(value: object) -> Policy:
    return document.decode(json.dumps(value).encode(), "policy.json")


def problems(value: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        decode(value)
    assert str(caught.value).startswith("policy.json: ")
    return [str(problem) for problem in caught.value.problems]


def with_model(**changes: object) -> Json:
    return SMALLEST | {"models": [MODEL | changes]}


def with_signer(*signers: object) -> Json:
    return SMALLEST | {"signers": list(signers)}


def test_the_smallest_policy_has_every_default() -> None:
    check_policy(SMALLEST)
    found = decode(SMALLEST)
    assert found.models == (ModelRules("/data/m"),)
    assert found.models[0].ignore_git_paths
    assert found.signers == (Key(Material(text=str(KEY["publicKey"]))),)
    assert (found.mode, found.timeout_seconds, found.local) == ("enforce", 900, False)
    assert found.source == "policy.json"
    assert found.sha256 == hashlib.sha256(json.dumps(SMALLEST).encode()).hexdigest()


def test_the_largest_policy() -> None:
    check_policy(LARGEST)
    found = decode(LARGEST)
    assert (found.mode, found.timeout_seconds) == ("warn", 86400)
    assert found.models == (
        ModelRules(
            "/data/ü",
            "/data/ü.sig",
            ("cache", "a/b"),
            ignore_git_paths=False,
            ignore_unsigned_files=True,
            allow_symlinks=True,
        ),
        ModelRules("/models", discover=True),
        ModelRules(None, discover=True),
    )
    assert found.signers == (
        Keyless(
            "https://idp.example.com",
            "release@example.com",
            trust_root=Material(text='{"a":"ü","b":[1]}'),
            name="release",
        ),
        Keyless(
            "https://idp.example.com",
            identity_regexp=r".+@example\.com",
            trust_root=Material(path="/trust/root.json", sha256="0" * 64),
        ),
        Keyless("https://x", "a"),
        Key(Material(text=str(KEY["publicKey"])), "key"),
        Key(Material(path="/trust/key.pub", sha256="a" * 64)),
        Certificate(
            Material(text="-----BEGIN CERTIFICATE-----"),
            "CN=x",
            require_code_signing=False,
            name="pki",
        ),
        Certificate(Material(path="/trust/ca.pem")),
    )


def test_canonical_documents_are_stable() -> None:
    encoded = document.encode(decode(LARGEST))
    check_policy(encoded)
    assert document.encode(document.decode(encoded, "again")) == encoded
    # Pods are pinned to digests: if this one changes, every pinned policy is refused after an
    # upgrade of the controller. Then it is time for model-verify/policy/v2.
    golden = "8aad68222a368823"
    assert hashlib.sha256(encoded).hexdigest()[:16] == golden


def test_the_canonical_form_itself() -> None:
    assert document.encode(decode(SMALLEST)) == (
        b'{"mode":"enforce","models":[{"allowSymlinks":false,"ignoreGitPaths":true,'
        b'"ignorePaths":[],"ignoreUnsignedFiles":false,"path":"/data/m"}],'
        b'"schema":"model-verify/policy/v1","signers":[{"method":"key",'
        b'"publicKey":"-----BEGIN PUBLIC KEY-----\\n"}],"timeoutSeconds":900}'
    )


def test_order_and_spacing_do_not_matter_to_the_meaning() -> None:
    reordered = json.dumps(dict(reversed(list(LARGEST.items()))), indent=3).encode()
    assert document.encode(document.decode(reordered, "")) == document.encode(decode(LARGEST))


def test_what_only_a_command_line_can_say_is_not_read_back() -> None:
    policy = Policy((ModelRules("/m"),), (Keyless("https://x", "a", staging=True),))
    encoded = document.encode(policy)
    assert fault("policy", json.loads(encoded)) is not None
    with pytest.raises(ConfigError, match="staging: is not a known field"):
        document.decode(encoded, "")


WRONG: dict[str, tuple[object, str]] = {
    "no schema": ({k: v for k, v in SMALLEST.items() if k != "schema"}, "schema: is missing"),
    "another schema": (
        SMALLEST | {"schema": "model-verify/policy/v2"},
        "schema: is 'model-verify/policy/v2', not 'model-verify/policy/v1'",
    ),
    "schema a number": (SMALLEST | {"schema": 1}, "schema: is a number where text is wanted"),
    "unknown field": (SMALLEST | {"extra": 1}, "extra: is not a known field"),
    "unknown field, null": (SMALLEST | {"extra": None}, "extra: is not a known field"),
    "unknown mode": (SMALLEST | {"mode": "audit"}, "mode: is 'audit', not one of enforce, warn"),
    "empty mode": (SMALLEST | {"mode": ""}, "mode: is empty"),
    "no time": (
        SMALLEST | {"timeoutSeconds": 0},
        "timeoutSeconds: is not a whole number from 1 to 86400",
    ),
    "too much time": (
        SMALLEST | {"timeoutSeconds": 86401},
        "timeoutSeconds: is not a whole number from 1 to 86400",
    ),
    "time with a fraction": (
        SMALLEST | {"timeoutSeconds": 1.5},
        "timeoutSeconds: is not a whole number from 1 to 86400",
    ),
    "time true": (
        SMALLEST | {"timeoutSeconds": True},
        "timeoutSeconds: is not a whole number from 1 to 86400",
    ),
    "no models": (SMALLEST | {"models": []}, "models: is empty"),
    "models missing": ({k: v for k, v in SMALLEST.items() if k != "models"}, "models: is missing"),
    "models an object": (SMALLEST | {"models": {}}, "models: is not a list"),
    "model a text": (SMALLEST | {"models": ["/m"]}, "models[0]: is not an object"),
    "no path": (SMALLEST | {"models": [{}]}, "models[0].path: is missing"),
    "path empty": (with_model(path=""), "models[0].path: is empty"),
    "path relative": (
        with_model(path="data/m"),
        "models[0].path: is not an absolute, normalised path",
    ),
    "path with dots": (
        with_model(path="/data/../m"),
        "models[0].path: is not an absolute, normalised path",
    ),
    "path with a slash at its end": (
        with_model(path="/data/"),
        "models[0].path: is not an absolute, normalised path",
    ),
    "path is the root": (
        with_model(path="/"),
        "models[0].path: is not an absolute, normalised path",
    ),
    "signature path relative": (
        with_model(signaturePath="m.sig"),
        "models[0].signaturePath: is not an absolute, normalised path",
    ),
    "signature path with discover": (
        with_model(discover=True, signaturePath="/m.sig"),
        "models[0].signaturePath: does not go with discover",
    ),
    "discover a text": (
        with_model(discover="true"),
        "models[0].discover: is text where true or false is wanted",
    ),
    "ignored path a glob": (
        with_model(ignorePaths=["ok", "*.tmp"]),
        "models[0].ignorePaths[1]: is not an exact relative path",
    ),
    "ignored path leads out": (
        with_model(ignorePaths=["../x"]),
        "models[0].ignorePaths[0]: is not an exact relative path",
    ),
    "ignored path absolute": (
        with_model(ignorePaths=["/x"]),
        "models[0].ignorePaths[0]: is not an exact relative path",
    ),
    "ignored path a number": (
        with_model(ignorePaths=[1]),
        "models[0].ignorePaths[0]: is not text",
    ),
    "ignored paths a text": (
        with_model(ignorePaths="x"),
        "models[0].ignorePaths: is not a list",
    ),
    "links a number": (with_model(allowSymlinks=1), "models[0].allowSymlinks: is a number"),
    "unknown rule": (with_model(allow_symlinks=True), "models[0].allow_symlinks: is not a known"),
    "no signers": (SMALLEST | {"signers": []}, "signers: is empty"),
    "signers missing": (
        {k: v for k, v in SMALLEST.items() if k != "signers"},
        "signers: is missing",
    ),
    "no method": (with_signer({}), "signers[0].method: is missing"),
    "unknown method": (
        with_signer({"method": "pgp"}),
        "signers[0].method: is 'pgp', not one of sigstore, key, certificate",
    ),
    "no key": (
        with_signer({"method": "key"}),
        "signers[0]: needs exactly one of publicKey and publicKeyPath",
    ),
    "two keys": (
        with_signer(KEY | {"publicKeyPath": "/k"}),
        "signers[0]: needs exactly one of publicKey and publicKeyPath",
    ),
    "key empty": (with_signer({"method": "key", "publicKey": " "}), "signers[0].publicKey: is emp"),
    "key path relative": (
        with_signer({"method": "key", "publicKeyPath": "k"}),
        "signers[0].publicKeyPath: is not an absolute",
    ),
    "pin of an inline key": (
        with_signer(KEY | {"publicKeySha256": "0" * 64}),
        "signers[0].publicKeySha256: goes with publicKeyPath only",
    ),
    "pin too short": (
        with_signer({"method": "key", "publicKeyPath": "/k", "publicKeySha256": "0" * 63}),
        "signers[0].publicKeySha256: is not a SHA-256 digest in lower-case hex",
    ),
    "pin in upper case": (
        with_signer({"method": "key", "publicKeyPath": "/k", "publicKeySha256": "A" * 64}),
        "signers[0].publicKeySha256: is not a SHA-256 digest in lower-case hex",
    ),
    "field of another method": (
        with_signer(KEY | {"identity": "a"}),
        "signers[0].identity: is not a known field",
    ),
    "no anchors": (
        with_signer({"method": "certificate"}),
        "signers[0]: needs exactly one of trustAnchors and trustAnchorsPath",
    ),
    "identity empty": (
        with_signer({"method": "certificate", "trustAnchors": "x", "identity": ""}),
        "signers[0].identity: is empty",
    ),
    "no identity": (
        with_signer({"method": "sigstore", "issuer": "https://x"}),
        "signers[0]: needs exactly one of identity and identityRegexp",
    ),
    "two identities": (
        with_signer(
            {"method": "sigstore", "issuer": "https://x", "identity": "a", "identityRegexp": "a"}
        ),
        "signers[0]: needs exactly one of identity and identityRegexp",
    ),
    "no issuer": (
        with_signer({"method": "sigstore", "identity": "a"}),
        "signers[0].issuer: is missing",
    ),
    "issuer empty": (
        with_signer({"method": "sigstore", "identity": "a", "issuer": ""}),
        "signers[0].issuer: is empty",
    ),
    "issuer without https": (
        with_signer({"method": "sigstore", "identity": "a", "issuer": "http://x"}),
        "signers[0].issuer: is not one exact https URL",
    ),
    "issuer without a host": (
        with_signer({"method": "sigstore", "identity": "a", "issuer": "https://"}),
        "signers[0].issuer: is not one exact https URL",
    ),
    "issuer with half a host": (
        with_signer({"method": "sigstore", "identity": "a", "issuer": "https://["}),
        "signers[0].issuer: is not one exact https URL",
    ),
    "issuer with a space": (
        with_signer({"method": "sigstore", "identity": "a", "issuer": "https://x https://y"}),
        "signers[0].issuer: is not one exact https URL",
    ),
    "expression broken": (
        with_signer({"method": "sigstore", "identityRegexp": "(", "issuer": "https://x"}),
        "signers[0].identityRegexp: is not an expression that RE2 takes",
    ),
    "expression for everybody": (
        with_signer({"method": "sigstore", "identityRegexp": ".*", "issuer": "https://x"}),
        "signers[0].identityRegexp: matches every identity",
    ),
    "trust root a text": (
        with_signer(
            {"method": "sigstore", "identity": "a", "issuer": "https://x", "trustRoot": ""}
        ),
        "signers[0].trustRoot: is not an object",
    ),
    "trust root not Unicode": (
        with_signer(
            {
                "method": "sigstore",
                "identity": "a",
                "issuer": "https://x",
                "trustRoot": {"a": "\ud800"},
            }
        ),
        "holds half a surrogate pair",
    ),
    "trust root twice": (
        with_signer(
            {
                "method": "sigstore",
                "identity": "a",
                "issuer": "https://x",
                "trustRoot": {},
                "trustRootPath": "/t",
            }
        ),
        "signers[0]: needs exactly one of trustRoot and trustRootPath",
    ),
    "staging": (
        with_signer(
            {"method": "sigstore", "identity": "a", "issuer": "https://x", "staging": True}
        ),
        "signers[0].staging: is not a known field",
    ),
}
# What JSON Schema cannot say, or says of JSON numbers only.
_BEYOND_THE_SCHEMA = {
    "trust root not Unicode",
    "expression broken",
    "expression for everybody",
    "issuer with half a host",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str) -> None:
    value, expected = WRONG[name]
    assert any(problem.startswith(expected) for problem in problems(value)), problems(value)
    if name not in _BEYOND_THE_SCHEMA:
        assert fault("policy", value) is not None, "the schema accepts it"


def test_all_faults_are_told_at_once() -> None:
    value = {
        "schema": "x",
        "mode": "y",
        "models": [{"path": "m"}, {"ignorePaths": 1}],
        "signers": [{"method": "key"}, {"method": "z"}],
        "extra": 1,
    }
    assert problems(value) == [
        "schema: is 'x', not 'model-verify/policy/v1'",
        "mode: is 'y', not one of enforce, warn",
        "models[0].path: is not an absolute, normalised path",
        "models[1].path: is missing",
        "models[1].ignorePaths: is not a list",
        "signers[0]: needs exactly one of publicKey and publicKeyPath",
        "signers[1].method: is 'z', not one of sigstore, key, certificate",
        "extra: is not a known field",
    ]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"null", b'{"a":1,"a":1}', b"\xff", b"NaN"])
def test_what_is_no_document(raw: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^p\.json: "):
        document.decode(raw, "p.json")
