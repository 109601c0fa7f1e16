"""The JSON report: one document, UTF-8, a newline at its end."""

from __future__ import annotations

import json
from typing import Any


def render(document: dict[str, Any], *, indent: int | None = 2) -> bytes:
    """The bytes of a report document; `indent` None gives one line."""
    return json.dumps(document, ensure_ascii=False, indent=indent).encode() + b"\n"
