"""Policies that cannot be used, material that is not the pinned one, and who of several signed."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    ByCertificate,
    ByKey,
    Json,
    Model,
    check,
    expect,
    findings,
    process,
)
from tests.damage.chains import chain
from verifier_cli.config import document, reader
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Certificate, Key, Material
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).sign(ByKey.new())


@pytest.fixture
def key(tmp_path: Path, model: Model) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(model.by.public_pem)  # type: ignore[attr-defined]
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_pinned_material(model: Model, key: Path) -> None:
    model.signers = (Key(Material(path=str(key), sha256=sha256(key))),)
    assert not findings(expect(model, Reason.VERIFIED))


def test_material_that_nothing_pins_is_a_warning(model: Model, key: Path) -> None:
    model.signers = (Key(Material(path=str(key))),)
    report = expect(model, Reason.VERIFIED)
    assert [finding.code for finding in findings(report)] == [Code.MATERIAL_UNPINNED]
    assert str(key) in findings(report)[0].detail


def test_material_in_the_policy_needs_no_pin(model: Model) -> None:
    assert not findings(expect(model, Reason.VERIFIED))


@pytest.mark.parametrize("change", ["\n", "other key"])
def test_material_that_is_not_the_pinned_one(model: Model, key: Path, change: str) -> None:
    pinned = sha256(key)
    key.write_text(ByKey.new().public_pem if change == "other key" else key.read_text() + change)
    model.signers = (Key(Material(path=str(key), sha256=pinned)),)
    with pytest.raises(ConfigError, match=pinned):
        model.verify()


def test_anchors_that_are_not_the_pinned_ones(tmp_path: Path) -> None:
    made = chain()
    model = Model(tmp_path).sign(ByCertificate(made))
    roots = tmp_path / "roots.pem"
    roots.write_text(made.anchors())
    model.signers = (Certificate(Material(path=str(roots), sha256=sha256(roots))),)
    expect(model, Reason.VERIFIED)
    roots.write_text(made.anchors() + chain().anchors())
    with pytest.raises(ConfigError):
        model.verify()


@pytest.mark.parametrize("where", ["nowhere", "directory", "huge"])
def test_material_that_cannot_be_read(tmp_path: Path, model: Model, where: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "huge").write_bytes(b" " * ((1 << 20) + 1))
    model.signers = (*model.signers, Key(Material(path=str(tmp_path / where))))
    with pytest.raises(ConfigError, match=where):
        model.verify()


def test_every_piece_of_bad_material_is_named(tmp_path: Path, model: Model) -> None:
    model.signers = tuple(Key(Material(path=str(tmp_path / name))) for name in ("one", "two"))
    with pytest.raises(ConfigError) as caught:
        model.verify()
    assert len(caught.value.problems) == 2


GOOD: Json = {
    "schema": "model-verify/policy/v1",
    "mode": "enforce",
    "timeoutSeconds": 60,
    "models": [{"path": "/data/model", "ignorePaths": ["logs"]}],
    "signers": [{"method": "key", "publicKey": "PEM"}],
}
MODEL, SIGNER = "models/0", "signers/0"
FAULTS: dict[str, list[object]] = {
    "schema": [None, "", 1, "model-verify/policy/v2"],
    "mode": [None, "", "audit", "Enforce", True],
    "timeoutSeconds": [None, 0, -1, 86401, 1.5, "60", True],
    "models": [None, [], {}, "x", [1], [{}], [None]],
    "signers": [None, [], {}, "x", [1], [{}], [None]],
    "extra": [1, None],
    f"{MODEL}/path": [None, "", " ", 1, "data", "./data", "/data/", "/data/../x", "/", "/a//b", "/a\0"],  # noqa: E501
    f"{MODEL}/signaturePath": ["", 1, "model.sig", "/x/../y"],
    f"{MODEL}/ignorePaths": ["logs", [""], [1], ["*"], ["/x"], ["../x"], [None]],
    f"{MODEL}/ignoreGitPaths": ["true", 1, None],
    f"{MODEL}/ignoreUnsignedFiles": ["false", 0],
    f"{MODEL}/allowSymlinks": ["false", 0, []],
    f"{MODEL}/allow_symlinks": [True],
    f"{MODEL}/discover": ["yes", 1],
    f"{SIGNER}/method": [None, "", "keyless", "sigstore", "certificate", 1],
    f"{SIGNER}/publicKey": [None, "", 1],
    f"{SIGNER}/publicKeyPath": ["/key.pub"],
    f"{SIGNER}/publicKeySha256": ["0" * 64],
    f"{SIGNER}/identity": ["x"],
    f"{SIGNER}/name": ["", 1],
}  # fmt: skip


def test_the_good_policy_is_read() -> None:
    policy = document.decode(json.dumps(GOOD).encode(), "policy")
    assert policy.models[0].ignore_paths == ("logs",)


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path, values in FAULTS.items() for value in values],
    ids=lambda value: repr(value)[:24],
)
def test_a_policy_with_one_fault(path: str, value: object) -> None:
    policy = copy.deepcopy(GOOD)
    place = policy
    *way, last = path.split("/")
    for step in way:
        place = place[int(step) if step.isdigit() else step]  # type: ignore[index]
    place[last] = value
    with pytest.raises(ConfigError) as caught:
        document.decode(json.dumps(policy).encode(), "policy")
    named = [problem.where for problem in caught.value.problems]
    top = path.split("/", 1)[0]
    assert any(where.startswith(top) for where in named), named


@pytest.mark.parametrize(
    "signer",
    [
        {"identity": "", "issuer": "https://x.example"},
        {"identity": "a@example.com", "issuer": ""},
        {"identity": "a@example.com"},
        {"issuer": "https://x.example"},
        {"identity": "a@example.com", "issuer": "http://x.example"},
        {"identity": "a", "identityRegexp": "a", "issuer": "https://x.example"},
        {"identityRegexp": ".*", "issuer": "https://x.example"},
        {"identityRegexp": "(", "issuer": "https://x.example"},
        {"identity": "a", "issuer": "https://x.example", "staging": True},
        {"identity": "a", "issuer": "https://x.example", "trustRoot": "x"},
        {"identity": "a", "issuer": "https://x.example", "trustRootPath": "x"},
    ],
    ids=repr,
)
def test_a_sigstore_signer_who_is_nobody(signer: Json) -> None:
    policy = GOOD | {"signers": [{"method": "sigstore"} | signer]}
    with pytest.raises(ConfigError):
        document.decode(json.dumps(policy).encode(), "policy")


def test_the_digest_of_a_policy_is_that_of_its_bytes(tmp_path: Path, model: Model) -> None:
    file = model.policy_file(tmp_path / "policy.json")
    spaced = tmp_path / "spaced.json"
    spaced.write_text(json.dumps(json.loads(file.read_bytes()), indent=1))
    for each in (file, spaced):
        assert reader.read_policy(str(each)).sha256 == sha256(each)
    assert sha256(file) != sha256(spaced)


@pytest.mark.parametrize("option", ["--public-key", "--certificate-chain", "--identity"])
def test_a_policy_excludes_signers_on_the_command_line(
    tmp_path: Path, model: Model, key: Path, option: str
) -> None:
    file = model.policy_file(tmp_path / "policy.json")
    assert process("verify", "--policy", file, option, key).returncode == 2


def test_a_path_of_the_policy_may_be_given_anew(tmp_path: Path, model: Model) -> None:
    file = model.policy_file(tmp_path / "policy.json")
    moved = model.path.rename(tmp_path / "moved")
    assert process("verify", "--policy", file).returncode == 20
    assert process("verify", moved, "--policy", file).returncode == 0


# Several signers of several methods.


@pytest.mark.parametrize("place", [0, 1])
def test_any_one_signer_suffices(tmp_path: Path, model: Model, place: int) -> None:
    other = ByCertificate(chain()).trusted()
    model.signers = (*model.signers, other) if place else (other, *model.signers)
    expect(model, Reason.VERIFIED)
    del tmp_path


def test_no_signer_accepts(model: Model) -> None:
    model.signers = (ByCertificate(chain()).trusted(), ByKey.new().trusted())
    report = model.verify()
    check(
        report,
        Reason.SIGNER_UNTRUSTED,
        (Code.METHOD_MISMATCH, ""),
        (Code.KEY_MISMATCH, ""),
    )


def test_a_broken_signature_outweighs_strangers(model: Model) -> None:
    bundle = model.bundle
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = "eA=="
    model.rewrite(bundle)
    model.signers = (ByCertificate(chain()).trusted(), *model.signers)
    check(
        model.verify(),
        Reason.SIGNATURE_INVALID,
        (Code.METHOD_MISMATCH, ""),
        (Code.SIGNATURE_WRONG, ""),
    )
