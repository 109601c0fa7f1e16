"""Every case of testdata/, in this process and as a process, as its table says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.schemas import check_log_lines, check_report
from tests.unit.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Result, Run

CASES: list[dict[str, Any]] = json.loads(
    (REPOSITORY / "testdata/cases.json").read_text(encoding="utf-8")
)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


def check(case: dict[str, Any], result: Result) -> None:
    report = check_report(result.out)
    found = (report["verdict"], report["reason"], report["exitCode"], result.code)
    assert found == (case["verdict"], case["reason"], case["exitCode"], case["exitCode"])
    (model,) = report["models"]
    assert (model["verdict"], model["reason"]) == (case["verdict"], case["reason"])
    assert model["path"] == case["arguments"][0]
    errors = [finding for finding in model["findings"] if finding["severity"] == "error"]
    assert bool(errors) == (case["verdict"] != "TRUSTED")
    last = check_log_lines(result.err)[-1]
    assert (last["event"], last["exitCode"]) == ("verify.finished", case["exitCode"])


@each_case
def test_in_this_process(case: dict[str, Any], cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    check(case, cli("verify", *case["arguments"], "--output", "json"))


@each_case
def test_as_a_process(case: dict[str, Any], process: Run) -> None:
    check(case, process("verify", *case["arguments"], "--output=json"))


def test_each_exit_code_of_a_verdict_has_a_case() -> None:
    assert {case["exitCode"] for case in CASES} == {0, 10, 11, 12, 13, 14}


def test_no_file_is_written_by_verifying(process: Run, tmp_path: Path) -> None:
    sigstore = next(case for case in CASES if case["name"] == "savedmodel-sigstore")
    home = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
    check(sigstore, process("verify", *sigstore["arguments"], "--output=json", env=home))
    assert list(tmp_path.iterdir()) == []
