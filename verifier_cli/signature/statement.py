"""The signed statement: which files the signer vouched for (OMS 5, 6 and 8.3).

Only authenticated bytes are decoded here. What no honest signer writes is refused, so that
two programs cannot read one statement in two ways.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from verifier_cli.inputs import Malformed, strict_json
from verifier_cli.policy import is_ignore_path, is_relative_path
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
PREDICATE_TYPE_V02 = "https://model_signing/Digests/v0.1"
# Only the first of them, `Digests`, is read; the others were never what its releases verified.
_PREDICATES_V02 = re.compile(r"https://model_signing/[A-Za-z]+/v0\.1")
_ALGORITHM_V02 = "actual_hash_algorithm"

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


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """What was signed.

    Attributes:
        format: `v1.0`, or `v0.2` for the deprecated predicate.
        root_digest: SHA-256 over all digests in their order (OMS 6.5.1), lower-case hex.
        hash_type: key of `HEX_DIGITS`.
        files: name -> its pieces in order; `"."` names the model itself when the signer's
            model was a single file (the reference implementation writes it so).
        ignore_paths: what the signer left out.
        findings: warnings about the form.
    """

    format: str
    root_digest: str
    hash_type: str
    allow_symlinks: bool
    ignore_paths: tuple[str, ...]
    files: dict[str, tuple[Piece, ...]]
    sharded: bool = False
    findings: tuple[Finding, ...] = ()


def decode_statement(payload: bytes) -> SignedManifest:
    """Decodes authenticated payload bytes.

    Raises:
        Malformed: the statement breaks a rule of the format; the message names it.
    """
    statement = strict_json(payload)
    if not isinstance(statement, dict):
        raise Malformed("the statement is not an object")
    if statement.get("_type") != STATEMENT_TYPE:
        raise Malformed(f"_type is {statement.get('_type')!r}, not {STATEMENT_TYPE!r}")
    predicate_type = statement.get("predicateType")
    if predicate_type == PREDICATE_TYPE:
        return _decode_v1(statement)
    if predicate_type == PREDICATE_TYPE_V02:
        return _decode_v02(statement)
    raise Malformed(f"predicateType is {predicate_type!r}, not {PREDICATE_TYPE!r}")


def is_v02(payload: bytes) -> bool:
    """Whether the payload claims a form of model_signing 0.2; decides nothing else."""
    try:
        statement = strict_json(payload)
    except Malformed:
        return False
    claimed = statement.get("predicateType") if isinstance(statement, dict) else None
    return isinstance(claimed, str) and _PREDICATES_V02.fullmatch(claimed) is not None


def _decode_v1(statement: dict[str, Any]) -> SignedManifest:
    subjects = _list(statement.get("subject"), "subject")
    if len(subjects) != 1:
        raise Malformed(f"subject has {len(subjects)} entries where exactly one is allowed")
    name, claimed_root = _subject(subjects[0], "subject[0]")
    predicate = _object(statement.get("predicate"), "predicate")
    form = _Serialization.decode(_object(predicate.get("serialization"), "serialization"))
    if not name:
        # Releases before 1.1 left it out when told to sign "."; it is informational (OMS 6.5).
        form.departures.append("subject[0].name is missing or empty")
    resources = _list(predicate.get("resources"), "resources")
    rows = [form.resource(resource, index) for index, resource in enumerate(resources)]
    root = _root_digest(digest for _, digest in rows)
    if root != claimed_root.hex():
        raise Malformed(
            f"the root digest is {claimed_root.hex()}, but the resources hash to {root}"
        )
    _require_order([name for name, _ in rows], sharded=form.shard_size is not None)
    return SignedManifest(
        format="v1.0",
        root_digest=root,
        hash_type=form.hash_type,
        allow_symlinks=form.allow_symlinks,
        ignore_paths=form.ignore_paths,
        files=form.files(rows),
        sharded=form.shard_size is not None,
        findings=tuple(Finding(Code.NOT_TO_THE_LETTER, note) for note in form.departures),
    )


def _decode_v02(statement: dict[str, Any]) -> SignedManifest:
    """Decodes the deprecated form: the files are the subjects, all of them SHA-256."""
    files: dict[str, tuple[Piece, ...]] = {}
    for index, entry in enumerate(_list(statement.get("subject"), "subject")):
        name, digest = _subject(entry, f"subject[{index}]")
        hashed_by = _object(entry.get("annotations", {}), "annotations").get(_ALGORITHM_V02)
        if hashed_by not in (None, "file-sha256"):
            raise Malformed(f"subject[{index}] is hashed by {hashed_by!r}, not by 'file-sha256'")
        _require_name(name, f"subject[{index}].name")
        if name in files:
            raise Malformed(f"subject[{index}].name {name!r} stands there twice")
        files[name] = (Piece(0, None, digest),)
    note = "signed by model_signing 0.2, a form that is no longer produced: sign it again"
    return SignedManifest(
        format="v0.2",
        root_digest=_root_digest(pieces[0].digest for pieces in files.values()),
        hash_type="sha256",
        allow_symlinks=False,
        ignore_paths=(),
        files=files,
        findings=(Finding(Code.FORMAT_DEPRECATED, note),),
    )


@dataclass(slots=True)
class _Serialization:
    """The `serialization` object (OMS 5.2.2) and the resources read by its light."""

    hash_type: str
    allow_symlinks: bool
    ignore_paths: tuple[str, ...]
    shard_size: int | None
    departures: list[str]

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> _Serialization:
        if unknown := sorted(fields.keys() - _SERIALIZATION):
            raise Malformed(f"serialization holds the unknown parameter {unknown[0]!r}")
        departures: list[str] = []
        shard_size = _shard_size(fields, departures)
        hash_type = _hash_type(fields, shard_size, departures)
        allow_symlinks = fields.get("allow_symlinks")
        if not isinstance(allow_symlinks, bool):
            raise Malformed(f"allow_symlinks is {allow_symlinks!r}, neither true nor false")
        ignore_paths = _list(fields.get("ignore_paths", []), "ignore_paths")
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
        digest = _digest(resource.get("digest"), HEX_DIGITS[self.hash_type])
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
                _require_name(name, f"resources[{index}].name")
            return {name: (Piece(0, None, digest),) for name, digest in rows}
        pieces: dict[str, list[Piece]] = {}
        for index, (row, digest) in enumerate(rows):
            if (match := _SHARD.fullmatch(row)) is None:
                raise Malformed(f"resources[{index}].name {row!r} is not <path>:<start>:<end>")
            name, start, end = match[1], int(match[2]), int(match[3])
            _require_name(name, f"resources[{index}].name")
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


def _require_name(name: str, where: str) -> None:
    if name != "." and not is_relative_path(name):
        raise Malformed(f"{where} {name!r} is not a normalised relative path")


def _require_order(names: list[str], *, sharded: bool) -> None:
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


def _subject(entry: object, where: str) -> tuple[str, bytes]:
    fields = _object(entry, where)
    name, digests = fields.get("name", ""), _object(fields.get("digest"), f"{where}.digest")
    if not isinstance(name, str):
        raise Malformed(f"{where}.name is not text")
    digest = _digest(digests.get("sha256"), HEX_DIGITS["sha256"])
    if digest is None:
        raise Malformed(f"{where}.digest.sha256 is not a SHA-256 digest in hex")
    return name, digest


def _digest(value: object, digits: int) -> bytes | None:
    """The raw digest, or None if `value` is not that many lower-case hex digits."""
    if isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value):
        return bytes.fromhex(value)
    return None


def _root_digest(digests: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{where} is {'missing' if value is None else 'not an object'}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{where} is {'missing' if value is None else 'not a list'}")
    return value
