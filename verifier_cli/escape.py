r"""Makes untrusted text safe to print: no control character, no terminal sequence.

File names come from whoever wrote the model. Printed raw they could forge a log line or
repaint a terminal. `escape` keeps printable characters and writes every other one as
`\xNN`, `\uNNNN` or `\UNNNNNNNN`, and a byte that is not UTF-8 as `\bNN`;
a backslash doubles, so the form is unambiguous and `unescape` gives the text back.
"""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"\\(?:\\|b([0-9a-f]{2})|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_LAST_BYTE_SIZED = 0xFF
_LAST_FOUR_DIGITS = 0xFFFF
# `surrogateescape` maps the undecodable byte 0xNN to U+DC00 + 0xNN.
_FIRST_RAW_BYTE, _LAST_RAW_BYTE, _RAW_BYTE_BASE = 0xDC80, 0xDCFF, 0xDC00


def escape(text: str) -> str:
    r"""Returns `text` with every character that is not printable written as an escape.

    Args:
        text: any string, also one decoded with `surrogateescape`: its undecodable bytes
            become `\bNN`, which no other character does.
    """
    if text.isprintable() and "\\" not in text and "##" not in text:
        return text
    safe = "".join(_escape_character(character) for character in text)
    # CI runners obey "##[...]" and "##vso[...]" wherever in a line of the log they stand.
    return safe.replace("##", "#\\x23")


def _escape_character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    point = ord(character)
    if _FIRST_RAW_BYTE <= point <= _LAST_RAW_BYTE:
        return f"\\b{point - _RAW_BYTE_BASE:02x}"
    if point <= _LAST_BYTE_SIZED:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= _LAST_FOUR_DIGITS else f"\\U{point:08x}"


def unescape(text: str) -> str:
    """Gives back what `escape` was given; text without a backslash is returned as it is."""

    def character(match: re.Match[str]) -> str:
        raw, byte, four, eight = match.groups()
        if raw:
            return chr(_RAW_BYTE_BASE + int(raw, 16))
        digits = byte or four or eight
        return chr(int(digits, 16)) if digits else "\\"

    return _ESCAPED.sub(character, text) if "\\" in text else text


def clip(text: str, limit: int) -> str:
    """Cuts `text` to at most `limit` characters, the last one an ellipsis when cut."""
    return text if len(text) <= limit else (text[:limit][:-1] + "…")[:limit]
