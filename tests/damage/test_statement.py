"""Statements that are properly signed and yet say what no honest signer writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    Json,
    Model,
    digest,
    expect,
    findings,
    resource,
    rooted,
    statement_of,
    statement_with,
)
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MALFORMED = (Reason.SIGNATURE_INVALID, Code.STATEMENT_MALFORMED)
ROOT = digest(b"".join(bytes.fromhex(digest(FILES[name])) for name in sorted(FILES)))


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).resign(statement_of(FILES))


def test_the_statement_by_hand_is_sound(model: Model) -> None:
    report = expect(model, Reason.VERIFIED)
    assert report.models[0].signature is not None
    assert report.models[0].signature.root_digest == ROOT
    assert report.models[0].signature.format == "v1.0"


def test_model_signing_writes_the_same_statement(tmp_path: Path) -> None:
    model = Model(tmp_path).sign_with_key()
    theirs = model.statement
    del theirs["predicate"]["serialization"]["ignore_paths"]
    assert theirs == statement_of(FILES)


PAYLOADS = {
    "empty list": b"[]",
    "null": b"null",
    "text": b'"x"',
    "not JSON": b"{'a': 1}",
    "not UTF-8": b'{"_type": "\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"x": NaN}',
    "Infinity": b'{"x": [-Infinity]}',
    "deep": b"[" * 1000 + b"]" * 1000,
    "very deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "empty object": b"{}",
    "pickle": b"\x80\x04}.",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_that_is_no_statement(model: Model, payload: bytes) -> None:
    expect(model.resign(payload), *MALFORMED)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ('"_type"', '"_type": "https://in-toto.io/Statement/v1"'),
        ('"subject"', '"subject": []'),
        ('"predicate"', '"predicate": {}'),
        ('"resources"', '"resources": []'),
        ('"allow_symlinks"', '"allow_symlinks": true'),
        ('"digest"', '"digest": {}'),
        ('"name"', '"name": "x"'),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_a_key_that_is_there_twice(model: Model, name: str, other: str, *, last: bool) -> None:
    text = json.dumps(statement_of(FILES))
    start = text.index(f"{name}:")
    _, end = json.JSONDecoder().raw_decode(text, start + len(name) + 2)
    twice = f"{text[start:end]}, {other}" if last else f"{other}, {text[start:end]}"
    model.resign((text[:start] + twice + text[end:]).encode())
    report = expect(model, *MALFORMED)
    assert "twice" in findings(report)[0].detail


def _set(path: str, value: object) -> Callable[[Json], Json]:
    def apply(statement: Json) -> Json:
        place = statement
        *way, last = path.split("/")
        for step in way:
            place = place[int(step) if step.isdigit() else step]  # type: ignore[index]
        place[last] = value
        return statement

    return apply


def _drop(path: str) -> Callable[[Json], Json]:
    def apply(statement: Json) -> Json:
        place = statement
        *way, last = path.split("/")
        for step in way:
            place = place[int(step) if step.isdigit() else step]  # type: ignore[index]
        del place[last]
        return statement

    return apply


FORM, FIRST = "predicate/serialization", "predicate/resources/0"
UPPER = digest(FILES["config.json"]).upper()
WRONG_TYPES: dict[str, list[object]] = {
    "_type": [None, "", 1, "https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1/"],
    "predicateType": [None, 1, "https://model_signing/signature/v1.1", "https://slsa.dev/provenance/v1", "HTTPS://model_signing/signature/v1.0"],  # noqa: E501
    "subject": [None, {}, "x", [], [1], [None]],
    "subject/0/name": [1, ["model"], True],
    "subject/0/digest": [None, {}, "x", [ROOT], {"sha512": ROOT}],
    "subject/0/digest/sha256": [None, 1, "", ROOT[:-1], ROOT + "0", ROOT.upper(), "0" * 64, f" {ROOT}"],  # noqa: E501
    "predicate": [None, [], "x", {}],
    "predicate/resources": [None, {}, "x", [1], [None], [[]]],
    "predicate/serialization": [None, [], "x", {}],
    f"{FORM}/method": [None, "", "file", "Files", "shards", ["files"]],
    f"{FORM}/hash_type": [None, "", 1, "SHA256", "sha-256", "sha512", "md5", "sha1", "blake2", "sha256-sharded-10", ["sha256"]],  # noqa: E501
    f"{FORM}/allow_symlinks": [None, "false", "true", 0, 1, 0.0, "", [], {}],
    f"{FORM}/ignore_paths": [None, "x", {}, [1], [None], [""], ["/x"], ["../x"], ["a/../b"], ["*"], ["*.py"], ["a?"], ["[a]"], ["a/"], ["./a"], ["."], [".."], ["a//b"], ["a\0"], ["\ud800"]],  # noqa: E501
    f"{FORM}/unknown": [1, None, True],
    f"{FORM}/Method": ["files"],
    f"{FIRST}/name": [None, 1, "", ["config.json"]],
    f"{FIRST}/algorithm": [None, "", 1, "SHA256", "sha512", "blake2b", "blake3", "sha256-sharded-10"],  # noqa: E501
    f"{FIRST}/digest": [None, 1, "", UPPER, UPPER.lower()[:-1], UPPER.lower() + "0", UPPER.lower() + "00", f"sha256:{UPPER.lower()}", UPPER.lower()[:-1] + "g", UPPER.lower()[:-1] + "\n", {"sha256": UPPER.lower()}],  # noqa: E501
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path, values in WRONG_TYPES.items() for value in values],
    ids=lambda value: repr(value)[:30],
)
def test_a_field_that_says_something_else(model: Model, path: str, value: object) -> None:
    model.resign(_set(path, value)(statement_of(FILES)))
    expect(model, *MALFORMED)


@pytest.mark.parametrize(
    "path",
    [
        "_type",
        "predicateType",
        "subject",
        "subject/0/digest",
        "subject/0/digest/sha256",
        "predicate",
        "predicate/serialization",
        "predicate/resources",
        f"{FORM}/method",
        f"{FORM}/hash_type",
        f"{FORM}/allow_symlinks",
        f"{FIRST}/name",
        f"{FIRST}/digest",
        f"{FIRST}/algorithm",
    ],
)
def test_a_field_that_is_missing(model: Model, path: str) -> None:
    model.resign(_drop(path)(statement_of(FILES)))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("hash_type", ["md5", None, "sha256-sharded-10"])
def test_an_unknown_hash_of_no_resources(model: Model, hash_type: object) -> None:
    statement = statement_with([])
    statement["predicate"]["serialization"]["hash_type"] = hash_type
    expect(model.resign(statement), *MALFORMED)


def test_two_subjects(model: Model) -> None:
    statement = statement_of(FILES)
    statement["subject"] *= 2
    expect(model.resign(statement), *MALFORMED)


def test_a_subject_without_name_is_a_warning(model: Model) -> None:
    report = expect(model.resign(_drop("subject/0/name")(statement_of(FILES))), Reason.VERIFIED)
    assert [finding.code for finding in findings(report)] == [Code.NOT_TO_THE_LETTER]


def test_the_root_digest_of_other_resources(model: Model) -> None:
    statement = statement_of(FILES)
    other = statement_of(FILES | {"config.json": b"other"})
    statement["subject"] = other["subject"]
    report = expect(model.resign(statement), *MALFORMED)
    assert "root digest" in findings(report)[0].detail


def test_the_root_digest_of_the_digests_as_text(model: Model) -> None:
    statement = statement_of(FILES)
    text = "".join(each["digest"] for each in statement["predicate"]["resources"])
    statement["subject"][0]["digest"]["sha256"] = digest(text.encode())
    expect(model.resign(statement), *MALFORMED)


NAMES = {
    "absolute": "/etc/passwd",
    "parent": "..",
    "up": "../config.json",
    "up and down": "sub/../config.json",
    "ends up": "sub/..",
    "here": "./config.json",
    "inner here": "sub/./adapter.bin",
    "ends here": "sub/.",
    "double slash": "sub//adapter.bin",
    "trailing slash": "config.json/",
    "only a slash": "/",
    "NUL": "config.json\0",
    "inner NUL": "sub/\0x",
    "high surrogate": "\ud800",
    "surrogate of a raw byte": "\udcff",
    "surrogate below": "sub/\udfff",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_that_is_not_a_normalised_relative_path(tmp_path: Path, name: str) -> None:
    model = Model(tmp_path).resign(statement_with([resource(name, b"x")]))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("name", ["...", "..a", "a..", ".a", "a.", " ", "\\", "C:\\x", "a\\..\\b"])
def test_unusual_names_that_are_names(tmp_path: Path, name: str) -> None:
    model = Model(tmp_path, {name: b"x"}).resign(statement_of({name: b"x"}))
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize("digests", [(b"x", b"x"), (b"x", b"y")])
def test_a_repeated_name(tmp_path: Path, digests: tuple[bytes, bytes]) -> None:
    model = Model(tmp_path, {"a": b"x"})
    model.resign(statement_with([resource("a", data) for data in digests]))
    report = expect(model, *MALFORMED)
    assert "twice" in findings(report)[0].detail


def test_a_repeated_name_with_another_between(tmp_path: Path) -> None:
    model = Model(tmp_path, {"a": b"x", "b": b"x"})
    model.resign(statement_with([resource(name, b"x") for name in "aba"]))
    expect(model, *MALFORMED)


def test_names_in_no_order(model: Model) -> None:
    statement = statement_of(FILES)
    statement["predicate"]["resources"].reverse()
    report = expect(model.resign(rooted(statement)), *MALFORMED)
    assert "sorted" in findings(report)[0].detail


BY_CODE_POINT = ["a.txt", "a/b.txt", "ab"]
BY_COMPONENT = ["a/b.txt", "a.txt", "ab"]


@pytest.mark.parametrize("order", [BY_CODE_POINT, BY_COMPONENT], ids=["code point", "component"])
def test_both_orders_that_signers_use(tmp_path: Path, order: list[str]) -> None:
    model = Model(tmp_path, dict.fromkeys(order, b"x"))
    model.resign(statement_with([resource(name, b"x") for name in order]))
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize("order", [["a/b.txt", "ab", "a.txt"], ["ab", "a.txt", "a/b.txt"]])
def test_a_mixture_of_both_orders(tmp_path: Path, order: list[str]) -> None:
    model = Model(tmp_path, dict.fromkeys(order, b"x"))
    model.resign(statement_with([resource(name, b"x") for name in order]))
    expect(model, *MALFORMED)


@pytest.mark.parametrize("recorded", [True, False])
def test_ignore_paths_may_be_empty(model: Model, *, recorded: bool) -> None:
    statement = statement_of(FILES, ignore_paths=[]) if recorded else statement_of(FILES)
    expect(model.resign(statement), Reason.VERIFIED)


def test_a_statement_that_is_malformed_is_not_content(model: Model) -> None:
    """Nothing of a malformed statement is acted upon: the changed file is not even looked at."""
    model.write("config.json", b"other")
    expect(model.resign(_set("subject", [])(statement_of(FILES))), *MALFORMED)


def test_an_unauthentic_statement_is_not_decoded(model: Model) -> None:
    """A malformed statement by a stranger is a stranger's."""
    trusted = model.signers
    other = Model(model.path.parent, name="other").resign({"x": 1})
    model.rewrite(other.bundle).signers = trusted
    expect(model, Reason.SIGNER_UNTRUSTED, Code.KEY_MISMATCH)
