"""How names, digests and shards of a statement are read; whole statements: test_statement.py."""

from __future__ import annotations

import pytest

from verifier_cli.inputs import Malformed
from verifier_cli.signature.serialization import (
    Piece,
    Serialization,
    digest_of,
    list_of,
    object_of,
    require_name,
    require_order,
)

FORM = {"method": "shards", "hash_type": "sha256", "allow_symlinks": False, "shard_size": 10}
DIGEST = bytes(32)


def tiles(*names: str) -> dict[str, tuple[Piece, ...]]:
    return Serialization.decode(dict(FORM)).files([(name, DIGEST) for name in names])


def test_shards_in_any_order_are_put_in_theirs() -> None:
    assert tiles("a:10:15", "b:0:3", "a:0:10") == {
        "a": (Piece(0, 10, DIGEST), Piece(10, 15, DIGEST)),
        "b": (Piece(0, 3, DIGEST),),
    }


def test_files_are_one_piece_to_their_end() -> None:
    form = {name: value for name, value in FORM.items() if name != "shard_size"}
    found = Serialization.decode(form | {"method": "files"}).files([("a:0:10", DIGEST)])
    assert found == {"a:0:10": (Piece(0, None, DIGEST),)}


@pytest.mark.parametrize(
    "names",
    [
        ("a", "b"),
        ("a-b", "a/b"),
        ("a/b", "a-b"),
        ("a/b", "a/c", "a-b"),
        (),
        ("a",),
    ],
)
def test_orders_that_signers_write(names: tuple[str, ...]) -> None:
    require_order(list(names), sharded=False)


@pytest.mark.parametrize("names", [("b", "a"), ("a/c", "a-b", "a/b"), ("a", "a")])
def test_orders_that_nobody_writes(names: tuple[str, ...]) -> None:
    with pytest.raises(Malformed, match="resources "):
        require_order(list(names), sharded=False)


def test_shards_may_be_ordered_by_offset() -> None:
    require_order(["a:0:9", "a:9:18", "a:10:19"], sharded=True)
    require_order(["a:9:18", "a:10:19"], sharded=True)
    with pytest.raises(Malformed):
        require_order(["a:9:18", "a:10:19"], sharded=False)


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        ("00ff", 4, b"\x00\xff"),
        ("00FF", 4, None),
        ("00ff", 6, None),
        ("0x0f", 4, None),
        ("00f\n", 4, None),
        ("", 0, None),
        (None, 4, None),
        (1234, 4, None),
    ],
)
def test_digests(value: object, digits: int, expected: bytes | None) -> None:
    assert digest_of(value, digits) == expected


def test_the_shapes_of_json() -> None:
    assert object_of({"a": 1}, "x") == {"a": 1}
    assert list_of([1], "x") == [1]
    for read in (object_of, list_of):
        with pytest.raises(Malformed, match="x is missing"):
            read(None, "x")
        with pytest.raises(Malformed, match="x is not a"):
            read("text", "x")


def test_names() -> None:
    for name in ("a", "a/b", "."):
        require_name(name, "here")
    for name in ("", "..", "/a", "a/.", "./a"):
        with pytest.raises(Malformed, match=r"here .* is not a normalised relative path"):
            require_name(name, "here")
