"""The JSON Patch (RFC 6902) that makes one pod of another. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

# Fields that are objects on the way to what an injection changes; others are replaced whole.
_WAY = ("metadata", "spec")


def patch(before: Json, after: Json) -> Iterator[Json]:
    """The operations in a fixed order; none for equal pods."""
    for parent in _WAY:
        old, new = before.get(parent), after.get(parent)
        if old is None and new is not None:
            yield {"op": "add", "path": f"/{parent}", "value": new}
        elif isinstance(old, dict) and isinstance(new, dict):
            yield from _fields(f"/{parent}", old, new)


def _fields(path: str, old: Json, new: Json) -> Iterator[Json]:
    for name in sorted(new):
        if name not in old:
            yield {"op": "add", "path": f"{path}/{name}", "value": new[name]}
        # What an injection leaves alone is the same object: to compare it would be to walk it.
        elif old[name] is not new[name] and old[name] != new[name]:
            yield {"op": "replace", "path": f"{path}/{name}", "value": new[name]}
