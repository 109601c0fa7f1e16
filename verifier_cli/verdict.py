"""Verdict, Reason, Finding and Report: what was decided, as data.

Nothing here reads, hashes or judges. The enum `Reason` is the one table of exit codes and
the enum `Code` the one table of findings; docs/reference is checked against both.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal, NoReturn

Mode = Literal["enforce", "warn"]
Method = Literal["sigstore", "key", "certificate"]


class Verdict(enum.Enum):
    """The answer about one model, or about all models of a run."""

    TRUSTED = "TRUSTED"
    REJECTED = "REJECTED"
    UNDETERMINED = "UNDETERMINED"

    def __bool__(self) -> NoReturn:
        """Refuses: `if verdict:` would read a rejection as a yes."""
        raise TypeError("a Verdict is not a truth value: compare it with Verdict.TRUSTED")


class Reason(enum.Enum):
    """Why the process ends as it does; each has one exit code.

    Attributes:
        exit_code: 0 yes, 1 a bug, 2 and 3 a wrong call, 10 to 19 no, 20 to 29 cannot tell.
        meaning: one line for people.
    """

    VERIFIED = (0, "every required check passed")
    INTERNAL = (1, "a bug in model-verify; never a verdict")
    USAGE = (2, "the command line is wrong")
    CONFIG = (3, "the policy, key, CA or trust config cannot be used, or is not the admitted one")
    SIGNATURE_INVALID = (10, "the signature file is malformed or its cryptographic check failed")
    SIGNER_UNTRUSTED = (11, "signed by somebody whom the policy does not accept")
    CONTENT_MISMATCH = (
        12,
        "the signature is authentic, but files changed, are missing or unsigned",
    )
    SIGNATURE_MISSING = (13, "no signature was found, or more than one candidate")
    POLICY_VIOLATION = (
        14,
        "authentic and as signed, but something is there that is not allowed",
    )
    MODEL_UNREADABLE = (
        20,
        "the model, or a part of it, cannot be read, or changed while it was read",
    )
    TRUST_UNAVAILABLE = (21, "the trust root was to come from the network and could not be had")
    ENGINES_DISAGREE = (23, "the two engines reached different verdicts")
    DEADLINE = (124, "the time limit ran out")
    INTERRUPTED = (130, "SIGINT")
    TERMINATED = (143, "SIGTERM")

    def __init__(self, exit_code: int, meaning: str) -> None:
        """Spreads the table row over two attributes."""
        self.exit_code = exit_code
        self.meaning = meaning

    @property
    def verdict(self) -> Verdict:
        """The verdict that goes with this reason: only `VERIFIED` is TRUSTED."""
        if self is Reason.VERIFIED:
            return Verdict.TRUSTED
        says_no = 10 <= self.exit_code < 20  # noqa: PLR2004  (the contract's ranges)
        return Verdict.REJECTED if says_no else Verdict.UNDETERMINED

    @property
    def excusable(self) -> bool:
        """Whether `mode: warn` may end with 0 all the same: only for answers about a model."""
        return 10 <= self.exit_code < 30  # noqa: PLR2004  (the contract's ranges)


class Severity(enum.Enum):
    """How much a finding weighs: an error rejects, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(enum.Enum):
    """Every finding there is, with the reason it leads to.

    Attributes:
        reason: the reason of an error; None for warnings and notes.
        severity: follows from the reason, or is named.
        meaning: one line for people.
    """

    SIGNATURE_NOT_FOUND = (Reason.SIGNATURE_MISSING, "no signature file where one is looked for")
    SIGNATURE_AMBIGUOUS = (Reason.SIGNATURE_MISSING, "more than one file could be the signature")
    BUNDLE_UNREADABLE = (Reason.SIGNATURE_INVALID, "the signature file cannot be read")
    BUNDLE_MALFORMED = (Reason.SIGNATURE_INVALID, "the signature file is not a sound bundle")
    STATEMENT_MALFORMED = (Reason.SIGNATURE_INVALID, "the signed statement breaks the format")
    SIGNATURE_WRONG = (Reason.SIGNATURE_INVALID, "the cryptographic check failed")
    METHOD_MISMATCH = (Reason.SIGNER_UNTRUSTED, "signed by a method that this signer does not use")
    KEY_MISMATCH = (Reason.SIGNER_UNTRUSTED, "signed by another key")
    IDENTITY_MISMATCH = (Reason.SIGNER_UNTRUSTED, "signed by another identity or issuer")
    CHAIN_UNTRUSTED = (Reason.SIGNER_UNTRUSTED, "the certificate does not chain to the anchors")
    CERTIFICATE_EXPIRED = (Reason.SIGNER_UNTRUSTED, "a certificate of the chain is not valid now")
    CERTIFICATE_PURPOSE = (Reason.SIGNER_UNTRUSTED, "the certificate is not one for signing code")
    CERTIFICATE_WEAK = (Reason.SIGNER_UNTRUSTED, "a link of the chain uses a broken algorithm")
    MODEL_NOT_FOUND = (Reason.MODEL_UNREADABLE, "there is no model at this path")
    UNREADABLE = (Reason.MODEL_UNREADABLE, "a part of the model cannot be read or listed")
    CHANGED_WHILE_READ = (Reason.MODEL_UNREADABLE, "the model changed while it was read")
    TOO_LARGE = (Reason.MODEL_UNREADABLE, "more entries, or deeper, than is looked at")
    FILE_MODIFIED = (Reason.CONTENT_MISMATCH, "the file is not the one that was signed")
    FILE_MISSING = (Reason.CONTENT_MISMATCH, "a signed file is not there")
    FILE_UNSIGNED = (Reason.CONTENT_MISMATCH, "a file is there that was not signed")
    SIGNED_BUT_IGNORED = (Reason.CONTENT_MISMATCH, "a signed file lies under an ignore path")
    SYMLINK_FORBIDDEN = (Reason.POLICY_VIOLATION, "symbolic links are not allowed here")
    SYMLINK_ESCAPES = (Reason.POLICY_VIOLATION, "a symbolic link leads out of the model")
    SYMLINK_DANGLING = (Reason.POLICY_VIOLATION, "a symbolic link leads nowhere")
    SYMLINK_CYCLE = (Reason.POLICY_VIOLATION, "a symbolic link leads back to itself")
    SPECIAL_FILE = (Reason.POLICY_VIOLATION, "a FIFO, socket or device is in the model")
    NO_FILE_SIGNED = (Reason.POLICY_VIOLATION, "the signature covers no file at all")
    SIGNER_UNNAMED = (Severity.WARNING, "any certificate under the anchors is accepted")
    MATERIAL_UNPINNED = (Severity.WARNING, "whoever writes this path decides whom to trust")
    FORMAT_DEPRECATED = (Severity.WARNING, "the signature has a form that is no longer produced")
    NOT_TO_THE_LETTER = (Severity.WARNING, "the signature departs from the specification")
    ENGINE_REFERENCE = (Severity.WARNING, "the reference engine looks at less than the native one")
    UNSIGNED_TOLERATED = (Severity.NOTE, "unsigned files are there and the policy tolerates them")
    LEFT_OUT = (Severity.NOTE, "paths beside the models of a volume were left out")
    FROM_ENVIRONMENT = (Severity.NOTE, "an option of the call came from the environment")
    EMPTY_DIRECTORY = (Severity.NOTE, "an empty directory, which no signature can cover")
    OUTCOME_OF_ENGINE = (Severity.NOTE, "what one of two engines said")

    def __init__(self, kind: Reason | Severity, meaning: str) -> None:
        """Spreads the table row over the attributes."""
        self.reason = kind if isinstance(kind, Reason) else None
        self.severity = kind if isinstance(kind, Severity) else Severity.ERROR
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact that counts for or against a model.

    Attributes:
        code: the row of the table `Code`.
        detail: one sentence.
        path: relative POSIX path within the model, raw as the file system has it; may be "".
        expected: what was wanted, where the two can be compared.
        actual: what was found.
    """

    code: Code
    detail: str
    path: str = ""
    expected: str | None = None
    actual: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who signed: facts that a passed check established, never mere claims.

    Attributes:
        method: how it was signed.
        name: the policy's own name for the signer; may be "".
        identity: SAN or subject of the certificate; None for a key.
        issuer: OIDC issuer (sigstore) or issuer name (certificate).
        fingerprint: SHA-256, lower-case hex: of the PEM of a key, of the DER of a leaf.
        log_index: index in the transparency log.
        signed_at: RFC 3339 time that a log or a timestamp authority vouches for.
    """

    method: Method
    name: str = ""
    identity: str | None = None
    issuer: str | None = None
    fingerprint: str | None = None
    log_index: int | None = None
    signed_at: str | None = None


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """Which signature was used.

    Attributes:
        path: where it was read.
        sha256: digest of the file, lower-case hex.
        root_digest: SHA-256 over the signed digests (OMS 6.5.1); None until authenticated.
        format: `v1.0` or `v0.2`; None until authenticated.
    """

    path: str
    sha256: str
    root_digest: str | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The verdict on one model under one policy.

    Attributes:
        path: the model, as the policy or the command line names it.
        policy_sha256: digest of the policy that it was held against.
        files: signed files found equal.
        bytes: bytes of these files.
        ignored: paths that were left out, relative to the model.
    """

    path: str
    verdict: Verdict
    reason: Reason
    policy_sha256: str
    files: int = 0
    bytes: int = 0
    signature: SignatureFacts | None = None
    signer: Evidence | None = None
    ignored: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """Which policy held: SHA-256 of its canonical document (lower-case hex), and its source."""

    sha256: str
    source: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run decided.

    Attributes:
        reason: the weightiest reason of all models, or of the error that ended the run.
        exit_code: what the process ends with; 0 in `warn` mode although `verdict` says no.
        findings: what concerns no single model.
        started_at: RFC 3339, UTC.
        duration_ms: wall-clock milliseconds.
    """

    verdict: Verdict
    reason: Reason
    exit_code: int
    mode: Mode
    engine: str
    started_at: str
    duration_ms: int
    models: tuple[ModelReport, ...] = ()
    policies: tuple[PolicyFacts, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: str | None = None
