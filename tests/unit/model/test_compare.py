"""Names are compared before a byte is hashed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from verifier_cli.model import compare as module
from verifier_cli.model.compare import compare_names
from verifier_cli.model.root import MODEL
from verifier_cli.model.tree import Listing, Tree
from verifier_cli.signature.serialization import Piece
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECES = (Piece(0, None, b""),)


@dataclass
class Signed:
    """Signed names."""

    files: dict[str, tuple[Piece, ...]] = field(default_factory=dict)
    sharded: bool = False


def compare(
    signed: str,
    there: str,
    *hazards: Finding,
    ignore: str = "",
    tolerate: bool = False,
    sharded: bool = False,
) -> tuple[dict[str, Sequence[object]], list[Finding]]:
    """What is wanted, by name, and the findings; each directory has a listing of its own."""
    manifest = Signed(dict.fromkeys(signed.split(), PIECES), sharded)
    tree = Tree(hazards=list(hazards))
    for name in there.split():
        directory, _, file = name.rpartition("/")
        prefix = f"{directory}/" if directory else ""
        if not tree.listings or tree.listings[-1].path != directory:
            tree.listings.append(Listing(MODEL, directory, prefix))
        tree.listings[-1].files.append(file)
    found, findings = compare_names(
        manifest, tree, frozenset(ignore.split()), tolerate_unsigned=tolerate
    )
    pieces = [
        pair for each in found for pair in zip(each.listing.named(), each.pieces, strict=True)
    ]
    assert len(dict(pieces)) == len(pieces)
    return dict(pieces), findings


def codes(findings: list[Finding]) -> dict[str, Code]:
    return {finding.path: finding.code for finding in findings}


def test_what_is_signed_and_there_is_wanted() -> None:
    wanted, findings = compare("a d/b", "d/b a")
    assert set(wanted) == {"a", "d/b"}
    assert wanted["a"] is PIECES
    assert findings == []


def test_what_is_missing_and_what_is_unsigned() -> None:
    wanted, findings = compare("a b", "a c d")
    assert set(wanted) == {"a"}
    assert codes(findings) == {
        "b": Code.FILE_MISSING,
        "c": Code.FILE_UNSIGNED,
        "d": Code.FILE_UNSIGNED,
    }


def test_a_file_system_that_lists_a_name_twice() -> None:
    """One that is counted twice would make up for one that is not there."""
    wanted, findings = compare("a b", "a a")
    assert set(wanted) == {"a"}
    assert codes(findings) == {"b": Code.FILE_MISSING}


def test_files_that_links_lead_to_are_known_by_the_links_names() -> None:
    manifest = Signed({"l": PIECES, "d/m": PIECES})
    behind = Listing(MODEL, "x", files=["1", "2", "3"], names=["l", "other", "d/m"])
    wanted, findings = compare_names(manifest, Tree([behind]), frozenset(), tolerate_unsigned=False)
    (found,) = wanted
    assert [found.listing.name(index) for index in range(2)] == ["l", "d/m"]
    assert found.listing.files == ["1", "3"]
    assert codes(findings) == {"other": Code.FILE_UNSIGNED}


def test_a_file_in_the_place_of_a_directory() -> None:
    assert codes(compare("d/a", "d")[1]) == {"d/a": Code.FILE_MISSING, "d": Code.FILE_UNSIGNED}


@pytest.mark.parametrize(
    ("ignore", "covered"),
    [("d", {"d/a", "d/e/b"}), ("d/e", {"d/e/b"}), ("d/e/b", {"d/e/b"}), ("e x", set())],
)
def test_a_signed_file_below_an_ignore_path(ignore: str, covered: set[str]) -> None:
    there = {"c", "d/a", "d/e/b", "da"}
    wanted, findings = compare("c d/a d/e/b da", " ".join(there - covered), ignore=ignore)
    assert codes(findings) == dict.fromkeys(covered, Code.SIGNED_BUT_IGNORED)
    assert set(wanted) == there - covered


def test_a_signed_file_that_is_ignored_counts_as_ignored_even_if_it_was_listed() -> None:
    wanted, findings = compare("d/a", "d/a", ignore="d")
    assert wanted == {}
    assert codes(findings) == {"d/a": Code.SIGNED_BUT_IGNORED}


@pytest.mark.parametrize("path", ["d", "d/a", ""])
def test_an_obstacle_speaks_for_what_lies_behind_it(path: str) -> None:
    wanted, findings = compare("d/a", "", Finding(Code.UNREADABLE, "closed", path))
    assert wanted == {}
    assert findings == []


def test_an_obstacle_elsewhere_does_not() -> None:
    _, findings = compare("da", "", Finding(Code.UNREADABLE, "closed", "d"))
    assert codes(findings) == {"da": Code.FILE_MISSING}


def test_a_note_is_no_obstacle() -> None:
    _, findings = compare("d/a", "", Finding(Code.EMPTY_DIRECTORY, "is empty", "d"))
    assert codes(findings) == {"d/a": Code.FILE_MISSING}


def test_unsigned_files_that_are_tolerated_are_one_note() -> None:
    _, findings = compare("a", "a c b", tolerate=True)
    (note,) = findings
    assert note.code is Code.UNSIGNED_TOLERATED
    assert note.detail.startswith("2 unsigned files")
    assert compare("a", "a", tolerate=True)[1] == []


def test_missing_files_are_not_tolerated() -> None:
    assert codes(compare("a b", "a", tolerate=True)[1]) == {"b": Code.FILE_MISSING}


def test_shards_cannot_list_an_empty_file() -> None:
    (finding,) = compare("a", "a b", sharded=True)[1]
    assert "sign without shards" in finding.detail
    (finding,) = compare("a", "a b")[1]
    assert "shards" not in finding.detail


def test_the_signature_of_a_file_beside_a_directory() -> None:
    (finding,) = compare(".", "")[1]
    assert "single file" in finding.detail


def test_a_signed_file_under_gits_names_is_told_how_it_can_be_looked_at() -> None:
    _, (finding,) = compare(".gitattributes", "", ignore=".gitattributes other")
    assert finding.code is Code.SIGNED_BUT_IGNORED
    assert "--no-ignore-git-paths" in finding.detail
    _, (finding,) = compare("other", "", ignore=".gitattributes other")
    assert "--no-ignore-git-paths" not in finding.detail


def test_a_volume_full_of_unsigned_files_does_not_fill_the_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_UNSIGNED", 2)
    _, findings = compare("", "a b c d e")
    assert [finding.path for finding in findings] == ["a", "b", ""]
    assert {finding.code for finding in findings} == {Code.FILE_UNSIGNED}
    assert "and 3 more" in findings[-1].detail
    assert len(compare("", "a b")[1]) == 2
