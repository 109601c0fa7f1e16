"""Models below a root, and what lies beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.signing import write_tree
from verifier_cli import volumes
from verifier_cli.policy import ModelRules
from verifier_cli.verdict import Code, Finding


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_tree(tmp_path, {"a/model.sig": b"", "b/c/model.sig": b"", "stray": b"", ".git/x": b""})
    return tmp_path


def rules(**changes: object) -> ModelRules:
    return ModelRules(None, discover=True, **changes)  # type: ignore[arg-type]


def test_each_model_has_its_own_rules(root: Path) -> None:
    asked = ModelRules(str(root), ignore_paths=("a/x", "b/c/y", "b", "z"), allow_symlinks=True)
    found = volumes.models_below(asked, str(root))
    assert isinstance(found, list)
    assert [(Path(str(each.path)).name, each.ignore_paths) for each in found] == [("a", ("x",))]
    asked = ModelRules(str(root), ignore_paths=("a/x", "b/c/y"), allow_symlinks=True)
    found = volumes.models_below(asked, str(root))
    assert isinstance(found, list)
    assert [each.ignore_paths for each in found] == [("x",), ("y",)]
    assert all(each.allow_symlinks for each in found)


def test_the_root_itself(root: Path) -> None:
    (root / "model.sig").touch()
    asked = ModelRules(str(root), ignore_paths=("a/x",))
    found = volumes.models_below(asked, str(root))
    assert found == [asked]
    assert volumes.uncovered(asked, str(root), [asked]) == ([], set())


def test_none(tmp_path: Path) -> None:
    found = volumes.models_below(ModelRules(str(tmp_path)), str(tmp_path))
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_NOT_FOUND
    absent = volumes.models_below(rules(), str(tmp_path / "absent"))
    assert isinstance(absent, Finding)
    assert absent.code is Code.MODEL_NOT_FOUND


def test_what_no_model_covers(root: Path) -> None:
    asked = ModelRules(str(root), ignore_unsigned_files=True)
    models = volumes.models_below(asked, str(root))
    assert isinstance(models, list)
    findings, ignored = volumes.uncovered(asked, str(root), models)
    assert [(finding.code, finding.path) for finding in findings] == [(Code.FILE_UNSIGNED, "stray")]
    assert ignored == {".git"}


def test_a_root_that_vanished_meanwhile(root: Path) -> None:
    gone = ModelRules(str(root / "gone"))
    findings, ignored = volumes.uncovered(gone, str(root / "gone"), [])
    assert [finding.code for finding in findings] == [Code.MODEL_NOT_FOUND]
    assert ignored == set()
