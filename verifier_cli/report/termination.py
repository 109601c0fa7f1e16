"""The termination message: what a pod's status shows of a verdict, in at most 1024 bytes."""

from __future__ import annotations

import json
from typing import Any

from verifier_cli.escape import clip

MAX_BYTES = 1024
_MODELS, _POLICIES = 4, 4
# Tried in order until the message fits: how many characters a text may keep.
_TEXT_LIMITS = (400, 200, 120, 60, 30, 12, 0)


def render(document: dict[str, Any]) -> bytes:
    """One JSON object made from a report document; always whole, never above `MAX_BYTES`.

    What does not fit is left out from the end (`models`, `policy`) or clipped at a character;
    verdict, reason and exit code are always there.
    """
    for limit in _TEXT_LIMITS:
        message = _message(document, limit)
        data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        if len(data) <= MAX_BYTES:
            return data
    raise AssertionError("a message without text fits")


def _message(document: dict[str, Any], limit: int) -> dict[str, Any]:
    models = [
        {
            "path": clip(model["path"], limit),
            "signer": clip(_signer(model), limit),
            "rootDigest": (model["signature"] or {}).get("rootDigest"),
        }
        for model in document["models"][: _MODELS if limit else 0]
    ]
    policies = [policy["sha256"] for policy in document["policies"][: _POLICIES if limit else 0]]
    return {
        "v": 1,
        "verdict": document["verdict"],
        "reason": document["reason"],
        "exit": document["exitCode"],
        "models": models,
        "finding": clip(_first(document), limit),
        "policy": policies,
    }


def _signer(model: dict[str, Any]) -> str:
    signer = model["signer"] or {}
    return signer.get("identity") or signer.get("name") or signer.get("fingerprint") or ""


def _first(document: dict[str, Any]) -> str:
    """The finding that decides: the first error of the weightiest model, else the run's error."""
    if document["error"]:
        return str(document["error"])
    for model in sorted(document["models"], key=lambda m: m["reason"] != document["reason"]):
        for finding in model["findings"]:
            if finding["severity"] == "error":
                where = f"{finding['path']}: " if finding["path"] else ""
                return f"{finding['code']} {where}{finding['detail']}"
    return ""
