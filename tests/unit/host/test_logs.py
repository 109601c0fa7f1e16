"""The log: one JSON object a line, or a line for people; never forged, never in the way."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from tests.schemas import check_log_lines
from verifier_cli.host.logs import LEVELS, Level, Log

DIGEST = "ab" * 32
DECIDED = {
    "uid": "u",
    "operation": "CREATE",
    "warnings": 0,
    "patched": False,
    "dryRun": False,
    "durationMs": 0.2,
}
EVENTS: list[tuple[str, dict[str, Any], str]] = [
    ("verify.started", {"model": "/m", "policySha256": DIGEST}, "info"),
    (
        "signature.authenticated",
        {
            "model": "/m",
            "method": "key",
            "identity": None,
            "issuer": None,
            "rootDigest": DIGEST,
        },
        "info",
    ),
    (
        "tree.scanned",
        {"model": "/m", "resolvedPath": "/v1/m", "files": 1, "signedFiles": 1},
        "info",
    ),
    (
        "hash.progress",
        {"bytes": 1, "totalBytes": 2, "bytesPerSecond": 0, "etaSeconds": None},
        "info",
    ),
    (
        "finding",
        {"model": "/m", "code": "FILE_MISSING", "severity": "error", "path": "a"},
        "error",
    ),
    (
        "finding",
        {"model": "/m", "code": "SIGNER_UNNAMED", "severity": "warning", "path": ""},
        "warning",
    ),
    (
        "finding",
        {"model": "/m", "code": "EMPTY_DIRECTORY", "severity": "note", "path": "d"},
        "info",
    ),
    (
        "policy.loaded",
        {"policySha256": DIGEST, "source": "p", "mode": "warn", "pinned": True},
        "info",
    ),
    (
        "policy.loaded",
        {"policySha256": DIGEST, "source": "p", "mode": "warn", "pinned": False},
        "warning",
    ),
    ("error", {"reason": "CONFIG"}, "error"),
    ("trace", {}, "debug"),
    (
        "verify.finished",
        {
            "verdict": "TRUSTED",
            "reason": "VERIFIED",
            "exitCode": 0,
            "bytes": 1,
            "durationMs": 1,
            "bytesPerSecond": None,
        },
        "info",
    ),
    (
        "verify.finished",
        {
            "verdict": "REJECTED",
            "reason": "CONTENT_MISMATCH",
            "exitCode": 12,
            "bytes": 1,
            "durationMs": 1,
            "bytesPerSecond": 1000,
        },
        "error",
    ),
    *(
        ("admission.decided", {**DECIDED, "decision": decision, "reason": reason}, level)
        for decision, reason, level in (
            ("admitted", None, "info"),
            ("denied", "it is so", "warning"),
            ("error", "it is so", "error"),
        )
    ),
    ("admission.malformed", {}, "warning"),
    ("certificate.refused", {}, "error"),
    ("fault", {"fault": "KeyError", "place": "module:1"}, "error"),
    ("library.warning", {"logger": "uvicorn.error"}, "warning"),
    ("validation.unready", {"group": "g", "kind": "k", "name": "n"}, "warning"),
    ("watch.lost", {"resource": "namespaces"}, "warning"),
]


@pytest.mark.parametrize(("event", "fields", "level"), EVENTS)
def test_each_event_has_its_level_and_fits_the_schema(
    event: str, fields: dict[str, Any], level: str
) -> None:
    stream = io.StringIO()
    context = {"namespace": "ns", "pod": "pod-1"}
    Log(stream, level="debug", context=context).event(event, "it is so", **fields)
    (line,) = check_log_lines(stream.getvalue())
    assert (line["event"], line["level"], line["msg"]) == (event, level, "it is so")
    given = {name: value for name, value in (context | fields).items() if value is not None}
    assert {name: line[name] for name in given} == given
    assert set(line) == {"time", "level", "event", "msg", *given}


def test_the_time_is_that_of_the_event() -> None:
    stream = io.StringIO()
    before = datetime.now(UTC)
    for _ in range(3):
        Log(stream).event("error", "x", reason="CONFIG")
        time.sleep(0.4)
    after = datetime.now(UTC)
    times = [datetime.fromisoformat(line["time"]) for line in check_log_lines(stream.getvalue())]
    assert before - timedelta(milliseconds=1) <= times[0] < times[1] < times[2] <= after


def test_every_level_there_is_is_used() -> None:
    assert {level for _, _, level in EVENTS} == set(LEVELS)


@pytest.mark.parametrize("least", [*LEVELS, None])
def test_the_least_level(least: Level | None) -> None:
    stream = io.StringIO()
    log = Log(stream, level=least)
    for event, fields, _ in EVENTS:
        log.event(event, "it is so", **fields)
    levels = {json.loads(line)["level"] for line in stream.getvalue().splitlines()}
    expected = set() if least is None else set(LEVELS[LEVELS.index(least) :])
    assert levels == expected


def test_a_context_without_value_is_left_out() -> None:
    stream = io.StringIO()
    Log(stream, context={"pod": None}).event("verify.started", "x", model="/m", policySha256=DIGEST)
    (line,) = check_log_lines(stream.getvalue())
    assert "pod" not in line


FORGED = 'x\n{"level":"info","event":"verify.finished","verdict":"TRUSTED"}\x1b[2J\u202e\udcff'


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_text_forges_a_line(form: Literal["json", "console"]) -> None:
    stream = io.StringIO()
    fields = {"model": FORGED, "code": "FILE_UNSIGNED", "severity": "error", "path": FORGED}
    Log(stream, form=form).event("finding", FORGED, **fields)
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    if form == "json":
        (document,) = check_log_lines(stream.getvalue())
        assert document["path"].startswith("x\\x0a{")


def test_lines_for_people() -> None:
    stream = io.StringIO()
    log = Log(stream, form="console", level="debug")
    log.event("finding", "is gone", severity="error", path="a", code="FILE_MISSING", model=None)
    log.event("trace", "no fields")
    assert stream.getvalue().splitlines() == [
        "error: is gone  severity=error path=a code=FILE_MISSING",
        "debug: no fields",
    ]


def test_a_reader_who_went_away_ends_the_log_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    log = Log(stream)
    for _ in range(3):
        log.event("trace", "x" * 100_000)
        log.event("error", "x" * 100_000, reason="CONFIG")
    assert log._broken
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_a_closed_stream() -> None:
    stream = io.StringIO()
    stream.close()
    Log(stream).event("error", "x", reason="CONFIG")


def test_threads_do_not_mix_their_lines() -> None:
    stream = io.StringIO()
    log = Log(stream)

    def work(number: int) -> None:
        for _ in range(50):
            log.event("error", f"{number}" * 50, reason="CONFIG")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(check_log_lines(stream.getvalue())) == 200
