"""The hash functions of the algorithm registry (OMS 7)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Hasher(Protocol):
    """What hashlib and blake3 have in common."""

    def update(self, data: bytes | memoryview, /) -> object:
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
