"""Expressions for identities: RE2, the whole name, and never everybody."""

from __future__ import annotations

import pytest

from verifier_cli.expressions import MAX_EXPRESSION, fault_of_expression, matches_whole


@pytest.mark.parametrize(
    "pattern", [r"release@example\.com", r".+@example\.com", "https://github.com/org/.*", "a|b"]
)
def test_expressions_that_name_somebody(pattern: str) -> None:
    assert fault_of_expression(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    ["(", "a{2,1}", "[z-a]", "(?P<n>", "a{1001}", "(?=a)", r"(a)\1", "\\"],
)
def test_what_is_no_expression(pattern: str) -> None:
    fault = fault_of_expression(pattern)
    assert fault is not None
    assert fault.startswith("is not an expression that RE2 takes: ")
    assert "b'" not in fault
    assert "not understood" not in fault
    assert "\n" not in fault


def test_what_re2_says_is_not_logged_behind_our_back(capfd: pytest.CaptureFixture[str]) -> None:
    fault_of_expression("(")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "pattern", [".*", ".+", "^.*$", "(?s).*", r"[\s\S]*", "(.|\n)+", "^.{0,200}$", ".*?", r"\S+"]
)
def test_expressions_that_accept_everybody(pattern: str) -> None:
    assert fault_of_expression(pattern) == "matches every identity, so it names nobody"


def test_an_expression_is_bounded() -> None:
    assert fault_of_expression("a" * MAX_EXPRESSION) is None
    assert fault_of_expression("a" * (MAX_EXPRESSION + 1)) == "is longer than 1024 characters"


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a", "ba", False),
        ("a|ab", "ab", True),
        ("a$", "a\n", False),
        (".+@example.com", "x@example.com.evil", False),
        ("(?i)A", "a", True),
        ("ü.", "üü", True),
        (".", "\n", False),
    ],
)
def test_the_whole_name_must_match(pattern: str, name: str, *, matches: bool) -> None:
    assert matches_whole(pattern, name) is matches


def test_a_name_cannot_keep_it_busy() -> None:
    assert not matches_whole("(a+)+b", "a" * 5000)
