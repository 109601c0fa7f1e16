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
MAX_JSON_ITEMS = 4_000_000


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
        raise Unreadable(why(error), missing=missing) from None
    try:
        return _read_open(descriptor, limit)
    except OSError as error:
        raise Unreadable(why(error)) from None
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


def why(error: OSError | ValueError) -> str:
    """What the system says against a file, in a clause."""
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def first_lines(error: Exception) -> str:
    """The first lines of a long message; a parser's first line alone rarely says what is wrong."""
    return ": ".join(line.strip() for line in str(error).splitlines()[:3]) or type(error).__name__


def sha256_hex(data: bytes) -> str:
    """SHA-256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def strict_json(data: bytes, *, most: int = MAX_JSON_ITEMS) -> Any:  # noqa: ANN401  (any JSON)
    """Parses UTF-8 JSON, refusing what parsers read differently.

    Refused: duplicate keys, NaN and infinities, a byte order mark, halves of surrogate pairs,
    nesting deeper than `MAX_JSON_DEPTH`, integers too long to convert.

    Args:
        most: how many entries of objects and lists may be there, commas in texts counted
            too; known before anything is built in memory.

    Raises:
        Malformed: with a clause that says what is wrong.
    """
    if data.count(b",") + data.count(b"{") + data.count(b"[") > most:
        raise Malformed(f"has more than {most} entries")
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
    require_unicode(value, suspect="\\u" in text)
    return value


def require_unicode(value: object, *, suspect: bool = True) -> None:
    """Raises Malformed if some text in `value` holds half a surrogate pair.

    Args:
        suspect: False skips the search where no escape could have made one.
    """
    if suspect:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Malformed("holds half a surrogate pair, which is not a character") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Malformed(f"holds the key {key!r} twice")
            seen.add(key)
    return result


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"holds {name}, which is not JSON")


def _deeper_than(value: object, levels: int) -> bool:
    """Whether containers nest more than `levels` deep."""
    level: list[Any] = [value]
    for _ in range(levels):
        # json makes exactly these two types; asking for them by name is three times as fast.
        dicts = [child for each in level if type(each) is dict for child in each.values()]
        lists = [child for each in level if type(each) is list for child in each]
        level = [child for child in (*dicts, *lists) if type(child) is dict or type(child) is list]
        if not level:
            return False
    return True


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A path on a command line need not be UTF-8; its bytes pass through.
    return text.encode("utf-8", "surrogateescape")
