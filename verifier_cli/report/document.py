"""The report as one JSON document (docs/reference/report.schema.json), and back.

This is where untrusted text becomes printable: every string passes `escape` here, once, and
all outputs are made from the document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from verifier_cli import __version__
from verifier_cli.escape import escape, unescape
from verifier_cli.verdict import (
    Code,
    Evidence,
    Finding,
    ModelReport,
    PolicyFacts,
    Reason,
    Report,
    SignatureFacts,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = "model-verify/report/v1"


def to_document(report: Report) -> dict[str, Any]:
    """The report as JSON values; every string is printable."""
    policies = [
        {"sha256": policy.sha256, "source": policy.source, "mode": policy.mode}
        for policy in report.policies
    ]
    document = {
        "schema": SCHEMA,
        "verdict": report.verdict.value,
        "reason": report.reason.name,
        "exitCode": report.exit_code,
        "mode": report.mode,
        "models": [_model(model) for model in report.models],
        # The common case at a glance; with several policies look at `policies`.
        "policy": policies[0] if len(policies) == 1 else None,
        "policies": policies,
        "findings": [_finding(finding) for finding in report.findings],
        "error": report.error,
        "engine": report.engine,
        "startedAt": report.started_at,
        "durationMs": report.duration_ms,
        "verifier": {"name": "model-verify", "version": __version__},
    }
    return printable(document)


def printable(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of JSON values in which every string is safe to print."""
    return cast("dict[str, Any]", _each_string(document, escape))


def from_document(document: dict[str, Any]) -> Report:
    """Reads back what `to_document` gave.

    Raises:
        KeyError, ValueError, TypeError: it is not such a document.
    """
    plain = cast("dict[str, Any]", _each_string(document, unescape))
    if plain["schema"] != SCHEMA:
        raise ValueError(f"schema is {plain['schema']!r}, not {SCHEMA!r}")
    return Report(
        verdict=Verdict(plain["verdict"]),
        reason=Reason[plain["reason"]],
        exit_code=plain["exitCode"],
        mode=plain["mode"],
        engine=plain["engine"],
        started_at=plain["startedAt"],
        duration_ms=plain["durationMs"],
        models=tuple(_to_model(model) for model in plain["models"]),
        policies=tuple(PolicyFacts(**policy) for policy in plain["policies"]),
        findings=tuple(_to_finding(finding) for finding in plain["findings"]),
        error=plain["error"],
    )


def _model(model: ModelReport) -> dict[str, Any]:
    return {
        "path": model.path,
        "verdict": model.verdict.value,
        "reason": model.reason.name,
        "policySha256": model.policy_sha256,
        "files": model.files,
        "bytes": model.bytes,
        "signature": model.signature and _signature(model.signature),
        "signer": model.signer and _signer(model.signer),
        "ignored": list(model.ignored),
        "findings": [_finding(finding) for finding in model.findings],
    }


def _signature(facts: SignatureFacts) -> dict[str, Any]:
    return {
        "path": facts.path,
        "sha256": facts.sha256,
        "rootDigest": facts.root_digest,
        "format": facts.format,
    }


def _signer(evidence: Evidence) -> dict[str, Any]:
    return {
        "method": evidence.method,
        "name": evidence.name,
        "identity": evidence.identity,
        "issuer": evidence.issuer,
        "fingerprint": evidence.fingerprint,
        "logIndex": evidence.log_index,
        "signedAt": evidence.signed_at,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    document = {
        "code": finding.code.name,
        "severity": finding.code.severity.value,
        "path": finding.path,
        "detail": finding.detail,
        "expected": finding.expected,
        "actual": finding.actual,
    }
    return {name: value for name, value in document.items() if value is not None}


def _to_model(document: dict[str, Any]) -> ModelReport:
    signature, signer = document["signature"], document["signer"]
    return ModelReport(
        path=document["path"],
        verdict=Verdict(document["verdict"]),
        reason=Reason[document["reason"]],
        policy_sha256=document["policySha256"],
        files=document["files"],
        bytes=document["bytes"],
        signature=signature
        and SignatureFacts(
            signature["path"], signature["sha256"], signature["rootDigest"], signature["format"]
        ),
        signer=signer and _to_evidence(signer),
        ignored=tuple(document["ignored"]),
        findings=tuple(_to_finding(finding) for finding in document["findings"]),
    )


def _to_evidence(document: dict[str, Any]) -> Evidence:
    return Evidence(
        method=document["method"],
        name=document["name"],
        identity=document["identity"],
        issuer=document["issuer"],
        fingerprint=document["fingerprint"],
        log_index=document["logIndex"],
        signed_at=document["signedAt"],
    )


def _to_finding(document: dict[str, Any]) -> Finding:
    return Finding(
        Code[document["code"]],
        document["detail"],
        document["path"],
        document.get("expected"),
        document.get("actual"),
    )


def _each_string(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_string(entry, change) for entry in value]
    if isinstance(value, dict):
        return {name: _each_string(entry, change) for name, entry in value.items()}
    return value
