"""The hash functions of the algorithm registry (OMS 7)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    # Feeds bytes to one hasher, and others to another, in less time than both by themselves.
    Together = Callable[[Any, memoryview, Any, memoryview], None]


class Hasher(Protocol):
    """What hashlib and blake3 have in common."""

    def update(self, data: memoryview, /) -> object:
        """Feeds bytes."""

    def digest(self) -> bytes:
        """Returns the raw digest."""


def hasher_for(hash_type: str) -> Callable[..., Hasher]:
    """The constructor, with or without first bytes, of the hash with this identifier.

    They are `sha256` and `blake3` (32 bytes each) and `blake2b` (64 bytes).

    Raises:
        KeyError: there is no such identifier.
    """
    if hash_type == "sha256":
        return hashlib.sha256
    if hash_type == "blake2b":
        return hashlib.blake2b
    if hash_type == "blake3":
        from blake3 import blake3

        return blake3
    raise KeyError(hash_type)


def pair_for(hash_type: str) -> tuple[Callable[..., Hasher], Together] | None:
    """The constructor of hashers that can be fed together, and what does it; None without any.

    That is for SHA-256, where the package model-verify-native is installed and the processor has
    what it takes.
    """
    if hash_type != "sha256":
        return None
    try:
        import model_verify_native as native
    except (ImportError, OSError, AttributeError):
        # Not there, or not for this system: hashlib does it too.
        return None
    return (native.Sha256, native.update_both) if native.LANES == 2 else None  # noqa: PLR2004
