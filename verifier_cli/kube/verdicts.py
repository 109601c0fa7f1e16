"""What the verifier of a pod said, as the pod's status has it (docs/reference/init.md). Pure.

Only a verifier that ended with 0 and says TRUSTED in its own words counts as verified.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from verifier_cli.kube.names import CONTAINER, VOLUME
from verifier_cli.kube.shapes import Unfit, child, objects, text
from verifier_cli.verdict import Reason, Verdict

Json = dict[str, Any]

State = Literal["pending", "verified", "rejected", "undetermined"]
STATES: tuple[State, ...] = ("verified", "rejected", "undetermined", "pending")
# How the verifier did not end by itself: OutOfMemory, a kill, an image that cannot run.
UNKNOWN = "UNKNOWN"
_STATES: dict[Verdict, State] = {
    Verdict.TRUSTED: "verified",
    Verdict.REJECTED: "rejected",
    Verdict.UNDETERMINED: "undetermined",
}


@dataclass(frozen=True, slots=True)
class PodVerdict:
    """The latest answer of a pod's verifier.

    Attributes:
        reason: name of a `verifier_cli.verdict.Reason`, or `UNKNOWN`; "" while it is pending.
        finding: what decided, in one sentence; may be empty.
        time: when it ended, RFC 3339; "" while it is pending.
    """

    state: State
    reason: str = ""
    finding: str = ""
    time: str = ""


def verdict_of(pod: Json) -> PodVerdict | None:
    """Reads the verdict of a pod; None for one without a verifier.

    A verifier that runs again after a failure has said no, until it says something else.
    """
    try:
        spec, status = child(pod, "spec"), child(pod, "status")
        if not any(each.get("name") == CONTAINER for each in objects(spec, "initContainers")):
            return None
        for each in objects(status, "initContainerStatuses"):
            if each.get("name") == CONTAINER:
                for name in ("state", "lastState"):
                    if ended := child(child(each, name), "terminated"):
                        return _ended(ended)
    except Unfit as error:
        return PodVerdict("undetermined", UNKNOWN, f"the pod's status cannot be read: {error}")
    return PodVerdict("pending")


def _ended(ended: Json) -> PodVerdict:
    code, time = ended.get("exitCode"), text(ended, "finishedAt", default="")
    reason = next((each for each in Reason if each.exit_code == code), None)
    said = _message(text(ended, "message", default=""))
    if reason is None:
        why = text(ended, "reason", default="Error")
        return PodVerdict("undetermined", UNKNOWN, f"ended with {code}: {why}", time)
    if reason is Reason.VERIFIED:
        # With `mode: warn` the exit code excuses what the message still says.
        reason = Reason.__members__.get(str(said.get("reason")), None)
        if reason is None or said.get("verdict") != reason.verdict.value:
            return PodVerdict("undetermined", UNKNOWN, "ended with 0, and left no verdict", time)
    finding = said.get("finding")
    shown = finding if isinstance(finding, str) else ""
    return PodVerdict(_STATES[reason.verdict], reason.name, shown, time)


def _message(message: str) -> Json:
    """The termination message; an empty object if it is not one of ours."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) and value.get("v") == 1 else {}


def configmaps_of(pod: Json) -> set[str]:
    """The names of the ConfigMaps that a pod has its policies from."""
    try:
        return {
            text(child(source, "configMap"), "name")
            for volume in objects(child(pod, "spec"), "volumes")
            if volume.get("name") == VOLUME
            for source in objects(child(volume, "projected"), "sources")
        }
    except Unfit:
        return set()
