"""The status of a validation: what the controller writes, as a merge patch. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from verifier_cli.kube.caution import accepts_anybody
from verifier_cli.kube.configmap import configmap_name
from verifier_cli.kube.verdicts import STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.verdicts import PodVerdict

Json = dict[str, Any]

RENDERED, INVALID = "PolicyRendered", "Invalid"


def rendered(resource: Json, found: Validation) -> Json:
    """The status of a validation whose policy is rendered and in force."""
    generation = resource["metadata"]["generation"]
    spec = resource["spec"]
    methods = sorted({signer.method for signer in found.policy.signers})
    message = f"the policy is rendered{_warning(found)}"
    return {
        "observedGeneration": generation,
        "policySha256": found.policy.sha256,
        "configMap": configmap_name(found),
        "method": ",".join(methods),
        "lastGood": {"generation": generation, "spec": spec},
        "conditions": [_condition("True", RENDERED, message, generation)],
    }


def invalid(resource: Json, fault: str) -> Json:
    """The status of a validation that cannot be used as it is; what was good stays."""
    generation = resource["metadata"]["generation"]
    return {
        "observedGeneration": generation,
        "conditions": [_condition("False", INVALID, fault, generation)],
    }


def _warning(found: Validation) -> str:
    said = "; it names no identity: any code-signing certificate under its anchors is accepted"
    return said if accepts_anybody(found) else ""


def _condition(status: str, reason: str, message: str, generation: int) -> Json:
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message[:32768],
        "observedGeneration": generation,
    }


def counted(verdicts: Mapping[str, PodVerdict]) -> Json:
    """How many pods the validation has by verdict, and the latest that was rejected.

    Args:
        verdicts: by pod, `NAMESPACE/NAME`.
    """
    counts = Counter(verdict.state for verdict in verdicts.values())
    found: Json = {"verdicts": {state: counts[state] for state in STATES}}
    rejected = [(v.time, pod, v) for pod, v in verdicts.items() if v.state == "rejected"]
    if rejected:
        time, pod, verdict = max(rejected, key=lambda each: each[:2])
        last = {"pod": pod, "reason": verdict.reason, "finding": verdict.finding}
        found["lastRejection"] = last | ({"time": time} if time else {})
    return found


def changes(before: Json, after: Json, now: str) -> Json:
    """What of a status is to be patched; empty if it says so already.

    Args:
        before: as the API server has it.
        after: what it should say.
        now: time of a transition, RFC 3339.
    """
    conditions = {each["type"]: each for each in before.get("conditions", [])}
    dated = []
    for each in after.get("conditions", []):
        old = conditions.get(each["type"], {})
        same = old.get("status") == each["status"] and "lastTransitionTime" in old
        dated.append({**each, "lastTransitionTime": old["lastTransitionTime"] if same else now})
    wanted = {**after, **({"conditions": dated} if dated else {})}
    return {name: value for name, value in wanted.items() if before.get(name) != value}
