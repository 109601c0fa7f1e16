"""One run: all models of all policies that hold together, and its report."""

from __future__ import annotations

import dataclasses
import functools
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from verifier_cli import opinions, volumes
from verifier_cli.config import material, trustroot
from verifier_cli.judge import exit_code, judge, weightiest
from verifier_cli.policy import material_of
from verifier_cli.procedure import Procedure, Stop, Trail
from verifier_cli.signature.authenticate import Trust
from verifier_cli.verdict import Code, Finding, ModelReport, PolicyFacts, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier_cli.config.loaded import Loaded
    from verifier_cli.model.progress import Progress
    from verifier_cli.policy import ModelRules, Policy, Signer
    from verifier_cli.procedure import Observer
    from verifier_cli.verdict import Mode, Reason

Engine = Literal["native", "reference", "both"]

# A volume full of unsigned files must not become a log full of lines; the report has all.
MAX_LOGGED_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """How to verify; what must hold is the policy's.

    Attributes:
        workers: threads that hash.
        online: refresh sigstore's trust root over TUF.
        roots: absolute directories that a policy with `discover` and no path is about.
    """

    engine: Engine = "native"
    workers: int = 1
    online: bool = False
    roots: tuple[str, ...] = ()


class Clock:
    """When a run started, and how long it has taken."""

    def __init__(self) -> None:
        """Starts now."""
        self._start = time.monotonic()
        self.started_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def milliseconds(self) -> int:
        """Whole wall-clock milliseconds since the start."""
        return round((time.monotonic() - self._start) * 1000)


def verify(
    policies: Sequence[Policy], settings: Settings, observer: Observer, progress: Progress
) -> Report:
    """Verifies all models of all policies; every one of them must hold.

    Raises:
        ModelVerifyError: nothing could be decided.
        Cancelled: the watcher of the progress asked to stop.
    """
    clock = Clock()
    procedure = Procedure(observer, progress, settings.workers)
    outcomes: list[tuple[Reason, Mode]] = []
    models: list[ModelReport] = []
    notes: list[Finding] = []
    for policy in policies:
        run = _Run(policy, settings, observer, procedure)
        for model in run.models():
            models.append(model)
            outcomes.append((model.reason, policy.mode))
        notes += run.notes
    reason = weightiest(reason for reason, _ in outcomes)
    return Report(
        verdict=reason.verdict,
        reason=reason,
        exit_code=exit_code(outcomes),
        mode=_mode(policies),
        engine=settings.engine,
        started_at=clock.started_at,
        duration_ms=clock.milliseconds(),
        models=tuple(models),
        policies=_facts(policies),
        findings=tuple(notes),
    )


def undecided(
    reason: Reason,
    error: str,
    clock: Clock,
    *,
    policies: Sequence[Policy] = (),
    engine: str = "native",
) -> Report:
    """The report of a run in which nothing could be decided."""
    mode = _mode(policies)
    return Report(
        verdict=reason.verdict,
        reason=reason,
        exit_code=exit_code([(reason, mode)]),
        mode=mode,
        engine=engine,
        started_at=clock.started_at,
        duration_ms=clock.milliseconds(),
        policies=_facts(policies),
        error=error,
    )


class _Run:
    """The models of one policy.

    Attributes:
        notes: what concerns no single one of them.
    """

    def __init__(
        self, policy: Policy, settings: Settings, observer: Observer, procedure: Procedure
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._observer = observer
        self._procedure = procedure
        self._loaded = material.load_all(policy)  # step 1
        self._trust = _trust(policy, self._loaded, online=settings.online)
        self.notes: list[Finding] = []

    def models(self) -> Iterator[ModelReport]:
        for rules in self._policy.models:
            if rules.discover:
                yield from self._discovered(rules)
            else:
                yield self._model(rules)

    def _model(self, rules: ModelRules) -> ModelReport:
        trail = Trail(rules, _warnings(self._policy))
        digest = self._policy.sha256
        self._observer.event(
            "verify.started", "verifying the model", model=rules.path, policySha256=digest
        )
        engine, reason = self._settings.engine, None
        try:
            with self._procedure.prepare(trail) as root:
                if engine != "reference":
                    self._procedure.examine(trail, root, self._policy.signers, self._trust)
        except Stop as stop:
            trail.findings += stop.findings
        if engine != "native":
            other = opinions.reference(self._policy, self._loaded, trail)
            other.findings += _warnings(self._policy)
            if engine == "both":
                reason = opinions.compare(trail, other)
            else:
                trail = other
        return self._report(trail, reason)

    def _discovered(self, rules: ModelRules) -> Iterator[ModelReport]:
        """Every model below each root, and what lies there that no model covers."""
        for root in self._settings.roots if rules.path is None else (rules.path,):
            here = dataclasses.replace(rules, path=root, discover=False)
            found = volumes.models_below(here, root)
            if isinstance(found, Finding):
                yield self._report(Trail(here, [found]))
                continue
            for below in found:
                yield self._model(below)
            uncovered, ignored = volumes.uncovered(here, root, found)
            if uncovered:
                yield self._report(Trail(here, uncovered))
            if ignored:
                detail = f"left out below {root}: {', '.join(sorted(ignored))}"
                self.notes.append(Finding(Code.LEFT_OUT, detail))

    def _report(self, trail: Trail, reason: Reason | None = None) -> ModelReport:
        reason = reason or judge(trail.examination())  # step 8
        report = ModelReport(  # step 9
            path=trail.rules.path or "",
            verdict=reason.verdict,
            reason=reason,
            policy_sha256=self._policy.sha256,
            files=trail.equal,
            bytes=trail.bytes,
            signature=trail.signature,
            signer=trail.evidence,
            ignored=tuple(trail.ignored),
            findings=tuple(trail.findings),
        )
        for finding in report.findings[:MAX_LOGGED_FINDINGS]:
            self._observer.event(
                "finding",
                finding.detail,
                model=report.path,
                code=finding.code.name,
                severity=finding.code.severity.value,
                path=finding.path,
            )
        return report


def _trust(policy: Policy, loaded: Sequence[Loaded], *, online: bool) -> Trust:
    """Finds a signer's material; a trust root is parsed when, and only when, it is needed."""
    by_signer: dict[Signer, Loaded] = dict(zip(policy.signers, loaded, strict=True))
    return Trust(
        keys=lambda signer: by_signer[signer].keys,
        certificates=lambda signer: by_signer[signer].certificates,
        # One run judges all its models by one root.
        root=functools.cache(
            lambda signer: trustroot.root_of(signer, by_signer[signer], online=online)
        ),
    )


def _warnings(policy: Policy) -> list[Finding]:
    """What the reader of a verdict should know about the policy that it rests on."""
    findings: list[Finding] = []
    for signer in policy.signers:
        _, given = material_of(signer)
        if given and given.path and given.sha256 is None and not policy.local:
            detail = f"{given.path} is not pinned: whoever writes it decides whom to trust"
            findings.append(Finding(Code.MATERIAL_UNPINNED, detail))
        if signer.method == "certificate" and signer.identity is None:
            detail = "the policy names no identity: any code-signing leaf under its anchors will do"
            findings.append(Finding(Code.SIGNER_UNNAMED, detail))
    return findings


def _mode(policies: Sequence[Policy]) -> Mode:
    """`warn` only if every policy says so."""
    warn = bool(policies) and all(policy.mode == "warn" for policy in policies)
    return "warn" if warn else "enforce"


def _facts(policies: Sequence[Policy]) -> tuple[PolicyFacts, ...]:
    return tuple(PolicyFacts(policy.sha256, policy.source, policy.mode) for policy in policies)
