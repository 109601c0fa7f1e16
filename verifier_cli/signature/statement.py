"""The signed statement: which files the signer vouched for (OMS 5, 6 and 8.3).

Only authenticated bytes are decoded here. What no honest signer writes is refused, so that
two programs cannot read one statement in two ways.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.inputs import Malformed, strict_json
from verifier_cli.signature.serialization import (
    HEX_DIGITS,
    Piece,
    Serialization,
    digest_of,
    list_of,
    object_of,
    require_name,
    require_order,
)
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
PREDICATE_TYPE_V02 = "https://model_signing/Digests/v0.1"
# Only the first of them, `Digests`, is read; the others were never what its releases verified.
_PREDICATES_V02 = re.compile(r"https://model_signing/[A-Za-z]+/v0\.1")
_ALGORITHM_V02 = "actual_hash_algorithm"


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
    subjects = list_of(statement.get("subject"), "subject")
    if len(subjects) != 1:
        raise Malformed(f"subject has {len(subjects)} entries where exactly one is allowed")
    name, claimed_root = _subject(subjects[0], "subject[0]")
    predicate = object_of(statement.get("predicate"), "predicate")
    form = Serialization.decode(object_of(predicate.get("serialization"), "serialization"))
    if not name:
        # Releases before 1.1 left it out when told to sign "."; it is informational (OMS 6.5).
        form.departures.append("subject[0].name is missing or empty")
    resources = list_of(predicate.get("resources"), "resources")
    rows = [form.resource(resource, index) for index, resource in enumerate(resources)]
    root = _root_digest(digest for _, digest in rows)
    if root != claimed_root.hex():
        raise Malformed(
            f"the root digest is {claimed_root.hex()}, but the resources hash to {root}"
        )
    require_order([name for name, _ in rows], sharded=form.shard_size is not None)
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
    for index, entry in enumerate(list_of(statement.get("subject"), "subject")):
        name, digest = _subject(entry, f"subject[{index}]")
        hashed_by = object_of(entry.get("annotations", {}), "annotations").get(_ALGORITHM_V02)
        if hashed_by not in (None, "file-sha256"):
            raise Malformed(f"subject[{index}] is hashed by {hashed_by!r}, not by 'file-sha256'")
        require_name(name, f"subject[{index}].name")
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


def _subject(entry: object, where: str) -> tuple[str, bytes]:
    fields = object_of(entry, where)
    name, digests = fields.get("name", ""), object_of(fields.get("digest"), f"{where}.digest")
    if not isinstance(name, str):
        raise Malformed(f"{where}.name is not text")
    digest = digest_of(digests.get("sha256"), HEX_DIGITS["sha256"])
    if digest is None:
        raise Malformed(f"{where}.digest.sha256 is not a SHA-256 digest in hex")
    return name, digest


def _root_digest(digests: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()
