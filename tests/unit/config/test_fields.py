"""One object is read strictly; every fault has its field path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verifier_cli.config.fields import Fields

if TYPE_CHECKING:
    from verifier_cli.errors import Problem


def fields(value: object, path: str = "spec") -> tuple[Fields, list[Problem]]:
    problems: list[Problem] = []
    return Fields(value, path, problems), problems


def said(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("value", "fault"),
    [(None, "spec: is missing"), ([], "spec: is not an object"), ("x", "spec: is not an object")],
)
def test_what_is_no_object(value: object, fault: str) -> None:
    _, problems = fields(value)
    assert said(problems) == [fault]


def test_the_document_itself_has_no_path() -> None:
    assert said(fields(1, "")[1]) == ["is not an object"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (1, "is a number where text is wanted"),
        (1.5, "is a number where text is wanted"),
        (True, "is true or false where text is wanted"),
        (["x"], "is a list where text is wanted"),
        ({"x": 1}, "is an object where text is wanted"),
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("\ud800", "is not valid Unicode"),
    ],
)
def test_what_is_no_text(value: object, fault: str) -> None:
    found, problems = fields({"f": value})
    assert found.text("f", required=True) is None
    assert said(problems) == [f"spec.f: {fault}"]


def test_a_text() -> None:
    found, problems = fields({"f": " ü "})
    assert found.text("f") == " ü "
    assert found.text("g") is None
    assert problems == []
    assert found.text("g", required=True) is None
    assert said(problems) == ["spec.g: is missing"]


def test_a_text_that_is_checked() -> None:
    found, problems = fields({"f": "x"})
    assert found.text("f", check={"x": None}.get) == "x"
    assert found.text("f", check=lambda text: f"is {text}") is None
    assert said(problems) == ["spec.f: is x"]


def test_a_flag() -> None:
    found, problems = fields({"t": True, "f": False, "s": "yes", "n": 0})
    assert found.flag("t", default=False)
    assert not found.flag("f", default=True)
    assert found.flag("absent", default=True)
    assert problems == []
    assert found.flag("s", default=True)
    assert not found.flag("n", default=False)
    assert said(problems) == [
        "spec.s: is text where true or false is wanted",
        "spec.n: is a number where true or false is wanted",
    ]


@pytest.mark.parametrize("value", [0, 11, -1, 1.0, True, "5", [5]])
def test_what_is_no_number_in_bounds(value: object) -> None:
    found, problems = fields({"f": value})
    assert found.number("f", default=7, least=1, most=10) == 7
    assert said(problems) == ["spec.f: is not a whole number from 1 to 10"]


def test_a_number() -> None:
    found, problems = fields({"a": 1, "b": 10})
    assert [found.number(name, default=7, least=1, most=10) for name in "abc"] == [1, 10, 7]
    assert problems == []


def test_a_choice() -> None:
    found, problems = fields({"a": "warn", "b": "Warn", "c": 1})
    assert found.choice("a", ("enforce", "warn"), default="enforce") == "warn"
    assert found.choice("absent", ("enforce", "warn"), default="enforce") == "enforce"
    assert problems == []
    assert found.choice("b", ("enforce", "warn"), default="enforce") == "enforce"
    assert found.choice("c", ("enforce", "warn"), default="enforce") == "enforce"
    assert said(problems) == [
        "spec.b: is 'Warn', not one of enforce, warn",
        "spec.c: is a number where text is wanted",
    ]


def test_children() -> None:
    found, problems = fields({"o": {"x": 1}, "l": [{"y": 1}, 3]})
    assert found.child("o").path == "spec.o"
    assert [child.path for child in found.children("l")] == ["spec.l[0]", "spec.l[1]"]
    assert said(problems) == ["spec.l[1]: is not an object"]
    found.child("absent")
    assert said(problems)[1:] == ["spec.absent: is missing"]
    assert fields({"o": {}}, "")[0].child("o").path == "o"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({}, "spec.l: is missing"),
        ({"l": []}, "spec.l: is empty"),
        ({"l": {}}, "spec.l: is not a list"),
    ],
)
def test_a_list_that_must_hold_something(value: object, fault: str) -> None:
    found, problems = fields(value)
    assert found.items("l") == []
    assert said(problems) == [fault]


def test_a_list_that_may_be_left_out() -> None:
    found, problems = fields({"empty": []})
    assert found.items("l", optional=True) == []
    assert found.items("empty", optional=True) == []
    assert problems == []


def test_texts() -> None:
    found, problems = fields({"l": ["a", 1, "b"]})
    assert found.texts("l", lambda text: "is b" if text == "b" else None) == ("a",)
    assert said(problems) == ["spec.l[1]: is not text", "spec.l[2]: is b"]


def test_what_nobody_asked_for() -> None:
    found, problems = fields({"b": 1, "a": 2, "c": 3, "known": 4})
    found.take("known")
    found.ignore("c")
    found.done()
    assert said(problems) == ["spec.a: is not a known field", "spec.b: is not a known field"]


def test_what_nobody_asked_for_is_a_fault_also_when_it_is_null() -> None:
    found, problems = fields({"a": None, "known": 1})
    found.take("known")
    found.done()
    assert said(problems) == ["spec.a: is not a known field"]


def test_a_null_is_neither_a_value_nor_left_out() -> None:
    found, problems = fields({"a": None, "b": None, "c": None})
    assert found.text("a") is None
    assert found.flag("b", default=True)
    assert found.items("c", optional=True) == []
    found.done()
    assert said(problems) == [
        f"spec.{name}: is null: give a value or leave it out" for name in "abc"
    ]
    found.take("a")
    assert len(problems) == 3, "it is said once"


def test_what_is_there() -> None:
    found, _ = fields({"a": 1})
    assert "a" in found
    assert "b" not in found
