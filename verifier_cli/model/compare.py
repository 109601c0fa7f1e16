"""Step 7, first half: compares names. Pure, so it is known before a byte is hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from verifier_cli.model.stability import Wanted
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from verifier_cli.model.stability import Piece
    from verifier_cli.model.walk import Tree


class Manifest(Protocol):
    """What comparing needs of a signed manifest."""

    @property
    def files(self) -> Mapping[str, Sequence[Piece]]:
        """Signed names with their pieces."""

    @property
    def sharded(self) -> bool:
        """Whether files are signed in shards."""


def compare_names(
    manifest: Manifest, tree: Tree, ignore: frozenset[str], *, tolerate_unsigned: bool
) -> tuple[list[Wanted], list[Finding]]:
    """Returns the signed files that are there, and findings about names.

    Args:
        ignore: exact paths that are left out; a signed file below one is a finding, because
            it would count as verified without having been looked at.
    """
    findings: list[Finding] = []
    wanted: list[Wanted] = []
    blocked = {hazard.path for hazard in tree.hazards}
    heads = {path.split("/", 1)[0] for path in ignore}
    for name, pieces in manifest.files.items():
        if name.split("/", 1)[0] in heads and (covering := _covering(name, ignore)):
            detail = f"is signed, but the ignore path {covering} leaves it out"
            findings.append(Finding(Code.SIGNED_BUT_IGNORED, detail, path=name))
        elif (place := tree.files.get(name)) is not None:
            wanted.append(Wanted(name, place, pieces))
        elif not blocked or not _covering(name, blocked):
            single = "the signature is for a single file, the model is a directory"
            detail = single if name == "." else "is signed, but not there"
            findings.append(Finding(Code.FILE_MISSING, detail, path=name))
    unsigned = tree.files.keys() - manifest.files.keys()
    findings += _unsigned(sorted(unsigned), manifest, tolerate=tolerate_unsigned)
    return wanted, findings


def _unsigned(names: Sequence[str], manifest: Manifest, *, tolerate: bool) -> list[Finding]:
    if tolerate and names:
        detail = f"{len(names)} unsigned files are tolerated, the first is {names[0]}"
        return [Finding(Code.UNSIGNED_TOLERATED, detail)]
    detail = "is there, but was not signed"
    if manifest.sharded:
        detail += "; if it is empty, the shard form could not list it: sign without shards"
    return [Finding(Code.FILE_UNSIGNED, detail, path=name) for name in names]


def _covering(name: str, paths: Iterable[str]) -> str | None:
    """The path among `paths` that is `name` or a directory above it; "" covers everything."""
    return next(
        (path for path in paths if not path or name == path or name.startswith(f"{path}/")), None
    )
