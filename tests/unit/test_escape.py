"""What is not printable is written as an escape; nothing else is changed."""

from __future__ import annotations

import pytest

from verifier_cli.escape import clip, escape, unescape

EXAMPLES = [
    ("model.bin", "model.bin"),
    ("ünïcode 模型.bin", "ünïcode 模型.bin"),
    ("", ""),
    ("a\\b", "a\\\\b"),
    ("line\nbreak", "line\\x0abreak"),
    ("\x1b[2J", "\\x1b[2J"),
    ("\x9b31m", "\\x9b31m"),
    ("nul\0", "nul\\x00"),
    ("\u202etxt.exe", "\\u202etxt.exe"),
    ("zero\u200bwidth", "zero\\u200bwidth"),
    ("\u2028", "\\u2028"),
    ("\U000e0001tag", "\\U000e0001tag"),
    ("\U0010ffff", "\\U0010ffff"),
    (b"\xff\x80".decode("utf-8", "surrogateescape"), "\\bff\\b80"),
    ("\udc7f", "\\udc7f"),
    ("\ud800", "\\ud800"),
    ("\udd00", "\\udd00"),
    # What CI runners obey wherever it stands in a line.
    ("##[error]x", "#\\x23[error]x"),
    ("a##vso[task.x]", "a#\\x23vso[task.x]"),
    ("###", "#\\x23#"),
    ("####", "#\\x23#\\x23"),
    ("# one #", "# one #"),
]


@pytest.mark.parametrize(("raw", "escaped"), EXAMPLES)
def test_escape(raw: str, escaped: str) -> None:
    assert escape(raw) == escaped
    assert unescape(escaped) == raw


@pytest.mark.parametrize("text", ["\\q", "\\x4", "\\bZZ", "\\"])
def test_what_is_no_escape_is_left_alone(text: str) -> None:
    assert unescape(text) == text


def test_two_texts_never_look_the_same() -> None:
    assert escape("\\x0a") != escape("\n")


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("", 0, ""),
    ],
)
def test_clip(text: str, limit: int, clipped: str) -> None:
    assert clip(text, limit) == clipped


def test_clip_to_nothing_leaves_nothing() -> None:
    assert clip("abcd", 0) == ""
