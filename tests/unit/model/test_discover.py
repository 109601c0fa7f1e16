"""Signatures and models are found by fixed names; more than one candidate is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.signing import write_tree
from verifier_cli.model.discover import MAX_DEPTH, candidates_in, find_models, find_signature
from verifier_cli.verdict import Code, Finding


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("model.sig", "m/model.sig"),
        ("model.sig other.sig x.oms.sig", "m/model.sig"),
        ("x.oms.sig weights", "m/x.oms.sig"),
        ("x.sig", "m/x.sig"),
        ("x.sigstore.json", "m/x.sigstore.json"),
        ("../m.sig", "m.sig"),
        ("x.sig ../m.sig", "m/x.sig"),
        (".sig ../m.sig", "m.sig"),
        ("model.SIG ../m.sig", "m.sig"),
    ],
)
def test_the_signature_of_a_directory(model: Path, tmp_path: Path, names: str, found: str) -> None:
    write_tree(model, dict.fromkeys(names.split(), b""))
    assert find_signature(str(model)) == str(tmp_path / found)
    assert find_signature(f"{model}/") in (str(tmp_path / found), f"{model}/{Path(found).name}")


def test_a_signature_that_is_a_dangling_link_is_one(model: Path) -> None:
    (model / "model.sig").symlink_to("nowhere")
    assert find_signature(str(model)) == str(model / "model.sig")


@pytest.mark.parametrize("names", ["a.sig b.sig", "a.sig a.oms.sig", "a.sigstore.json b.sig"])
def test_more_than_one_candidate(model: Path, names: str) -> None:
    write_tree(model, dict.fromkeys(names.split(), b""))
    found = find_signature(str(model))
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_AMBIGUOUS
    assert ", ".join(sorted(names.split())) in found.detail


def test_no_candidate(model: Path) -> None:
    found = find_signature(str(model))
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_NOT_FOUND
    assert "m.sig beside it" in found.detail


def test_the_signature_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.touch()
    found = find_signature(str(path))
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_NOT_FOUND
    (tmp_path / "tiny.gguf.sig").symlink_to("nowhere")
    assert find_signature(str(path)) == str(tmp_path / "tiny.gguf.sig")


@pytest.mark.parametrize("spelling", [".", "./", "../m", "sub/.."])
def test_beside_a_model_that_is_the_current_directory(
    model: Path, tmp_path: Path, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model / "sub").mkdir()
    (tmp_path / "m.sig").touch()
    monkeypatch.chdir(model)
    found = find_signature(spelling)
    assert isinstance(found, str), found
    assert Path(found).resolve() == tmp_path / "m.sig"


def test_a_name_of_a_suffix_alone_is_no_candidate() -> None:
    assert candidates_in([".sig", ".oms.sig", ".sigstore.json", "weights"]) == []


def models_below(root: Path, *ignore: str) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in find_models(str(root), frozenset(ignore))]


def test_models_below_a_root(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "b/model.sig": b"",
            "a/x/model.sig": b"",
            "a/x/inner/model.sig": b"",
            "c/weights": b"",
        },
    )
    assert models_below(tmp_path) == ["a/x", "b"]


def test_the_root_itself_may_be_the_model(tmp_path: Path) -> None:
    write_tree(tmp_path, {"model.sig": b"", "a/model.sig": b""})
    assert models_below(tmp_path) == ["."]


def test_an_ambiguous_directory_is_a_model_too(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/x.sig": b"", "a/y.sig": b""})
    assert models_below(tmp_path) == ["a"]


def test_at_most_four_levels_deep(tmp_path: Path) -> None:
    write_tree(tmp_path, {"1/2/3/4/model.sig": b"", "a/b/c/d/e/model.sig": b""})
    assert MAX_DEPTH == 4
    assert models_below(tmp_path) == ["1/2/3/4"]


def test_links_are_not_followed_and_ignored_directories_not_searched(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/model.sig": b"", "x/y/model.sig": b""})
    (tmp_path / "link").symlink_to("a")
    assert models_below(tmp_path, "x/y") == ["a"]
