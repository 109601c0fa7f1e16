"""Reads Kubernetes objects whose shape nobody has checked yet."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Unfit(Exception):  # noqa: N818  (no error of ours: a pod that cannot be let in)
    """A pod that the verifier cannot be wired into; the message is for its author."""


def objects(parent: Json, name: str) -> list[Json]:
    """The objects of a list; an absent list is an empty one."""
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unfit(f"{name} is not a list of objects")
    # Asked dozens of times for each pod: a loop takes half of what `all` does.
    for each in value:
        if not isinstance(each, dict):
            raise Unfit(f"{name} is not a list of objects")
    return value


def child(parent: Json, name: str) -> Json:
    """The object in a field; an absent one is empty."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit(f"{name} is not an object")
    return value


def text(parent: Json, name: str, *, default: str | None = None) -> str:
    """The text in a field; without a default it must be there and not be empty."""
    value = parent.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not (value or default is not None):
        raise Unfit(f"{name} is not a text")
    return value


def flag(parent: Json, name: str) -> bool:
    """The truth value in a field; absent means false."""
    value = parent.get(name)
    if value is not None and not isinstance(value, bool):
        raise Unfit(f"{name} is neither true nor false")
    return bool(value)


def texts(parent: Json, name: str) -> dict[str, str]:
    """The texts of an object, as of labels; an absent object is empty."""
    value = child(parent, name)
    for each in value.values():
        if not isinstance(each, str):
            raise Unfit(f"{name} is not made of texts")
    return value
