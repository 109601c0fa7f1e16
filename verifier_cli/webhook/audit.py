"""One line of the log for each decision: who asked, about which pod, and what was answered.

Never a pod's contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from verifier_cli.kube.names import ANNOTATION
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
    """

    decision: Decision
    word: Word
    seconds: float

    @property
    def operations(self) -> tuple[Json, ...]:
        """The patch; empty for a refusal."""
        return self.decision.patch if isinstance(self.decision, Admit) else ()


def audit(log: Log, review: Json, request: Request, outcome: Outcome) -> None:
    """Writes the line."""
    asked, decision = review["request"], outcome.decision
    log.event(
        "admission.decided",
        _MESSAGES[outcome.word],
        uid=request.uid,
        operation=request.operation,
        namespace=request.namespace,
        pod=_name(request.pod),
        user=_text(_object(asked.get("userInfo")).get("username")),
        decision=outcome.word,
        reason=decision.reason[:_LONGEST_REASON] if isinstance(decision, Deny) else None,
        policies=_policies(outcome.operations),
        warnings=len(decision.warnings) if isinstance(decision, Admit) else 0,
        patched=bool(outcome.operations),
        dryRun=asked.get("dryRun") is True,
        durationMs=round(outcome.seconds * 1000, 3),
    )


def _name(pod: Json) -> str | None:
    metadata = _object(pod.get("metadata"))
    given = _text(metadata.get("name"))
    generated = _text(metadata.get("generateName"))
    return given or (f"{generated}…" if generated else None)


def _policies(operations: tuple[Json, ...]) -> str | None:
    """The annotation that the patch writes: `NAME=SHA256,…`."""
    for operation in operations:
        value, path = operation.get("value"), operation["path"]
        if path == "/metadata":
            value = _object(value).get("annotations")
        elif path != "/metadata/annotations":
            continue
        return _text(_object(value).get(ANNOTATION))
    return None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
