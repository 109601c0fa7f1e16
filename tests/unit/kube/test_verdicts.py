"""What a pod's status says about its model: verified only by a whole and consistent answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kube.pods import inject, pod
from verifier_cli.kube.names import CONTAINER
from verifier_cli.kube.verdicts import PodVerdict, configmaps_of, verdict_of
from verifier_cli.verdict import Reason

Json = dict[str, Any]

TIME = "2026-01-01T00:00:00Z"


def ended(code: object, message: object = "", **more: object) -> Json:
    text = message if isinstance(message, str) else json.dumps(message)
    return {"exitCode": code, "message": text, "finishedAt": TIME, **more}


def said(reason: Reason, **more: object) -> Json:
    return {"v": 1, "verdict": reason.verdict.value, "reason": reason.name, **more}


def with_status(**states: Json) -> Json:
    made = inject(pod())
    made["status"] = {"initContainerStatuses": [{"name": "other"}, {"name": CONTAINER, **states}]}
    return made


def verdict(**states: Json) -> PodVerdict:
    found = verdict_of(with_status(**states))
    assert found is not None
    return found


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_state(reason: Reason) -> None:
    found = verdict(state={"terminated": ended(reason.exit_code, said(reason, finding="why"))})
    states = {"TRUSTED": "verified", "REJECTED": "rejected", "UNDETERMINED": "undetermined"}
    assert found == PodVerdict(states[reason.verdict.value], reason.name, "why", TIME)  # type: ignore[arg-type]


NOT_VERIFIED: dict[str, object] = {
    "no message": "",
    "no JSON": "TRUSTED",
    "another version": {**said(Reason.VERIFIED), "v": 2},
    "no object": "[1]",
    "deep": "[" * 100_000,
    "no reason": {"v": 1, "verdict": "TRUSTED"},
    "contradiction": {"v": 1, "verdict": "TRUSTED", "reason": "CONTENT_MISMATCH"},
    "the other way round": {"v": 1, "verdict": "REJECTED", "reason": "VERIFIED"},
}


@pytest.mark.parametrize("name", NOT_VERIFIED)
def test_an_exit_code_of_0_alone_verifies_nothing(name: str) -> None:
    found = verdict(state={"terminated": ended(0, NOT_VERIFIED[name])})
    assert (found.state, found.reason) == ("undetermined", "UNKNOWN")


def test_what_warn_excused_is_rejected_all_the_same() -> None:
    found = verdict(state={"terminated": ended(0, said(Reason.CONTENT_MISMATCH))})
    assert (found.state, found.reason) == ("rejected", "CONTENT_MISMATCH")


def test_a_message_cannot_make_a_failure_a_yes() -> None:
    found = verdict(state={"terminated": ended(12, said(Reason.VERIFIED, finding=["x"]))})
    assert found == PodVerdict("rejected", "CONTENT_MISMATCH", "", TIME)


def test_an_end_that_is_none_of_ours() -> None:
    found = verdict(state={"terminated": ended(137, reason="OOMKilled")})
    assert found == PodVerdict("undetermined", "UNKNOWN", "ended with 137: OOMKilled", TIME)


def test_one_that_is_to_run_again_has_said_no() -> None:
    last = {"terminated": ended(12, said(Reason.CONTENT_MISMATCH))}
    states: list[Json] = [{"waiting": {"reason": "CrashLoopBackOff"}}, {"running": {}}]
    for state in states:
        assert verdict(state=state, lastState=last).state == "rejected"
    now = {"terminated": ended(0, said(Reason.VERIFIED))}
    assert verdict(state=now, lastState=last).state == "verified"


def test_one_that_has_not_ended_is_pending() -> None:
    assert verdict(state={"waiting": {}}) == PodVerdict("pending")
    made = inject(pod())
    assert verdict_of(made) == PodVerdict("pending")


def test_a_pod_without_a_verifier_has_no_verdict() -> None:
    assert verdict_of(pod()) is None


def test_a_status_that_cannot_be_read_verifies_nothing() -> None:
    made = with_status(state={})
    made["status"] = {"initContainerStatuses": "x"}
    found = verdict_of(made)
    assert found is not None
    assert found.state == "undetermined"


def test_the_configmaps_of_a_pod() -> None:
    made = inject(pod())
    (source,) = made["spec"]["volumes"][0]["projected"]["sources"]
    assert configmaps_of(made) == {source["configMap"]["name"]}
    assert configmaps_of(pod()) == set()
    assert configmaps_of({"spec": {"volumes": "x"}}) == set()


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)


@given(st.fixed_dictionaries({"terminated": anything}), anything)
def test_no_status_raises_or_is_taken_for_a_yes(state: Json, message: object) -> None:
    for given_state in (state, {"terminated": ended(0, message)}):
        found = verdict_of(with_status(state=given_state))
        assert found is not None
        assert found.state != "verified"
