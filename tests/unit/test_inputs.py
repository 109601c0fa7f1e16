"""Files from others: bounded, regular, one open; JSON without guessing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.unit.descriptors import descriptors
from verifier_cli.inputs import (
    MAX_JSON_DEPTH,
    MIB,
    Malformed,
    Unreadable,
    canonical_json,
    read_regular,
    sha256_hex,
    strict_json,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert read_regular(str(tmp_path / "f"), 3) == b"abc"


def test_follows_a_link_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("f")
    assert read_regular(str(tmp_path / "link"), 3) == b"abc"


def test_reads_a_file_of_several_chunks(tmp_path: Path) -> None:
    data = bytes(range(256)) * (2 * MIB // 256) + b"end"
    (tmp_path / "f").write_bytes(data)
    assert read_regular(str(tmp_path / "f"), len(data)) == data


@pytest.mark.parametrize("name", ["absent", "file/below"])
def test_what_is_not_there_is_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unreadable) as caught:
        read_regular(str(tmp_path / name), 3)
    assert caught.value.missing


def test_a_path_that_no_system_takes(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="null") as caught:
        read_regular(f"{tmp_path}/a\0b", 3)
    assert not caught.value.missing


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="is not a regular file") as caught:
        read_regular(str(tmp_path), 3)
    assert not caught.value.missing


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unreadable, match="is not a regular file"):
        read_regular(str(tmp_path / "fifo"), 3)


def test_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(Unreadable, match="no such device"):
            read_regular(str(tmp_path / "s"), 3)


def test_a_device() -> None:
    with pytest.raises(Unreadable, match="is not a regular file"):
        read_regular("/dev/zero", 3)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Unreadable, match="has 1099511627776 bytes, more than the 3"):
        read_regular(str(tmp_path / "sparse"), 3)


def test_a_file_that_says_it_is_empty_is_bounded_too() -> None:
    # Files of /proc have the size 0 and hold something all the same.
    with pytest.raises(Unreadable, match="grew beyond the 10 bytes"):
        read_regular("/proc/self/status", 10)


def test_a_read_error_after_opening() -> None:
    # The first page of a process is not mapped: reading it is an I/O error.
    with pytest.raises(Unreadable, match="input/output error") as caught:
        read_regular("/proc/self/mem", 10)
    assert not caught.value.missing


def test_descriptors_are_closed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abcd")
    before = descriptors()
    read_regular(str(tmp_path / "f"), 4)
    with pytest.raises(Unreadable):
        read_regular(str(tmp_path / "f"), 3)
    assert descriptors() == before


def test_sha256() -> None:
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": [1, 2.5, null, true, "\\u00fc"]}', {"a": [1, 2.5, None, True, "ü"]}),
        (b" 1 ", 1),
        ('"ü"'.encode(), "ü"),
    ],
)
def test_strict_json(raw: bytes, value: object) -> None:
    assert strict_json(raw) == value


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "is not JSON: Expecting value at line 1 column 1"),
        (b'{"a":\n1,}', "line 2 column"),
        (b"{} {}", "is not JSON: Extra data"),
        (b"\xff", "is not UTF-8"),
        (b"\xef\xbb\xbf{}", "is not JSON: .*BOM"),
        (b'"\xed\xa0\x80"', "is not UTF-8"),
        (b'{"a":1,"b":2,"a":3}', "holds the key 'a' twice"),
        (b'{"x":{"\\u0061":1,"a":3}}', "holds the key 'a' twice"),
        (b"NaN", "holds NaN, which is not JSON"),
        (b"[-Infinity]", "holds -Infinity, which is not JSON"),
        (b"1" * 5000, "is not JSON that can be read: Exceeds the limit"),
        (b"[" * 100_000 + b"]" * 100_000, f"nests deeper than {MAX_JSON_DEPTH} levels"),
        (b"'a'", "is not JSON"),
    ],
)
def test_what_is_refused(raw: bytes, fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        strict_json(raw)


@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_bounded_exactly(start: bytes, end: bytes) -> None:
    def nested(levels: int) -> bytes:
        return start * levels + b"1" + end * levels

    assert strict_json(nested(MAX_JSON_DEPTH))
    with pytest.raises(Malformed, match="nests deeper"):
        strict_json(nested(MAX_JSON_DEPTH + 1))


def test_canonical_json_knows_one_form() -> None:
    assert canonical_json({"b": [1, {"d": "ü", "c": None}], "a": True}) == (
        '{"a":true,"b":[1,{"c":null,"d":"ü"}]}'.encode()
    )


def test_an_input_of_more_entries_than_are_built_in_memory() -> None:
    assert strict_json(b"[1, 2, 3]", most=3) == [1, 2, 3]
    for raw in (b"[1, 2, 3, 4]", b"[[[[", b'{"a": {"b": {"c": {}}}}'):
        with pytest.raises(Malformed, match="has more than 3 entries"):
            strict_json(raw, most=3)


@pytest.mark.parametrize("raw", [b'"\\ud800"', b'{"\\udfff": 1}', b'["\\ud800x\\udc00"]'])
def test_half_a_character(raw: bytes) -> None:
    with pytest.raises(Malformed, match="holds half a surrogate pair"):
        strict_json(raw)


def test_a_whole_character_in_two_escapes() -> None:
    assert strict_json(b'"\\ud83e\\uddff"') == "\U0001f9ff"
