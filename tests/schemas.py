"""Holds what the program emits against the schemas of docs/reference.

Each `check_…` returns what it parsed, so that a test can go on with it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

REFERENCE = Path(__file__).parents[1] / "docs/reference"
MAX_TERMINATION_BYTES = 1024


def schema(name: str) -> dict[str, Any]:
    """The schema `report`, `log`, `policy` or `termination`."""
    text = (REFERENCE / f"{name}.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validator(name: str) -> Draft202012Validator:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


def fault(name: str, document: object) -> str | None:
    """Why `document` does not fit the schema `name`, or None if it does."""
    error = best_match(_validator(name).iter_errors(document))
    return None if error is None else f"{error.json_path}: {error.message}"


def _check(name: str, document: Any) -> Any:  # noqa: ANN401  (whatever was emitted)
    found = fault(name, document)
    assert found is None, f"{found}\nin {json.dumps(document, indent=1)}"
    require_printable(document)
    return document


def require_printable(document: object) -> None:
    """Fails if a string of a document holds what a terminal or a log could misread."""
    if isinstance(document, str):
        assert document.isprintable(), ascii(document)
    elif isinstance(document, dict):
        for name, value in document.items():
            assert name.isprintable()
            require_printable(value)
    elif isinstance(document, list):
        for value in document:
            require_printable(value)


def check_report(document: Any) -> dict[str, Any]:  # noqa: ANN401
    """Checks a report document, or the bytes or text that hold one."""
    if isinstance(document, bytes):
        document = document.decode("utf-8")
    if isinstance(document, str):
        document = json.loads(document)
    checked: dict[str, Any] = _check("report", document)
    return checked


def check_log_lines(text: str | bytes) -> list[dict[str, Any]]:
    """Checks every line of a JSON log; each must be one whole JSON object."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    assert not text or text.endswith("\n"), "the last line is cut off"
    return [_check("log", json.loads(line)) for line in text.split("\n")[:-1]]


def check_policy(document: Any) -> dict[str, Any]:  # noqa: ANN401
    """Checks a policy document, or its bytes; what it holds need not be printable."""
    if isinstance(document, (bytes, str)):
        document = json.loads(document)
    found = fault("policy", document)
    assert found is None, f"{found}\nin {json.dumps(document, indent=1)}"
    checked: dict[str, Any] = document
    return checked


def check_termination(data: bytes) -> dict[str, Any]:
    """Checks a termination message: whole JSON on one line, of at most 1024 bytes."""
    assert len(data) <= MAX_TERMINATION_BYTES
    assert b"\n" not in data
    checked: dict[str, Any] = _check("termination", json.loads(data.decode("utf-8")))
    return checked
