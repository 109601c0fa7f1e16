"""The log: one JSON object a line on standard error (docs/reference/log.schema.json)."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Literal

from verifier_cli.escape import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
# Events that are more than news; every other one is "info".
_EVENT_LEVELS: dict[str, Level] = {
    "admission.malformed": "warning",
    "certificate.refused": "error",
    "error": "error",
    "event.failed": "warning",
    "fault": "error",
    "image.refused": "warning",
    "leader.lost": "warning",
    "lease.failed": "warning",
    "library.warning": "warning",
    "pod.rejected": "warning",
    "policy.invalid": "warning",
    "policy.restored": "warning",
    "reconcile.failed": "warning",
    "termination.unwritten": "warning",
    "trace": "debug",
    "validation.unready": "warning",
    "watch.lost": "warning",
    "work.failed": "warning",
}
_DECISION_LEVELS: dict[object, Level] = {"admitted": "info", "denied": "warning"}
# Made once, and without a look for circles.
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Log:
    """Writes events as lines; an `Observer` of the procedure. Safe to use from any thread.

    Args:
        stream: where lines go.
        level: the least level that is written; None writes nothing.
        form: `json`, or `console` for people.
        context: fields that every line carries.
        encode: writes JSON on one line; a server that logs thousands of them a second has a faster
            one.
    """

    def __init__(
        self,
        stream: IO[str],
        *,
        level: Level | None = "info",
        form: Literal["json", "console"] = "json",
        context: Mapping[str, object] | None = None,
        encode: Callable[[object], str] = _JSON,
    ) -> None:
        """Keeps where and how to write."""
        self._stream = stream
        self._least = len(LEVELS) if level is None else LEVELS.index(level)
        self._form = form
        self._context = dict(context or {})
        self._encode = encode
        self._lock = threading.Lock()
        self._broken = False

    def event(self, event: str, message: str, **fields: object) -> None:
        """Writes one event; a field that is None is left out.

        A reader who went away (a closed pipe) never changes a verdict: the log just ends.
        """
        level = _level(event, fields)
        if LEVELS.index(level) < self._least or self._broken:
            return
        line = {
            "time": _time(time.time()),
            "level": level,
            "event": event,
            "msg": escape(message),
        }
        for name, value in {**self._context, **fields}.items():
            if value is not None:
                line[name] = escape(value) if isinstance(value, str) else value  # type: ignore[assignment]
        text = self._encode(line) if self._form == "json" else _console(line)
        with self._lock:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self._broken = True


def _time(now: float) -> str:
    seconds = int(now)
    return f"{_second(seconds)}.{int((now - seconds) * 1000):03d}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _level(event: str, fields: Mapping[str, object]) -> Level:
    if event == "admission.decided":
        return _DECISION_LEVELS.get(fields.get("decision"), "error")
    if event == "finding":
        severity = fields.get("severity")
        return "error" if severity == "error" else "warning" if severity == "warning" else "info"
    if event == "verify.finished":
        return "info" if fields.get("verdict") == "TRUSTED" else "error"
    if event == "policy.loaded" and fields.get("pinned") is False:
        return "warning"
    return _EVENT_LEVELS.get(event, "info")


def _console(line: Mapping[str, object]) -> str:
    rest = {
        name: value for name, value in line.items() if name not in ("time", "level", "event", "msg")
    }
    fields = " ".join(f"{name}={value}" for name, value in rest.items())
    return f"{line['level']}: {line['msg']}{fields and '  '}{fields}"
