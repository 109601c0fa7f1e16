"""`policy check`: every fault at once, with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Run

POLICIES = sorted((REPOSITORY / "testdata/policies").glob("*.yaml"))

BROKEN = b"""
apiVersion: ml.sigstore.dev/v1alpha1
kind: ModelValidation
metadata: {name: first}
spec:
  config: {publicKeyConfig: {key: nonsense}}
  model: {path: /data/m}
---
apiVersion: ml.sigstore.dev/v1alpha1
kind: ModelValidation
metadata: {name: second}
spec:
  signers:
  - certificate: {trustAnchors: {inline: nonsense}}
  - key: {publicKey: {path: /in/the/pod}}
  model: {path: /data/m}
"""


def test_sound_files(cli: Run) -> None:
    result = cli("policy", "check", *POLICIES)
    assert result.code == 0
    assert result.out.splitlines() == [f"{path}: sound" for path in POLICIES]


def test_material_in_the_policy_is_read_too(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(BROKEN)
    result = cli("policy", "check", path)
    assert result.code == 3
    first, second = result.out.splitlines()
    assert first.startswith(f"{path}: signers[0].publicKey: is not a PEM public key")
    assert second.startswith(f"{path}: signers[0].trustAnchors: holds no PEM certificate")


def test_faults_of_all_files(cli: Run, tmp_path: Path) -> None:
    broken, absent = tmp_path / "p.json", tmp_path / "absent"
    broken.write_bytes(b'{"schema": "x", "extra": 1}')
    result = cli("policy", "check", broken, POLICIES[0], absent)
    assert result.code == 3
    lines = result.out.splitlines()
    assert f"{broken}: schema: is 'x', not 'model-verify/policy/v1'" in lines
    assert f"{broken}: extra: is not a known field" in lines
    assert f"{POLICIES[0]}: sound" in lines
    assert lines[-1].startswith(f"{absent}: no such file")


@pytest.mark.parametrize(
    "raw", [b'kind: "\\x1b[2J"\n', b'{"schema": "\\u001b[2J\\n"}', b'"\\u202e": x\n']
)
def test_hostile_content_is_not_printed_raw(cli: Run, tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "p"
    path.write_bytes(raw)
    result = cli("policy", "check", path)
    assert result.code == 3
    assert all(line.isprintable() for line in result.out.splitlines())


def test_help(cli: Run) -> None:
    assert "check" in cli("policy", "--help").out
