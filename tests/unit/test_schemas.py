"""The schemas of docs/reference say what the code says, and refuse what it never emits."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import verifier_cli
from tests.schemas import REFERENCE, fault, schema
from verifier_cli.config import document
from verifier_cli.policy import MAX_TIMEOUT_SECONDS
from verifier_cli.report.document import SCHEMA
from verifier_cli.verdict import Code, Reason, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ["report", "log", "policy", "termination"]
PACKAGE = Path(verifier_cli.__file__).parent


def objects(node: object) -> Iterator[dict[str, Any]]:
    """Every schema of an object; conditions only narrow, so they are left out."""
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            yield node
        for name, value in node.items():
            if name not in ("if", "then", "else", "not"):
                yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


@cache
def emitted_events() -> dict[str, set[str]]:
    """Each event that the code emits, with the names of its fields."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="event"), args=[ast.Constant(value=str(name)), *_]
                ):
                    fields = {word.arg for word in node.keywords if word.arg}
                    assert found.setdefault(name, fields) == fields, name
    return found


def branches() -> dict[str, dict[str, Any]]:
    return {branch["title"]: branch for branch in schema("log")["oneOf"]}


@pytest.mark.parametrize("name", NAMES)
def test_every_property_is_described(name: str) -> None:
    for found in objects(schema(name)):
        for field, described in found["properties"].items():
            assert "$ref" in described or described.get("description"), field


@pytest.mark.parametrize("name", NAMES)
def test_no_object_takes_unknown_fields(name: str) -> None:
    top = schema(name)
    for found in objects(top):
        # One line of the log is closed by its event's branch; a signer by its method's.
        if found is not top or name != "log":
            closed = found.get("additionalProperties") is False
            assert closed or list(found["properties"]) == ["method"], found


def test_no_other_schema_lies_there_untested() -> None:
    assert {path.name for path in REFERENCE.glob("*.schema.json")} == {
        f"{name}.schema.json" for name in NAMES
    }


@pytest.mark.parametrize("name", ["report", "termination"])
def test_reasons_and_verdicts_are_those_of_the_code(name: str) -> None:
    fields = schema(name)["properties"]
    assert fields["reason"]["enum"] == list(Reason.__members__)
    assert fields["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    exit_codes = fields["exitCode" if name == "report" else "exit"]["enum"]
    assert exit_codes == sorted(reason.exit_code for reason in Reason)


def test_codes_and_severities_are_those_of_the_code() -> None:
    for fields in (
        schema("report")["$defs"]["finding"]["properties"],
        branches()["finding"]["properties"],
    ):
        assert fields["code"]["enum"] == list(Code.__members__)
        assert fields["severity"]["enum"] == [severity.value for severity in Severity]


def test_names_of_forms_are_those_of_the_code() -> None:
    assert schema("report")["properties"]["schema"]["const"] == SCHEMA
    policy = schema("policy")["properties"]
    assert policy["schema"]["const"] == document.SCHEMA
    assert policy["timeoutSeconds"]["maximum"] == MAX_TIMEOUT_SECONDS


def test_the_log_schema_has_exactly_the_events_that_are_emitted() -> None:
    assert set(branches()) == set(emitted_events())
    assert set(schema("log")["properties"]["event"]["enum"]) == set(branches())


@pytest.mark.parametrize("event", sorted(emitted_events()))
def test_each_event_has_exactly_its_fields(event: str) -> None:
    common = set(schema("log")["properties"])
    assert set(branches()[event]["properties"]) - common == emitted_events()[event] - common


def a_report(**changes: object) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "verdict": "REJECTED",
        "reason": "CONTENT_MISMATCH",
        "exitCode": 12,
        "mode": "enforce",
        "models": [],
        "policy": None,
        "policies": [],
        "findings": [],
        "error": None,
        "engine": "native",
        "startedAt": "2026-01-02T03:04:05Z",
        "durationMs": 1,
        "verifier": {"name": "model-verify", "version": "1"},
    } | changes


def test_a_sound_report() -> None:
    assert fault("report", a_report()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "TRUSTED"},
        {"verdict": "trusted"},
        {"exitCode": 0},
        {"exitCode": 99},
        {"reason": "INTERNAL"},
        {"reason": "VERIFIED", "verdict": "TRUSTED"},
        {"extra": 1},
        {"startedAt": "2026-01-02 03:04:05"},
        {"durationMs": -1},
        {"durationMs": 1.5},
        {"error": ""},
        {"models": [{}]},
        {"findings": [{"code": "FILE_MISSING", "severity": "note", "path": "", "detail": "x"}]},
    ],
    ids=str,
)
def test_a_report_that_contradicts_itself(change: dict[str, object]) -> None:
    assert fault("report", a_report(**change)) is not None


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"event": "finding"},
        {"event": "unknown", "level": "info", "msg": "", "time": "2026-01-02T03:04:05.678Z"},
        {"event": "trace", "level": "info", "msg": "", "time": "2026-01-02T03:04:05.678Z"},
        {"event": "trace", "level": "debug", "msg": "", "time": "2026-01-02T03:04:05Z"},
        {
            "event": "trace",
            "level": "debug",
            "msg": "",
            "time": "2026-01-02T03:04:05.678Z",
            "secret": "x",
        },
    ],
    ids=str,
)
def test_lines_that_are_never_logged(line: dict[str, object]) -> None:
    assert fault("log", line) is not None
