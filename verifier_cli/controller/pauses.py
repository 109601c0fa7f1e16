"""How long to wait before what failed is tried again."""

from __future__ import annotations

FIRST_SECONDS = 5.0
_DOUBLINGS = 32


def pause(before: int, longest: float) -> float:
    """Seconds after a failure that so many came before: 5, 10, 20, and so on to `longest`."""
    return min(longest, FIRST_SECONDS * (1 << min(before, _DOUBLINGS)))
