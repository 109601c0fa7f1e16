"""Reads what others wrote: bounded, from regular files only, and without guessing.

Every file that is not part of a model (bundle, policy, key, trust config) comes in here.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import Any, NoReturn

MIB = 1 << 20
MAX_BUNDLE_BYTES = 32 * MIB
MAX_POLICY_BYTES = MIB
MAX_MATERIAL_BYTES = MIB
MAX_JSON_DEPTH = 64


class Malformed(ValueError):  # noqa: N818  (it names the input, not an error of ours)
    """An input that is not what it should be; the message is one clause."""


class Unreadable(Exception):  # noqa: N818  (it names the input, not an error of ours)
    """A file that cannot be read; `missing` tells whether it is simply not there."""

    def __init__(self, detail: str, *, missing: bool = False) -> None:
        """Keeps one clause that says why."""
        super().__init__(detail)
        self.missing = missing


def read_regular(path: str, limit: int) -> bytes:
    """Reads a regular file of at most `limit` bytes through one descriptor.

    The file is opened non-blocking, so a FIFO cannot hang the reader.

    Raises:
        Unreadable: it is missing, not a regular file, too large or not to be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        raise Unreadable(_why(error), missing=missing) from None
    try:
        return _read_open(descriptor, limit)
    except OSError as error:
        raise Unreadable(_why(error)) from None
    finally:
        os.close(descriptor)


def _read_open(descriptor: int, limit: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("is not a regular file")
    if status.st_size > limit:
        raise Unreadable(f"has {status.st_size} bytes, more than the {limit} that are read")
    chunks: list[bytes] = []
    left = limit + 1
    while left > 0 and (chunk := os.read(descriptor, min(left, MIB))):
        chunks.append(chunk)
        left -= len(chunk)
    if left <= 0:
        raise Unreadable(f"grew beyond the {limit} bytes that are read")
    return b"".join(chunks)


def _why(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def sha256_hex(data: bytes) -> str:
    """SHA-256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def strict_json(data: bytes) -> Any:  # noqa: ANN401  (JSON is any of its six types)
    """Parses UTF-8 JSON, refusing what parsers read differently.

    Refused: duplicate keys, NaN and infinities, a byte order mark, nesting deeper than
    `MAX_JSON_DEPTH`, integers too long to convert.

    Raises:
        Malformed: with a clause that says what is wrong.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise Malformed("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Malformed(
            f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise Malformed(f"nests deeper than {MAX_JSON_DEPTH} levels") from None
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(f"is not JSON that can be read: {error}") from None
    if _deeper_than(value, MAX_JSON_DEPTH):
        raise Malformed(f"nests deeper than {MAX_JSON_DEPTH} levels")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Malformed(f"holds the key {twice!r} twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"holds {name}, which is not JSON")


def _deeper_than(value: object, levels: int) -> bool:
    """Whether containers nest more than `levels` deep."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        children = (each.values() if isinstance(each, dict) else each for each in level)
        level = [child for some in children for child in some if isinstance(child, (dict, list))]
    return bool(level)


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
