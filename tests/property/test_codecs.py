"""decode(encode(x)) = x, and nothing that is shown can be misread."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.strategies import hostile, json_objects, policies, reports
from tests.schemas import (
    check_log_lines,
    check_policy,
    check_report,
    check_termination,
    require_printable,
)
from verifier_cli.config import document, reader
from verifier_cli.config.strictyaml import dump, load_all
from verifier_cli.escape import clip, escape, unescape
from verifier_cli.host.logs import Log
from verifier_cli.inputs import canonical_json, sha256_hex, strict_json
from verifier_cli.report import json as json_report
from verifier_cli.report import termination, text
from verifier_cli.report.document import from_document, to_document

if TYPE_CHECKING:
    from verifier_cli.policy import Policy
    from verifier_cli.verdict import Report


@given(hostile)
def test_escape_is_printable_and_can_be_undone(name: str) -> None:
    escaped = escape(name)
    assert escaped.isprintable()
    assert unescape(escaped) == name


@given(hostile, hostile)
def test_escape_keeps_names_apart(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(st.binary(max_size=60))
def test_any_file_name_can_be_had_back(raw: bytes) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    assert unescape(escape(name)).encode("utf-8", "surrogateescape") == raw


@given(hostile, st.integers(0, 80))
def test_clip_is_a_limit(name: str, limit: int) -> None:
    clipped = clip(name, limit)
    assert len(clipped) <= limit
    assert clipped == name or name.startswith(clipped.removesuffix("…"))


@given(policies)
def test_policies(policy: Policy) -> None:
    encoded = document.encode(policy)
    check_policy(encoded)
    decoded = document.decode(encoded, "here")
    assert decoded == dataclasses.replace(policy, sha256=sha256_hex(encoded), source="here")
    assert document.encode(decoded) == encoded
    (read,) = reader.parse(encoded, "here")
    assert read.policy == decoded


@given(policies)
def test_policies_in_yaml(policy: Policy) -> None:
    written = dump(json.loads(document.encode(policy)))
    assert all(line.isprintable() for line in written.split("\n"))
    (read,) = reader.parse(written.encode(), "here")
    assert document.encode(read.policy) == document.encode(policy)


@given(json_objects)
def test_canonical_json_and_yaml(value: dict[str, object]) -> None:
    assert strict_json(canonical_json(value)) == value
    assert canonical_json(strict_json(canonical_json(value))) == canonical_json(value)
    assert load_all(dump(value).encode()) == [value]


@given(reports())
def test_reports(report: Report) -> None:
    shown = check_report(to_document(report))
    assert from_document(shown) == report
    for indent in (None, 2):
        assert from_document(check_report(json_report.render(shown, indent=indent))) == report


@given(reports())
def test_no_report_reaches_people_raw(report: Report) -> None:
    shown = to_document(report)
    plain = text.plain(shown)
    assert all(line.isprintable() for line in plain.split("\n"))


@settings(max_examples=20)
@given(reports())
def test_no_report_reaches_a_terminal_raw(report: Report) -> None:
    stream = io.StringIO()
    text.show(to_document(report), stream)
    for line in stream.getvalue().split("\n"):
        assert line.isprintable(), ascii(line)


@settings(max_examples=100)
@given(reports())
def test_a_termination_message_is_whole_and_small(report: Report) -> None:
    found = check_termination(termination.render(to_document(report)))
    assert (found["verdict"], found["reason"], found["exit"]) == (
        report.verdict.value,
        report.reason.name,
        report.exit_code,
    )


@given(
    st.text(st.characters(codec=None), min_size=300, max_size=3000),
    reports().filter(lambda report: bool(report.models)),
)
def test_so_it_is_when_every_text_is_long(long: str, report: Report) -> None:
    models = tuple(dataclasses.replace(model, path=long) for model in report.models)
    check_termination(
        termination.render(to_document(dataclasses.replace(report, models=models, error=long)))
    )


@given(hostile, hostile, st.sampled_from(["json", "console"]))
def test_no_text_forges_a_log_line(message: str, path: str, form: str) -> None:
    stream = io.StringIO()
    log = Log(stream, form="json" if form == "json" else "console", context={"pod": path})
    log.event("finding", message, model=path, code="UNREADABLE", severity="error", path=path)
    lines = stream.getvalue().split("\n")
    assert len(lines) == 2
    assert lines[0].isprintable()
    if form == "json":
        (line,) = check_log_lines(stream.getvalue())
        require_printable(line)
        assert (unescape(line["msg"]), unescape(line["path"])) == (message, path)
