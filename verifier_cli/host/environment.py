"""Settings from the environment: what a variable must not say is one sentence that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier_cli.host.logs import LEVELS, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SettingError(Exception):
    """A variable says what cannot be; the message is one sentence that names it."""


def number(environ: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number; `default` for a variable that is not set or empty.

    Raises:
        SettingError: it is none, or out of bounds.
    """
    value = environ.get(name) or str(default)
    # Longer ones would not be read at all.
    digits = value.isascii() and value.isdigit() and len(value) <= len(str(most))
    if not (digits and least <= int(value) <= most):
        raise SettingError(f"{name} is {value!r}, not a whole number from {least} to {most}")
    return int(value)


def choice(environ: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """One of several words; the first for a variable that is not set or empty.

    Raises:
        SettingError: it is none of them.
    """
    value = environ.get(name) or choices[0]
    if value not in choices:
        raise SettingError(f"{name} is {value!r}, not one of {', '.join(choices)}")
    return value


def log_level(environ: Mapping[str, str], name: str) -> Level:
    """The least level of the log; `info` for a variable that is not set or empty.

    Raises:
        SettingError: it is none.
    """
    value = environ.get(name) or "info"
    for level in LEVELS:
        if level == value:
            return level
    raise SettingError(f"{name} is {value!r}, not one of {', '.join(LEVELS)}")
