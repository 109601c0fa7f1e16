"""Every bundle that a released model-signing made has the outcome that its kind calls for."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from verifier_cli import runs
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Certificate, Key, Material, ModelRules, Policy, Signer
from verifier_cli.verdict import Code, ModelReport, Reason, Severity

HERE = Path(__file__).parent
INDEX: list[dict[str, Any]] = json.loads((HERE / "index.json").read_text(encoding="utf-8"))
NAMES = [entry["bundle"].removeprefix("bundles/").removesuffix(".sig") for entry in INDEX]
V02_RELEASES = ("0.1.0", "0.1.1", "0.2.0")
EMPTY = "empty.txt"


@dataclass(frozen=True)
class Expected:
    """What must come of a bundle.

    Attributes:
        codes: of all errors and warnings.
        words: what the first error says, or one of the warnings.
    """

    reason: Reason
    codes: frozenset[Code]
    words: str = ""


class Silent:
    """An observer that nobody listens to."""

    def event(self, event: str, message: str, **fields: object) -> None:
        """Does nothing."""


def expected(entry: dict[str, Any]) -> Expected:
    """The rules, from what the release wrote (README.md), not from what came of it."""
    form, hash_name, *flags = entry["variant"].split("-")
    codes = {Code.SIGNER_UNNAMED} if entry["method"] == "certificate" else set()
    if entry["version"] in V02_RELEASES:
        return _expected_v02(form, hash_name, flags, codes)
    words = ""
    if "dot" in flags and entry["version"] < "1.1":
        # Told to sign ".", these left the subject's name out.
        codes |= {Code.NOT_TO_THE_LETTER}
        words = "subject[0].name"
    if form == "shards" and hash_name != "blake3":  # BLAKE3 ignores shards
        # The size is a float, and the algorithm's name holds it.
        codes |= {Code.NOT_TO_THE_LETTER}
        words = "sharded-1000"
        if "single" not in flags:
            # No shard covers an empty file; what no signature covers is refused.
            return Expected(Reason.CONTENT_MISMATCH, frozenset({*codes, Code.FILE_UNSIGNED}))
    return Expected(Reason.VERIFIED, frozenset(codes), words)


def _expected_v02(form: str, hash_name: str, flags: list[str], codes: set[Code]) -> Expected:
    """Of the five predicates of these releases one is read: whole files, by SHA-256."""
    digest_of_digests = {"SingleDigest", "DigestOfDigests", "DigestOfShardDigests"} & {*flags}
    if form == "shards" or digest_of_digests:
        return Expected(Reason.SIGNATURE_INVALID, frozenset({*codes, _FAULT}))
    if hash_name != "sha256":
        words = "is not a SHA-256 digest"
        return Expected(Reason.SIGNATURE_INVALID, frozenset({*codes, _FAULT}), words)
    return Expected(Reason.VERIFIED, frozenset({*codes, Code.FORMAT_DEPRECATED}))


_FAULT = Code.STATEMENT_MALFORMED


def place(entry: dict[str, Any], work: Path) -> Path:
    """Puts the model and the bundle where they were signed; returns the bundle."""
    shutil.copytree(HERE / "model", work / "model")
    signature = (work / "model" if entry.get("inside") else work) / "model.sig"
    shutil.copyfile(HERE / entry["bundle"], signature)
    return signature


def verify(entry: dict[str, Any], signature: Path, work: Path, *ignore: str) -> ModelReport:
    """Verifies a bundle as its index entry says."""
    material = Material(text=(HERE / entry["material"]).read_text(encoding="ascii"))
    signer: Signer = Key(material) if entry["method"] == "key" else Certificate(material)
    rules = ModelRules(
        str(work / entry["model"]), str(signature), (*entry.get("ignore", ()), *ignore)
    )
    policy = Policy((rules,), (signer,), local=True)
    return runs.verify([policy], runs.Settings(), Silent(), Progress()).models[0]


def weighty(report: ModelReport) -> frozenset[Code]:
    """The codes of all findings but the notes."""
    return frozenset(f.code for f in report.findings if f.code.severity is not Severity.NOTE)


@pytest.mark.parametrize("entry", INDEX, ids=NAMES)
def test_a_bundle_has_its_outcome(entry: dict[str, Any], tmp_path: Path) -> None:
    report = verify(entry, place(entry, tmp_path), tmp_path)
    wanted = expected(entry)
    assert (report.reason, weighty(report)) == (wanted.reason, wanted.codes), report.findings
    assert any(wanted.words in finding.detail for finding in report.findings) or not wanted.words
    if wanted.reason is Reason.VERIFIED:
        assert report.signature is not None
        old = entry["version"] in V02_RELEASES
        assert report.signature.format == ("v0.2" if old else "v1.0")
    unsigned = {f.path for f in report.findings if f.code is Code.FILE_UNSIGNED}
    assert unsigned <= {EMPTY}


@pytest.mark.parametrize("entry", INDEX, ids=NAMES)
def test_what_model_signing_accepts_is_accepted(entry: dict[str, Any], tmp_path: Path) -> None:
    if entry["reference_accepts"]:
        assert verify(entry, place(entry, tmp_path), tmp_path).reason is Reason.VERIFIED
        assert expected(entry).reason is Reason.VERIFIED


@pytest.mark.parametrize(
    "entry",
    [entry for entry in INDEX if expected(entry).reason is Reason.CONTENT_MISMATCH],
    ids=lambda entry: entry["bundle"],
)
def test_shards_are_accepted_but_for_the_empty_file(entry: dict[str, Any], tmp_path: Path) -> None:
    assert verify(entry, place(entry, tmp_path), tmp_path, EMPTY).reason is Reason.VERIFIED


@pytest.mark.parametrize("entry", INDEX, ids=NAMES)
def test_a_bundle_does_not_cover_a_changed_model(entry: dict[str, Any], tmp_path: Path) -> None:
    """One byte of the file that every bundle covers."""
    signature = place(entry, tmp_path)
    before = verify(entry, signature, tmp_path)
    weights = tmp_path / "model" / "weights.bin"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    after = verify(entry, signature, tmp_path)
    assert after.reason is not Reason.VERIFIED
    if before.reason is Reason.VERIFIED:
        assert after.reason is Reason.CONTENT_MISMATCH
        assert Code.FILE_MODIFIED in weighty(after)


def test_the_index_lists_every_bundle_and_each_kind_of_outcome() -> None:
    listed = {entry["bundle"] for entry in INDEX}
    there = {path.relative_to(HERE).as_posix() for path in HERE.glob("bundles/*/*.sig")}
    assert listed == there
    assert {expected(entry).reason for entry in INDEX} == {
        Reason.VERIFIED,
        Reason.SIGNATURE_INVALID,
        Reason.CONTENT_MISMATCH,
    }
    assert sum(expected(entry).reason is Reason.VERIFIED for entry in INDEX) == 109
