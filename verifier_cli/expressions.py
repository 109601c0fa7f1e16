"""Expressions for identities, in RE2: linear in time, and the syntax that cosign takes.

The name that is matched comes from whoever asked a sigstore instance for a certificate. An
engine that backtracks could be kept busy past every deadline by a name made for it.
"""

from __future__ import annotations

import functools
from typing import Any

MAX_EXPRESSION = 1024
# An identity expression that accepts all of these names nobody.
_STRANGERS = ("a@example.invalid", "https://example.invalid/x", "spiffe://example.invalid/0")


def fault_of_expression(pattern: str) -> str | None:
    """Says in a clause why `pattern` cannot be an identity expression, or None if it can."""
    if len(pattern) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters"
    try:
        expression = _compiled(pattern)
    except ValueError as error:
        return f"is not an expression that RE2 takes: {error}"
    if all(expression.fullmatch(stranger) for stranger in _STRANGERS):
        return "matches every identity, so it names nobody"
    return None


def matches_whole(pattern: str, name: str) -> bool:
    """Whether the expression matches `name` from its first to its last character."""
    return _compiled(pattern).fullmatch(name) is not None


@functools.cache
def _compiled(pattern: str) -> Any:  # noqa: ANN401  (re2 ships no types)
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else "not understood"
        raise ValueError(said.decode() if isinstance(said, bytes) else said) from None
