"""Changes inputs: bytes, the tree of a JSON document, and what base64 within it hides."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

MAX_BYTES = 1 << 20
_MAX_NESTING = 3

_TOKENS: tuple[bytes, ...] = (
    *(b"", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\t", b"---\n", b"...\n"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b'"',
        b"'",
        b"\\",
        b"\\ud800",
        b"\\u0000",
        b"#",
        b"|",
        b"- ",
    ),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"0.0", b"9" * 30, b"9" * 5000),
    *(
        b"&a ",
        b"*a",
        b"<<: ",
        b"? ",
        b"!!binary ",
        b"!!timestamp ",
        b"!!set ",
        b"!!bool ",
        b"!!str ",
    ),
    *(b"!!int ", b"!!float ", b"!!omap ", b"!!pairs ", b"!!python/name:os.system ", b"%YAML 9.9\n"),
    *(b"../", b"./", b"//", b"/", b":0:10", b"::", b"*", b"?", b"\xe2\x80\xae", b"\x1b[31m"),
    *(
        b"-----BEGIN PUBLIC KEY-----\n",
        b"-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\n",
    ),
    *(
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x02\x01\x00",
        b"\x06\x03\x55\x1d\x25",
        b"\x05\x00",
    ),
)
_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        1000.0,
        1e300,
        float("nan"),
        float("inf"),
        2**31,
        2**64,
        10**30,
    ),
    *(
        "",
        " ",
        ".",
        "..",
        "/",
        "a",
        "a/../b",
        "a//b",
        "../a",
        "/a",
        "a:0:1",
        "a\x00b",
        "\ud800",
        "é",
    ),
    *(
        "0" * 64,
        "f" * 128,
        "F" * 64,
        "sha256",
        "blake2b",
        "blake3",
        "files",
        "shards",
        "text/plain",
    ),
    *("x" * 10_000, [], {}, [[]], [None], {"a": None}, [1, "a", {}], {"": {}}),
)


def mutate(seed: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Returns a changed copy of `seed`; `others` are spliced in now and then."""
    data = seed
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        change = chance.choice((_bytes, _bytes, _tree, _tree, _hidden, _splice, _wide))
        data = change(data, others, chance)[:MAX_BYTES]
    return data


def _bytes(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + int(chance.expovariate(1 / 8)) + 1)
    piece = data[start:end]
    made: Callable[[], bytes] = chance.choice(
        (
            lambda: b"",
            lambda: piece * chance.choice((2, 3, 100)),
            lambda: bytes(chance.randrange(256) for _ in piece),
            lambda: bytes(byte ^ (1 << chance.randrange(8)) for byte in piece[:1]) + piece[1:],
            lambda: chance.choice(_TOKENS),
            lambda: piece + chance.choice(_TOKENS),
            lambda: piece[::-1],
        )
    )
    if chance.random() < 0.03:
        return data[:start]
    return data[:start] + made() + data[end:]


def _splice(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(others)
    cut, start = chance.randrange(len(data) + 1), chance.randrange(len(other) + 1)
    return data[:cut] + other[start : start + chance.choice((16, 256, 10_000))]


def _wide(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    """Deep or wide: what makes careless readers slow, large or dead."""
    if chance.random() < 0.9:
        return data
    count = chance.choice((70, 1000, 20_000))
    kind = chance.randrange(4)
    if kind == 0:
        return b"[" * count + data + b"]" * count
    if kind == 1:
        return b'{"a":' * count + b"1" + b"}" * count
    if kind == 2:
        keys = ",".join(f'"{number}":1' for number in range(count))
        return f"{{{keys},{keys}}}".encode()
    return b"".join(b"k%d: 1\n" % number for number in range(count)) + b"k0: 1\n"


def _tree(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    """Changes one place of a JSON document; other bytes are left as they are."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    changed = _change(document, chance)
    try:
        return json.dumps(changed, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return data


def _change(value: Any, chance: random.Random) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, dict) and value and chance.random() < 0.85:
        return _change_object(dict(value), chance)
    if isinstance(value, list) and value and chance.random() < 0.85:
        return _change_list(list(value), chance)
    if isinstance(value, str) and chance.random() < 0.5:
        changed = _bytes(value.encode("utf-8", "surrogatepass"), (), chance)
        return changed.decode("utf-8", "replace")
    return chance.choice(_VALUES)


def _change_object(value: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    name = chance.choice(list(value))
    kind = chance.randrange(10)
    if kind == 0:
        del value[name]
    elif kind == 1:
        value[chance.choice(("unknown", "", "name", "path", f"{name} "))] = value[name]
    elif kind == 2:
        other = chance.choice(list(value))
        value[name], value[other] = value[other], value[name]
    else:
        value[name] = _change(value[name], chance)
    return value


def _change_list(value: list[Any], chance: random.Random) -> list[Any]:
    index, kind = chance.randrange(len(value)), chance.randrange(6)
    if kind == 0:
        del value[index]
    elif kind == 1:
        value.insert(index, value[index])
    elif kind == 2:
        chance.shuffle(value)
    else:
        value[index] = _change(value[index], chance)
    return value


def _hidden(data: bytes, others: Sequence[bytes], chance: random.Random, depth: int = 0) -> bytes:
    """Changes what a long base64 text within the input stands for."""
    found = [piece for piece in data.split(b'"') if len(piece) > 40]
    if not found or depth == _MAX_NESTING:
        return data
    text = chance.choice(found)
    try:
        inner = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return data
    change = chance.choice((_bytes, _tree))
    return data.replace(text, base64.b64encode(change(inner, others, chance)), 1)
