"""How a statement lists its files: whole or in shards, by which hash (OMS 5.2, 6.3, 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from verifier_cli.inputs import Malformed
from verifier_cli.policy import is_ignore_path, is_relative_path

# Algorithm registry: identifier -> hexadecimal digits of a digest.
HEX_DIGITS = {"sha256": 64, "blake2b": 128, "blake3": 64}
_HEX = re.compile(r"[0-9a-f]+")
_SHARD = re.compile(r"(.+):(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})", re.DOTALL)
_SERIALIZATION = {"method", "hash_type", "allow_symlinks", "shard_size", "ignore_paths"}


class Piece(NamedTuple):
    """A byte range of a file and its digest; `end` None means to the end of the file."""

    start: int
    end: int | None
    digest: bytes


@dataclass(slots=True)
class Serialization:
    """The `serialization` object (OMS 5.2.2) and the resources read by its light."""

    hash_type: str
    allow_symlinks: bool
    ignore_paths: tuple[str, ...]
    shard_size: int | None
    departures: list[str]

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Serialization:
        """Reads the object.

        Raises:
            Malformed: a parameter is missing, unknown or of the wrong type.
        """
        if unknown := sorted(fields.keys() - _SERIALIZATION):
            raise Malformed(f"serialization holds the unknown parameter {unknown[0]!r}")
        departures: list[str] = []
        shard_size = _shard_size(fields, departures)
        hash_type = _hash_type(fields, shard_size, departures)
        allow_symlinks = fields.get("allow_symlinks")
        if not isinstance(allow_symlinks, bool):
            raise Malformed(f"allow_symlinks is {allow_symlinks!r}, neither true nor false")
        ignore_paths = list_of(fields.get("ignore_paths", []), "ignore_paths")
        for entry in ignore_paths:
            if not isinstance(entry, str) or not is_ignore_path(entry):
                raise Malformed(f"ignore_paths holds {entry!r}: no exact path without globs")
        return cls(hash_type, allow_symlinks, tuple(ignore_paths), shard_size, departures)

    def resource(self, resource: object, index: int) -> tuple[str, bytes]:
        """Returns the name and the digest of one resource descriptor (OMS 5.2.1)."""
        if not isinstance(resource, dict):
            raise Malformed(f"resources[{index}] is not an object")
        name = resource.get("name")
        if not isinstance(name, str):
            raise Malformed(f"resources[{index}].name is not text")
        algorithm = resource.get("algorithm")
        if algorithm != self.hash_type and not self._is_shard_name(algorithm):
            raise Malformed(
                f"resources[{index}].algorithm is {algorithm!r}, not {self.hash_type!r}"
            )
        digest = digest_of(resource.get("digest"), HEX_DIGITS[self.hash_type])
        if digest is None:
            raise Malformed(f"resources[{index}].digest is not a {self.hash_type} digest in hex")
        return name, digest

    def _is_shard_name(self, algorithm: object) -> bool:
        """Tells the name that model_signing gives to shard digests; its meaning is plain."""
        if self.shard_size is None or algorithm != f"{self.hash_type}-sharded-{self.shard_size}":
            return False
        departure = f"algorithm is written {algorithm!r} where {self.hash_type!r} is meant"
        if departure not in self.departures:
            self.departures.append(departure)
        return True

    def files(self, rows: list[tuple[str, bytes]]) -> dict[str, tuple[Piece, ...]]:
        """Groups the rows by file; checks every name, and that shards tile their file."""
        if self.shard_size is None:
            for index, (name, _) in enumerate(rows):
                require_name(name, f"resources[{index}].name")
            return {name: (Piece(0, None, digest),) for name, digest in rows}
        pieces: dict[str, list[Piece]] = {}
        for index, (row, digest) in enumerate(rows):
            if (match := _SHARD.fullmatch(row)) is None:
                raise Malformed(f"resources[{index}].name {row!r} is not <path>:<start>:<end>")
            name, start, end = match[1], int(match[2]), int(match[3])
            require_name(name, f"resources[{index}].name")
            pieces.setdefault(name, []).append(Piece(start, end, digest))
        return {name: self._tiles(name, found) for name, found in pieces.items()}

    def _tiles(self, name: str, pieces: list[Piece]) -> tuple[Piece, ...]:
        pieces.sort()
        size, position = self.shard_size or 0, 0
        for number, (start, end, _) in enumerate(pieces, 1):
            stop = end or 0
            full = stop - start == size
            if start != position or not (
                full or (number == len(pieces) and 0 < stop - start < size)
            ):
                raise Malformed(f"the shards of {name!r} leave a gap or overlap at byte {position}")
            position = stop
        return tuple(pieces)


def _shard_size(fields: dict[str, Any], departures: list[str]) -> int | None:
    method, size = fields.get("method"), fields.get("shard_size")
    if method == "files":
        if "shard_size" in fields:
            raise Malformed("shard_size must be absent when method is 'files'")
        return None
    if method != "shards":
        raise Malformed(f"method is {method!r}, neither 'files' nor 'shards'")
    if isinstance(size, float) and size.is_integer():
        departures.append(f"shard_size is written {size!r} where an integer is meant")
        size = int(size)
    if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
        raise Malformed(f"shard_size is {size!r}, not a positive integer")
    return size


def _hash_type(fields: dict[str, Any], shard_size: int | None, departures: list[str]) -> str:
    value = fields.get("hash_type")
    if isinstance(value, str):
        # model_signing 0.3 wrote the shard size into the name, as all releases do below.
        plain = value.removesuffix(f"-sharded-{shard_size}") if shard_size else value
        if plain in HEX_DIGITS:
            if plain != value:
                departures.append(f"hash_type is written {value!r} where {plain!r} is meant")
            return plain
    raise Malformed(f"hash_type is {value!r}, not one of {', '.join(HEX_DIGITS)}")


def require_name(name: str, where: str) -> None:
    """Raises Malformed unless `name` can be that of a file in a model (OMS 6.1.2)."""
    if name != "." and not is_relative_path(name):
        raise Malformed(f"{where} {name!r} is not a normalised relative path")


def require_order(names: list[str], *, sharded: bool) -> None:
    """Refuses names that are repeated or in no canonical order.

    OMS 5.2.1 sorts by code point; model_signing sorts by path component, and shards by
    offset. What it really wrote counts as sorted too.
    """
    if _ascending(names):
        return
    keys = [_component_key(name, sharded=sharded) for name in names]
    if not _ascending(keys):
        repeated = next((a for a, b in pairwise(names) if a == b), None)
        fault = f"{repeated!r} stands there twice" if repeated else "are not sorted by name"
        raise Malformed(f"resources {fault}")


def _ascending(keys: list[Any]) -> bool:
    return all(a < b for a, b in pairwise(keys))


def _component_key(name: str, *, sharded: bool) -> tuple[list[str], int, int]:
    match = _SHARD.fullmatch(name) if sharded else None
    if match is None:
        return name.split("/"), 0, 0
    return match[1].split("/"), int(match[2]), int(match[3])


def digest_of(value: object, digits: int) -> bytes | None:
    """The raw digest, or None if `value` is not that many lower-case hex digits."""
    if isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value):
        return bytes.fromhex(value)
    return None


def object_of(value: object, where: str) -> dict[str, Any]:
    """Returns `value` if it is an object, else raises Malformed."""
    if not isinstance(value, dict):
        raise Malformed(f"{where} is {'missing' if value is None else 'not an object'}")
    return value


def list_of(value: object, where: str) -> list[Any]:
    """Returns `value` if it is a list, else raises Malformed."""
    if not isinstance(value, list):
        raise Malformed(f"{where} is {'missing' if value is None else 'not a list'}")
    return value
