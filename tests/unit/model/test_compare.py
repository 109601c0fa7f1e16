"""Names are compared before a byte is hashed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from verifier_cli.model import compare as module
from verifier_cli.model.compare import compare_names
from verifier_cli.model.root import MODEL, Place
from verifier_cli.model.walk import Tree
from verifier_cli.signature.serialization import Piece
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from verifier_cli.model.stability import Wanted

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
) -> tuple[list[Wanted], list[Finding]]:
    manifest = Signed(dict.fromkeys(signed.split(), PIECES), sharded)
    tree = Tree({name: Place(MODEL, "", name) for name in there.split()}, hazards=list(hazards))
    return compare_names(manifest, tree, frozenset(ignore.split()), tolerate_unsigned=tolerate)


def codes(findings: list[Finding]) -> dict[str, Code]:
    return {finding.path: finding.code for finding in findings}


def test_what_is_signed_and_there_is_wanted() -> None:
    wanted, findings = compare("a d/b", "d/b a")
    assert [item.name for item in wanted] == ["a", "d/b"]
    assert wanted[0].pieces is PIECES
    assert findings == []


def test_what_is_missing_and_what_is_unsigned() -> None:
    wanted, findings = compare("a b", "a c d")
    assert [item.name for item in wanted] == ["a"]
    assert codes(findings) == {
        "b": Code.FILE_MISSING,
        "c": Code.FILE_UNSIGNED,
        "d": Code.FILE_UNSIGNED,
    }


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
    assert {item.name for item in wanted} == there - covered


def test_a_signed_file_that_is_ignored_counts_as_ignored_even_if_it_was_listed() -> None:
    wanted, findings = compare("d/a", "d/a", ignore="d")
    assert wanted == []
    assert codes(findings) == {"d/a": Code.SIGNED_BUT_IGNORED}


@pytest.mark.parametrize("path", ["d", "d/a", ""])
def test_an_obstacle_speaks_for_what_lies_behind_it(path: str) -> None:
    wanted, findings = compare("d/a", "", Finding(Code.UNREADABLE, "closed", path))
    assert wanted == []
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
