"""The report as a document, and back."""

from __future__ import annotations

import pytest

from tests.schemas import check_report
from tests.unit.report.reports import DIGEST, HOSTILE, HOSTILE_REPORT, REPORTS, TRUSTED
from verifier_cli import __version__
from verifier_cli.report.document import from_document, printable, to_document


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_fits_the_schema_and_can_be_read_back(name: str) -> None:
    document = check_report(to_document(REPORTS[name]))
    assert from_document(document) == REPORTS[name]


def test_the_names_of_the_contract() -> None:
    document = to_document(TRUSTED)
    assert document["schema"] == "model-verify/report/v1"
    assert document["verifier"] == {"name": "model-verify", "version": __version__}
    assert document["policy"] == document["policies"][0]
    assert document["models"] == [
        {
            "path": "/data/m",
            "verdict": "TRUSTED",
            "reason": "VERIFIED",
            "policySha256": DIGEST,
            "files": 2,
            "bytes": 3000,
            "signature": {
                "path": "/data/m/model.sig",
                "sha256": DIGEST,
                "rootDigest": DIGEST,
                "format": "v1.0",
            },
            "signer": {
                "method": "sigstore",
                "name": "release",
                "identity": "release@example.com",
                "issuer": "https://idp.example.com",
                "fingerprint": DIGEST,
                "logIndex": 7,
                "signedAt": "2026-01-02T03:04:05Z",
            },
            "ignored": [".git"],
            "findings": [],
        }
    ]


def test_with_several_policies_none_stands_for_all() -> None:
    assert to_document(REPORTS["several"])["policy"] is None


def test_a_finding_leaves_out_what_does_not_apply() -> None:
    findings = to_document(REPORTS["rejected"])["models"][0]["findings"]
    assert findings[0] == {
        "code": "FILE_MODIFIED",
        "severity": "error",
        "path": "weights.bin",
        "detail": "is not the file that was signed",
        "expected": "1",
        "actual": "2",
    }
    assert "expected" not in findings[1]
    assert findings[1]["severity"] == "note"


def test_hostile_text_is_escaped_once_wherever_it_stands() -> None:
    escaped = "\\x1b[2J\\x0aTRUSTED\\x0d\\u202e\\bff\\\\x41"
    document = to_document(HOSTILE_REPORT)
    model = document["models"][0]
    for text in (
        document["error"],
        document["policies"][0]["source"],
        model["path"],
        model["ignored"][0],
        model["signer"]["identity"],
        model["signature"]["path"],
        *(model["findings"][0][name] for name in ("path", "detail", "expected", "actual")),
    ):
        assert text == escaped
    assert HOSTILE not in str(document)


def test_printable_copies() -> None:
    value = {"a": ["\n", 1, None, {"b": "\t"}]}
    assert printable(value) == {"a": ["\\x0a", 1, None, {"b": "\\x09"}]}
    assert value["a"][0] == "\n"


def test_a_document_of_another_form() -> None:
    with pytest.raises(ValueError, match="schema is 'x'"):
        from_document(to_document(TRUSTED) | {"schema": "x"})
