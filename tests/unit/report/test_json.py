"""The JSON report."""

from __future__ import annotations

import json as plain_json

import pytest

from tests.schemas import check_report
from tests.unit.report.reports import REPORTS
from verifier_cli.report import json
from verifier_cli.report.document import to_document


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_one_document_and_a_newline(name: str, indent: int | None) -> None:
    document = to_document(REPORTS[name])
    data = json.render(document, indent=indent)
    assert data.endswith(b"}\n")
    assert (data.count(b"\n") == 1) == (indent is None)
    assert check_report(data) == document


def test_people_can_read_it() -> None:
    assert "ü".encode() in json.render({"a": "ü"})
    assert plain_json.loads(json.render({"a": "ü"})) == {"a": "ü"}
