"""Models signed in shards, sound ones by hand: no signer writes them to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    Json,
    Model,
    digest,
    expect,
    findings,
    statement_of,
    statement_with,
)
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

MALFORMED = (Reason.SIGNATURE_INVALID, Code.STATEMENT_MALFORMED)
DATA = bytes(range(25))
SIZE = 10
SHARDS = {"method": "shards", "hash_type": "sha256", "allow_symlinks": False, "shard_size": SIZE}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path, {"w": DATA})


def shard(start: int, end: int, *, name: str = "w", data: bytes = DATA) -> Json:
    return {
        "name": f"{name}:{start}:{end}",
        "digest": digest(data[start:end]),
        "algorithm": "sha256",
    }


def signed(model: Model, *shards: Json, **form: object) -> Model:
    return model.resign(statement_with(list(shards), SHARDS | form))


GOOD = (shard(0, 10), shard(10, 20), shard(20, 25))


def test_sound_shards(model: Model) -> None:
    report = expect(signed(model, *GOOD), Reason.VERIFIED)
    assert (report.models[0].files, report.models[0].bytes) == (1, len(DATA))
    assert not findings(report)


@pytest.mark.parametrize("algorithm", ["sha256", "blake2b", "blake3"])
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20, 1 << 62])
def test_sound_shards_of_every_size(tmp_path: Path, algorithm: str, size: int) -> None:
    files = {"small": b"abc", "weights.bin": FILES["weights.bin"][: 500 * min(size, 100)]}
    model = Model(tmp_path, files)
    model.resign(statement_of(files, hash_type=algorithm, shard_size=size))
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize("name", ["w:0:5", "w:0:10", "a:b", ":", "a\n:0:3", "0:1:2", "w:"])
def test_names_with_colons(tmp_path: Path, name: str) -> None:
    model = Model(tmp_path, {name: DATA})
    model.resign(statement_of({name: DATA}, shard_size=SIZE))
    expect(model, Reason.VERIFIED)
    model.write(name, DATA[:-1] + b"!")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, name)


def test_many_shards_are_ordered_by_number(tmp_path: Path) -> None:
    """model_signing orders shards by offset, the specification by name: both are sorted."""
    model = Model(tmp_path, {"w": DATA * 5})
    rows = [shard(n, n + 5, data=DATA * 5) for n in range(0, 125, 5)]
    for order in (rows, sorted(rows, key=lambda row: str(row["name"]))):
        expect(signed(model, *order, shard_size=5), Reason.VERIFIED)


@pytest.mark.parametrize("place", [0, 9, 10, 24])
def test_a_changed_byte(model: Model, place: int) -> None:
    signed(model, *GOOD)
    data = bytearray(DATA)
    data[place] ^= 1
    model.write("w", bytes(data))
    report = expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "w")
    assert f"between bytes {place // 10 * 10} and" in findings(report)[0].detail


@pytest.mark.parametrize("data", [DATA + b"\0", DATA[:-1], b"", DATA[:20], DATA + DATA])
def test_another_size(model: Model, data: bytes) -> None:
    signed(model, *GOOD)
    model.write("w", data)
    report = expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "w")
    (finding,) = findings(report)
    assert (finding.expected, finding.actual) == ("25 bytes", f"{len(data)} bytes")


def test_two_shards_of_a_file_swapped(model: Model) -> None:
    signed(model, *GOOD)
    model.write("w", DATA[10:20] + DATA[:10] + DATA[20:])
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "w")


TILINGS: dict[str, tuple[Json, ...]] = {
    "a gap": (shard(0, 10), shard(20, 25)),
    "a small gap": (shard(0, 10), shard(11, 21), shard(21, 25)),
    "the first is missing": (shard(10, 20), shard(20, 25)),
    "only the last": (shard(20, 25),),
    "an overlap": (shard(0, 10), shard(9, 19), shard(19, 25)),
    "one inside another": (shard(0, 10), shard(2, 5), shard(10, 20)),
    "a short one in the middle": (shard(0, 10), shard(10, 15), shard(15, 25)),
    "a short one first": (shard(0, 5), shard(5, 15), shard(15, 25)),
    "one that is too long": (shard(0, 11), shard(11, 21), shard(21, 25)),
    "the last is too long": (shard(0, 10), shard(10, 25)),
    "one shard, too long": (shard(0, 25),),
    "two with one start": (shard(0, 9), shard(0, 10), shard(10, 20), shard(20, 25)),
}


@pytest.mark.parametrize("shards", TILINGS.values(), ids=TILINGS)
def test_shards_that_do_not_tile_the_file(model: Model, shards: tuple[Json, ...]) -> None:
    report = expect(signed(model, *shards), *MALFORMED)
    assert "gap or overlap" in findings(report)[0].detail


def test_the_last_shard_missing_leaves_a_shorter_file(model: Model) -> None:
    """It tiles, but another file than the one that is there."""
    signed(model, *GOOD[:2])
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "w")


@pytest.mark.parametrize(
    "name",
    [
        "w",
        "w:0",
        "w:0:",
        "w::10",
        ":0:10",
        "w:00:10",
        "w:0:010",
        "w:-0:10",
        "w:+0:10",
        "w: 0:10",
        "w:0:10 ",
        "w:0:10\n",
        "w:0x0:0xa",
        "w:0:1e1",
        "w:0:10.0",
        "w:٠:١٠",  # noqa: RUF001  (digits, but not those of ASCII)
        "w:0:0",
        "w:10:0",
        "w:0:99999999999999999999",
        "../w:0:10",
        "/w:0:10",
        "./w:0:10",
        "a//w:0:10",
        "w/:0:10",
    ],
)
def test_a_name_that_is_no_shard(model: Model, name: str) -> None:
    expect(signed(model, shard(0, 10) | {"name": name}), *MALFORMED)


def test_a_repeated_shard(model: Model) -> None:
    expect(signed(model, GOOD[0], *GOOD), *MALFORMED)


def test_shards_in_no_order(model: Model) -> None:
    expect(signed(model, *reversed(GOOD)), *MALFORMED)


@pytest.mark.parametrize(
    "size", [0, -1, -10, 2.5, True, False, None, "10", [10], {}, 9, 11, 1e400, 0.0, -10.0], ids=repr
)
def test_another_shard_size(model: Model, size: object) -> None:
    expect(signed(model, *GOOD, shard_size=size), *MALFORMED)


def test_no_shard_size(model: Model) -> None:
    form = {name: value for name, value in SHARDS.items() if name != "shard_size"}
    expect(model.resign(statement_with(list(GOOD), form)), *MALFORMED)


@pytest.mark.parametrize("size", [SIZE, None, 0])
def test_a_shard_size_where_files_are_signed_whole(tmp_path: Path, size: object) -> None:
    model = Model(tmp_path).resign(statement_of(FILES, method="files") | {})
    statement = statement_of(FILES)
    statement["predicate"]["serialization"]["shard_size"] = size
    expect(model.resign(statement), *MALFORMED)


def test_a_float_that_is_whole_is_a_warning(model: Model) -> None:
    """As model_signing writes it: the meaning is unmistakable."""
    rows = [row | {"algorithm": "sha256-sharded-10"} for row in GOOD]
    report = expect(signed(model, *rows, shard_size=10.0), Reason.VERIFIED)
    assert {finding.code for finding in findings(report)} == {Code.NOT_TO_THE_LETTER}
    assert len(findings(report)) == 2


def test_the_shard_size_in_the_name_of_the_hash_is_a_warning(model: Model) -> None:
    report = expect(signed(model, *GOOD, hash_type="sha256-sharded-10"), Reason.VERIFIED)
    (finding,) = findings(report)
    assert finding.code is Code.NOT_TO_THE_LETTER
    assert "hash_type" in finding.detail


@pytest.mark.parametrize(
    "algorithm",
    ["sha256-sharded-11", "sha256-sharded-010", "blake2b-sharded-10", "sha256-sharded-10.0"],
)
def test_an_algorithm_of_another_shard_size(model: Model, algorithm: str) -> None:
    expect(signed(model, *(row | {"algorithm": algorithm} for row in GOOD)), *MALFORMED)
    expect(signed(model, *GOOD, hash_type=algorithm), *MALFORMED)


def test_an_unsigned_empty_file_beside_shards(model: Model) -> None:
    signed(model, *GOOD)
    model.write("__init__.py", b"")
    report = expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "__init__.py")
    assert "shard" in findings(report)[0].detail


def test_a_file_beside_shards_that_is_missing(model: Model) -> None:
    signed(model, *GOOD, shard(0, 5, name="x"))
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "x")
