"""Errors name the reason that ends the process, and advise."""

from __future__ import annotations

import pytest

from verifier_cli import errors
from verifier_cli.errors import ConfigError, ModelVerifyError, Problem
from verifier_cli.verdict import Reason

FAMILY = {
    ModelVerifyError: Reason.INTERNAL,
    errors.ConfigError: Reason.CONFIG,
    errors.TrustUnavailableError: Reason.TRUST_UNAVAILABLE,
    errors.DeadlineError: Reason.DEADLINE,
}


@pytest.mark.parametrize(("kind", "reason"), FAMILY.items(), ids=lambda x: getattr(x, "name", ""))
def test_each_error_names_a_reason(kind: type[ModelVerifyError], reason: Reason) -> None:
    assert issubclass(kind, ModelVerifyError)
    assert Reason[kind.reason] is reason


def test_no_error_of_the_family_is_forgotten_here() -> None:
    classes = {value for value in vars(errors).values() if isinstance(value, type)}
    assert {c for c in classes if issubclass(c, ModelVerifyError)} == set(FAMILY)


def test_a_sentence_is_the_message_and_the_advice() -> None:
    assert ModelVerifyError("it broke", advice="Mend it").sentence == "it broke. Mend it"


def test_a_sentence_without_advice_is_the_message() -> None:
    assert ModelVerifyError("it broke").sentence == "it broke"


def test_a_problem_reads_place_then_detail() -> None:
    assert str(Problem("spec.model", "is missing")) == "spec.model: is missing"
    assert str(Problem("", "is empty")) == "is empty"


def test_a_config_error_names_all_problems_after_its_source() -> None:
    problems = (Problem("a", "is missing"), Problem("b", "is empty"))
    error = ConfigError(*problems, source="policy.json", advice="Look")
    assert error.problems == problems
    assert error.sentence == "policy.json: a: is missing; b: is empty. Look"
    assert str(ConfigError(Problem("a", "is missing"))) == "a: is missing"
