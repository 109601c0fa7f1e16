"""`inspect`: claims, called claims; hostile ones too."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.schemas import require_printable
from tests.unit.conftest import REPOSITORY
from tests.unit.signing import Signer, chain_material, leaf, resources, root, statement
from verifier_cli.config import manifest
from verifier_cli.config.strictyaml import load_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Run

TESTDATA = REPOSITORY / "testdata"
MODELS = ["savedmodel-key", "savedmodel-certificate", "savedmodel-sigstore"]
SIGNER = Signer()


def signature(tmp_path: Path, files: dict[str, bytes]) -> Path:
    path = tmp_path / "model.sig"
    path.write_text(json.dumps(SIGNER.bundle(statement(resources(files)))), encoding="utf-8")
    return path


@pytest.mark.parametrize("model", MODELS)
def test_text_begins_with_what_it_is_worth(cli: Run, model: str) -> None:
    result = cli("inspect", TESTDATA / model / "model.sig")
    assert result.code == 0
    assert result.out.startswith("Nothing was verified: ")
    for expected in (model.removeprefix("savedmodel-"), "sha256", "saved_model.pb", "v1.0"):
        assert expected in result.out


@pytest.mark.parametrize("model", MODELS)
def test_json(cli: Run, model: str) -> None:
    found = json.loads(cli("inspect", TESTDATA / model / "model.sig", "--output=json").out)
    assert found["verified"] is False
    assert found["method"] == model.removeprefix("savedmodel-")
    assert len(found["statement"]["files"]) == 4
    assert found["statement"]["rootDigest"]


@pytest.mark.parametrize("model", MODELS)
def test_a_policy_is_suggested_that_can_be_read(cli: Run, model: str) -> None:
    result = cli("inspect", TESTDATA / model / "model.sig", "--suggest-policy")
    assert result.code == 0
    assert result.out.startswith("# Nothing was verified: ")
    (value,) = load_all(result.out.encode())
    assert len(manifest.decode(value, "").policy.signers) == 1


def test_many_files_are_not_all_listed(cli: Run, tmp_path: Path) -> None:
    path = signature(tmp_path, {f"f{index:02}": b"" for index in range(15)})
    text = cli("inspect", path).out
    # Not anywhere in the text: digests are random, and have letters and digits too.
    listed = re.findall(r"^    - (f[0-9]{2})$", text, re.MULTILINE)
    assert listed == [f"f{index:02}" for index in range(10)]
    assert "and 5 more" in text
    assert len(json.loads(cli("inspect", path, "--output=json").out)["statement"]["files"]) == 15


def test_a_statement_that_cannot_be_read_is_said(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text(json.dumps(SIGNER.bundle({"_type": "x"})), encoding="utf-8")
    result = cli("inspect", path)
    assert result.code == 0
    assert "fault" in result.out
    assert "_type is 'x'" in result.out


HOSTILE = "\x1b[2J\nverified\u202e\x9b"


@pytest.mark.parametrize("option", ["--output=text", "--output=json", "--suggest-policy"])
def test_hostile_claims_are_not_printed_raw(cli: Run, tmp_path: Path, option: str) -> None:
    authority = root(HOSTILE)
    signed_by = leaf(authority, HOSTILE, extensions=[])
    signer = Signer(signed_by.key)
    chain = chain_material(signed_by.certificate)
    path = tmp_path / "s"
    document = signer.bundle(statement(resources({HOSTILE: b""})), **chain)
    path.write_text(json.dumps(document), encoding="utf-8")
    result = cli("inspect", path, option)
    assert result.code == 0
    for line in result.out.split("\n"):
        assert line.isprintable()
    if option == "--output=json":
        require_printable(json.loads(result.out))
    if option == "--suggest-policy":
        (value,) = load_all(result.out.encode())
        assert "verified" in value["spec"]["config"]["pkiConfig"]["certificateIdentity"]


def test_no_name_is_a_command_to_a_ci_runner(cli: Run, tmp_path: Path) -> None:
    text = cli("inspect", signature(tmp_path, {"::error::x": b"", "##[error]y": b""})).out
    for line in text.splitlines():
        assert not line.lstrip().startswith(("::", "##["))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), (b"", "is not JSON"), (b"{}", "mediaType is missing")],
)
def test_what_cannot_be_inspected(
    cli: Run, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "s"
    if content is not None:
        path.write_bytes(content)
    for option in ("--output=json", "--suggest-policy"):
        result = cli("inspect", path, option)
        assert (result.code, result.out) == (3, "")
        assert result.sentence.startswith(f"{path}: ")
        assert said in result.sentence


def test_a_fifo_does_not_hang(cli: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s")
    assert "is not a regular file" in cli("inspect", tmp_path / "s").sentence


def test_nothing_is_suggested_from_a_claim_that_says_too_little(cli: Run, tmp_path: Path) -> None:
    nameless = leaf(root(), "", extensions=[])
    chain = chain_material(nameless.certificate)
    path = tmp_path / "s"
    document = Signer(nameless.key).bundle(statement(resources({"a": b""})), **chain)
    path.write_text(json.dumps(document), encoding="utf-8")
    assert cli("inspect", path, "--suggest-policy").code == 3
    assert cli("inspect", path).code == 0
