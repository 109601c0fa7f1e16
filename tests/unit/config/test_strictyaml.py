"""YAML without its surprises."""

from __future__ import annotations

import pytest

from verifier_cli.config.strictyaml import dump, dump_all, load_all
from verifier_cli.inputs import Malformed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("Null", None),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02 03:04:05Z", "2026-01-02 03:04:05Z"),
        ("010", "010"),
        ("0o10", "0o10"),
        ("0x10", "0x10"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("900", 900),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1.5e3", 1500.0),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("'true'", "true"),
        ('"900"', "900"),
        ("!!str 900", "900"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_mean_what_people_mean(text: str, value: object) -> None:
    assert load_all(f"key: {text}".encode()) == [{"key": value}]


def test_a_merge_key_is_an_ordinary_key() -> None:
    assert load_all(b"<<: {a: 1}\n") == [{"<<": {"a": 1}}]


def test_several_documents_and_empty_ones() -> None:
    assert load_all(b"---\na: 1\n---\n---\n# nothing\n---\n- b\n...\n") == [{"a": 1}, ["b"]]
    assert load_all(b"") == []


def test_an_anchor_without_an_alias_is_harmless() -> None:
    assert load_all(b"a: &x 1") == [{"a": 1}]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"a: &x 1\nb: *x", "uses a YAML alias"),
        (b"- &x [*x]", "uses a YAML alias"),
        (b"a: 1\na: 2", "holds the key 'a' twice"),
        (b"a: {b: 1, 'b': 2}", "holds the key 'b' twice"),
        (b"1: x", "holds the key 1, which is not text"),
        (b"true: x", "holds the key True, which is not text"),
        (b"~: x", "holds the key None, which is not text"),
        (b"? [a]\n: x", "which is not text"),
        (b"? {a: b}\n: x", "which is not text"),
        (b"a: [", "is not YAML: .* at line 1 column"),
        (b"a:\n\tb: 1", "is not YAML: .* at line 2 column 1"),
        (b"a: b: c", "is not YAML: mapping values are not allowed here at line 1 column 5"),
        (b"%YAML 3.0\n---\na: 1", "is not YAML"),
        (b"!!python/object:os.system x", "is not YAML: could not determine a constructor"),
        (b"!!python/name:os.system", "is not YAML"),
        (b"a: !custom x", "is not YAML"),
        (b"\xff", "is not UTF-8"),
        (b"a: \x00", "is not YAML"),
        (b"a: \x1b[2J", "is not YAML"),
        (b"[" * 5000, "nests too deeply"),
        (b"a: " + b"1" * 5000, "is not YAML that can be read"),
        (b"a: !!int x", "is not YAML that can be read"),
        (b"a: !!float x", "is not YAML that can be read"),
    ],
)
def test_what_is_refused(raw: bytes, fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        load_all(raw)


@pytest.mark.parametrize(
    "tagged",
    [
        b"!!timestamp 2026-01-02",
        b"!!binary YQ==",
        b"!!set {a, b}",
        b"!!omap [a: 1]",
        b"!!pairs [a: 1]",
    ],
)
def test_no_value_that_json_does_not_have(tagged: bytes) -> None:
    with pytest.raises(Malformed):
        load_all(b"a: " + tagged)


def test_an_alias_bomb_is_refused_at_once() -> None:
    levels = [b"a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [
        b"a%d: &a%d [%s]" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 9))
        for level in range(1, 20)
    ]
    with pytest.raises(Malformed, match="alias"):
        load_all(b"\n".join(levels))


def test_what_is_written_can_be_read() -> None:
    value = {
        "b": "yes",
        "a": ["010", 10, True, None, "2026-01-02"],
        "pem": "-----BEGIN X-----\nYQ==\n-----END X-----\n",
        "hostile": "\x1b[2J\n# forged: line",
    }
    text = dump(value)
    assert load_all(text.encode()) == [value]
    assert text.index("b:") < text.index("a:"), "the order is the given one"
    assert "pem: |\n  -----BEGIN X-----\n" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("character", ["\x1b", "\x9b", "\u202e", "\u200b", "\u2028", "\x85", "\0"])
def test_what_is_written_can_be_printed(character: str) -> None:
    text = dump({"key": f"a{character}b", "list": [f"{character}\nx"]})
    assert all(line.isprintable() for line in text.split("\n"))
    assert load_all(text.encode()) == [{"key": f"a{character}b", "list": [f"{character}\nx"]}]


def test_several_documents_are_written() -> None:
    assert load_all(dump_all([{"a": 1}, {"b": 2}]).encode()) == [{"a": 1}, {"b": 2}]
