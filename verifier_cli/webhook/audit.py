"""One line of the log for each decision: who asked, about which pod, and what was answered.

Never a pod's contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from verifier_cli.kube.review import Admit, Deny

if TYPE_CHECKING:
    from verifier_cli.host.logs import Log
    from verifier_cli.kube.review import Decision, Request

Json = dict[str, Any]
Word = Literal["admitted", "denied", "error"]

_LONGEST_REASON = 2000
_MESSAGES: dict[Word, str] = {
    "admitted": "the pod is let in",
    "denied": "the pod is not let in",
    "error": "the pod is not let in: nothing could be decided",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one review was answered.

    Attributes:
        word: `error` means a refusal that is not about the pod.
        seconds: what it took.
        peer: the address that it came from.
    """

    decision: Decision
    word: Word
    seconds: float
    peer: str | None


def audit(log: Log, request: Request, outcome: Outcome) -> None:
    """Writes the line."""
    decision = outcome.decision
    admitted = decision if isinstance(decision, Admit) else Admit()
    log.event(
        "admission.decided",
        _MESSAGES[outcome.word],
        uid=request.uid,
        operation=request.operation,
        namespace=request.namespace,
        pod=_name(request.pod),
        user=request.user or None,
        peer=outcome.peer,
        decision=outcome.word,
        reason=decision.reason[:_LONGEST_REASON] if isinstance(decision, Deny) else None,
        policies=admitted.policies,
        warnings=len(admitted.warnings),
        patched=bool(admitted.patch),
        dryRun=request.dry_run,
        durationMs=round(outcome.seconds * 1000, 3),
    )


def _name(pod: Json) -> str | None:
    metadata = pod.get("metadata")
    if not isinstance(metadata, dict):
        return None
    given = _text(metadata.get("name"))
    generated = _text(metadata.get("generateName"))
    return given or (f"{generated}…" if generated else None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
