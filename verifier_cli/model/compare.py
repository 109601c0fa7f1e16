"""Step 7, first half: compares names. Pure, so it is known before a byte is hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from verifier_cli.model.stability import Wanted
from verifier_cli.policy import GIT_PATHS
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from verifier_cli.model.stability import Piece
    from verifier_cli.model.tree import Tree


# One is enough to refuse; a volume full of them must not fill the report.
MAX_UNSIGNED = 1_000


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
    unsigned: list[str] = []
    signed = dict(manifest.files)  # what is left of it in the end is not there
    heads = {path.split("/", 1)[0] for path in ignore}
    for name in manifest.files:
        if name.split("/", 1)[0] in heads and (covering := _covering(name, ignore)) is not None:
            findings.append(_ignored(name, covering))
            del signed[name]
    for listing in tree.listings:
        # Taken out, not looked up: a file system that lists a name twice makes up for no other.
        found = [signed.pop(name, None) for name in listing.named()]
        pieces = [each for each in found if each is not None]
        if len(pieces) == len(found):
            wanted.append(Wanted(listing, pieces))
            continue
        unsigned += [name for name in listing.named() if name not in manifest.files]
        kept = [index for index, each in enumerate(found) if each is not None]
        wanted.append(Wanted(listing.only(kept), pieces))
    findings += _missing(signed, tree)
    findings += _unsigned(sorted(unsigned), manifest, tolerate=tolerate_unsigned)
    return wanted, findings


def _ignored(name: str, covering: str) -> Finding:
    detail = f"is signed, but the ignore path {covering} leaves it out"
    if covering in GIT_PATHS:
        detail += "; --no-ignore-git-paths (ignoreGitPaths: false) looks at it"
    return Finding(Code.SIGNED_BUT_IGNORED, detail, path=name)


def _missing(names: Iterable[str], tree: Tree) -> Iterator[Finding]:
    blocked = {hazard.path for hazard in tree.hazards if hazard.code.reason}
    for name in names:
        if _covering(name, blocked) is None:
            single = "the signature is for a single file, the model is a directory"
            detail = single if name == "." else "is signed, but not there"
            yield Finding(Code.FILE_MISSING, detail, path=name)


def _unsigned(names: Sequence[str], manifest: Manifest, *, tolerate: bool) -> list[Finding]:
    if tolerate and names:
        detail = f"{len(names)} unsigned files are tolerated, the first is {names[0]}"
        return [Finding(Code.UNSIGNED_TOLERATED, detail)]
    detail = "is there, but was not signed"
    if manifest.sharded:
        detail += "; if it is empty, the shard form could not list it: sign without shards"
    found = [Finding(Code.FILE_UNSIGNED, detail, path=name) for name in names[:MAX_UNSIGNED]]
    if (more := len(names) - MAX_UNSIGNED) > 0:
        found.append(Finding(Code.FILE_UNSIGNED, f"and {more} more files were not signed"))
    return found


def _covering(name: str, paths: Container[str]) -> str | None:
    """The path among `paths` that is `name` or a directory above it; "" covers everything."""
    while name not in paths:
        if not name:
            return None
        name = name.rpartition("/")[0]
    return name
