"""Reports to render: everything set, and hostile in every string."""

from __future__ import annotations

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

DIGEST = "0123456789abcdef" * 4
HOSTILE = "\x1b[2J\nTRUSTED\r\u202e\udcff\\x41"

EVIDENCE = Evidence(
    "sigstore",
    name="release",
    identity="release@example.com",
    issuer="https://idp.example.com",
    fingerprint=DIGEST,
    log_index=7,
    signed_at="2026-01-02T03:04:05Z",
)


def model(**changes: object) -> ModelReport:
    fields: dict[str, object] = {
        "path": "/data/m",
        "verdict": Verdict.TRUSTED,
        "reason": Reason.VERIFIED,
        "policy_sha256": DIGEST,
        "files": 2,
        "bytes": 3000,
        "signature": SignatureFacts("/data/m/model.sig", DIGEST, DIGEST, "v1.0"),
        "signer": EVIDENCE,
        "ignored": (".git",),
    }
    return ModelReport(**(fields | changes))  # type: ignore[arg-type]


def rejected(*findings: Finding, **changes: object) -> ModelReport:
    found = findings or (
        Finding(Code.FILE_MODIFIED, "is not the file that was signed", "weights.bin", "1", "2"),
        Finding(Code.EMPTY_DIRECTORY, "is empty", "d"),
        Finding(Code.FORMAT_DEPRECATED, "sign it again"),
    )
    usual = {"verdict": Verdict.REJECTED, "reason": Reason.CONTENT_MISMATCH, "findings": found}
    return model(**(usual | changes))


def report(*models: ModelReport, **changes: object) -> Report:
    reason = models[0].reason if models else Reason.CONFIG
    fields: dict[str, object] = {
        "verdict": reason.verdict,
        "reason": reason,
        "exit_code": reason.exit_code,
        "mode": "enforce",
        "engine": "native",
        "started_at": "2026-01-02T03:04:05Z",
        "duration_ms": 12,
        "models": models,
        "policies": (PolicyFacts(DIGEST, "policy.json", "enforce"),),
        "error": None if models else "policy.json: models: is missing",
    }
    return Report(**(fields | changes))  # type: ignore[arg-type]


TRUSTED = report(model())
REJECTED = report(rejected())
UNDECIDED = report()
HOSTILE_REPORT = report(
    rejected(
        Finding(Code.FILE_UNSIGNED, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        path=HOSTILE,
        ignored=(HOSTILE,),
        signature=SignatureFacts(HOSTILE, DIGEST),
        signer=Evidence("certificate", HOSTILE, HOSTILE, HOSTILE),
    ),
    policies=(PolicyFacts(DIGEST, HOSTILE, "enforce"),),
    error=HOSTILE,
)
REPORTS = {
    "trusted": TRUSTED,
    "rejected": REJECTED,
    "undecided": UNDECIDED,
    "hostile": HOSTILE_REPORT,
    "warned": report(rejected(), exit_code=0, mode="warn"),
    "several": report(
        model(),
        rejected(),
        reason=Reason.CONTENT_MISMATCH,
        verdict=Verdict.REJECTED,
        exit_code=12,
        policies=tuple(PolicyFacts(DIGEST, f"{n}.json", "enforce") for n in range(6)),
        findings=(Finding(Code.LEFT_OUT, "left out below /data: x"),),
    ),
    "not even a signature": report(
        model(
            verdict=Verdict.REJECTED,
            reason=Reason.SIGNATURE_MISSING,
            files=0,
            bytes=0,
            signature=None,
            signer=None,
            ignored=(),
            findings=(Finding(Code.SIGNATURE_NOT_FOUND, "there is no signature"),),
        ),
        engine="both",
    ),
}
