"""The second opinion, alone and against ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.signing import Signer, resources, statement, statement_v02
from tests.unit.test_runs import FILES, SIGNER, US, codes, policy, run
from verifier_cli import opinions
from verifier_cli.policy import Key, Keyless, Material
from verifier_cli.procedure import Trail
from verifier_cli.verdict import Code, Evidence, Finding, Reason, Report, Verdict

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    SIGNER.sign_tree(path, FILES)
    return path


def ask(model: Path, engine: str, *signers: Key | Keyless) -> Report:
    return run(policy(model, signers=signers or (US,)), engine=engine)[0]


def test_the_reference_engine_says_who_judged(model: Path) -> None:
    report = ask(model, "reference")
    assert report.verdict is Verdict.TRUSTED
    assert codes(report) == [{Code.ENGINE_REFERENCE}]
    assert report.models[0].files == 2


def test_any_one_signer_suffices(model: Path) -> None:
    others = (Keyless("https://x", identity="a"), Key(Material(text=Signer().pem.decode())))
    assert ask(model, "reference", *others, US).verdict is Verdict.TRUSTED
    report = ask(model, "reference", *others)
    expected = {Code.ENGINE_REFERENCE, Code.METHOD_MISMATCH, Code.KEY_MISMATCH}
    assert codes(report) == [expected]


def test_without_a_signature_there_is_nothing_to_ask(model: Path) -> None:
    (model / "model.sig").unlink()
    report = ask(model, "reference")
    assert report.reason is Reason.SIGNATURE_MISSING
    report = ask(model, "both")
    assert report.reason is Reason.SIGNATURE_MISSING


def test_both_agree_on_yes(model: Path) -> None:
    report = ask(model, "both")
    assert report.verdict is Verdict.TRUSTED
    notes = [f.detail for f in report.models[0].findings if f.code is Code.OUTCOME_OF_ENGINE]
    assert len(notes) == 2
    assert notes == ["native engine: VERIFIED", "reference engine: VERIFIED"]


def test_both_agree_on_no_and_ours_is_the_reason(model: Path) -> None:
    (model / "a").unlink()
    report = ask(model, "both")
    assert report.reason is Reason.CONTENT_MISMATCH
    assert Code.FILE_MISSING in codes(report)[0]


def test_a_statement_that_only_we_refuse(model: Path) -> None:
    document = SIGNER.bundle(statement(resources(FILES)[::-1]))
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    report = ask(model, "both")
    assert (report.reason, report.exit_code) == (Reason.ENGINES_DISAGREE, 23)
    assert report.verdict is Verdict.UNDETERMINED
    said = [f.detail for f in report.models[0].findings if f.code is Code.OUTCOME_OF_ENGINE]
    assert said[0].startswith("native engine: SIGNATURE_INVALID: ")
    assert said[1].startswith("reference engine: VERIFIED")


def test_a_form_that_only_we_know_well(model: Path) -> None:
    document = SIGNER.bundle(statement(resources(FILES, "blake2b"), hash_type="blake2b"))
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    assert ask(model, "native").verdict is Verdict.TRUSTED
    assert ask(model, "both").verdict is Verdict.TRUSTED


def test_a_statement_of_v02_counts_its_subjects(model: Path) -> None:
    document = SIGNER.bundle(statement_v02(FILES))
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    report = ask(model, "reference")
    assert report.verdict is Verdict.TRUSTED
    assert report.models[0].files == 2


def test_no_file_signed_is_no_yes_whoever_is_asked(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, {})
    (tmp_path / "model.sig").write_text(json.dumps(SIGNER.bundle(statement([]))), encoding="utf-8")
    for engine in ("native", "reference", "both"):
        assert ask(tmp_path, engine).verdict is not Verdict.TRUSTED


def trail(*findings: Finding, whole: bool = True) -> Trail:
    rules = policy("/m").models[0]
    if not whole:
        return Trail(rules, list(findings))
    return Trail(rules, list(findings), evidence=Evidence("key"), signed=1, equal=1, complete=True)


NO = Finding(Code.FILE_MODIFIED, "changed")
OTHER_NO = Finding(Code.SIGNATURE_WRONG, "broken")


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ((), (), Reason.VERIFIED),
        ((NO,), (OTHER_NO,), Reason.CONTENT_MISMATCH),
        ((NO,), (), Reason.ENGINES_DISAGREE),
        ((), (NO,), Reason.ENGINES_DISAGREE),
    ],
)
def test_agreement(ours: tuple[Finding, ...], theirs: tuple[Finding, ...], reason: Reason) -> None:
    native = trail(*ours)
    assert opinions.compare(native, trail(*theirs)) is reason
    assert [f.code for f in native.findings].count(Code.OUTCOME_OF_ENGINE) == 2


def test_an_engine_that_established_nothing_said_no_yes() -> None:
    assert opinions.compare(trail(), trail(whole=False)) is Reason.ENGINES_DISAGREE
