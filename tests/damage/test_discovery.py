"""Finding the signature of a model, and the models of a volume."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    ByKey,
    Model,
    Silent,
    check,
    digest,
    expect,
    findings,
    statement_of,
)
from verifier_cli.model.progress import Progress
from verifier_cli.policy import ModelRules, Policy
from verifier_cli.runs import Settings, verify
from verifier_cli.verdict import Code, Reason, Report

if TYPE_CHECKING:
    from pathlib import Path

MISSING = (Reason.SIGNATURE_MISSING, Code.SIGNATURE_NOT_FOUND)
AMBIGUOUS = (Reason.SIGNATURE_MISSING, Code.SIGNATURE_AMBIGUOUS)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).resign(statement_of(FILES))


def used(report: Report) -> str:
    assert report.models[0].signature is not None
    return report.models[0].signature.path


def test_no_signature(model: Model) -> None:
    model.signature.unlink()
    expect(model, *MISSING)


@pytest.mark.parametrize("name", ["x.oms.sig", "x.sig", "x.sigstore.json", "model.oms.sig"])
def test_the_only_candidate(model: Model, name: str) -> None:
    model.signature = model.signature.rename(model.path / name)
    report = expect(model, Reason.VERIFIED)
    assert used(report) == str(model.signature)
    assert report.models[0].signature is not None
    assert report.models[0].signature.sha256 == digest(model.signature.read_bytes())


@pytest.mark.parametrize("name", [".sig", ".oms.sig", "sig", "x.sig.bak", "x.json", "sub/x.sig"])
def test_what_is_no_candidate(model: Model, name: str) -> None:
    model.signature.rename(model.path / name)
    expect(model, *MISSING)


@pytest.mark.parametrize(
    "names",
    [("a.oms.sig", "b.oms.sig"), ("a.sig", "b.sigstore.json"), ("a.oms.sig", "a.sigstore.json")],
)
def test_several_candidates(model: Model, names: tuple[str, str]) -> None:
    data = model.signature.read_bytes()
    model.signature.unlink()
    for name in names:
        model.write(name, data)
    report = expect(model, *AMBIGUOUS)
    assert all(name in findings(report)[0].detail for name in names)


def test_model_sig_is_preferred(model: Model) -> None:
    model.write("other.sig", b"")
    report = expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "other.sig")
    assert used(report) == str(model.signature)


def test_a_signature_beside_the_model(model: Model) -> None:
    beside = model.signature.rename(model.path.parent / "model.sig")
    assert used(expect(model, Reason.VERIFIED)) == str(beside)


@pytest.mark.parametrize("name", ["Model.sig", "model.oms.sig", "other.sig", "model.sigstore.json"])
def test_other_files_beside_the_model_are_no_signature(model: Model, name: str) -> None:
    model.signature.rename(model.path.parent / name)
    expect(model, *MISSING)


def test_a_signature_inside_outweighs_one_beside(model: Model) -> None:
    (model.path.parent / "model.sig").write_bytes(b"junk")
    assert used(expect(model, Reason.VERIFIED)) == str(model.signature)


def test_a_signature_that_the_policy_names(model: Model) -> None:
    elsewhere = model.signature.rename(model.path.parent / "elsewhere")
    expect(model.allow(signature_path=str(elsewhere)), Reason.VERIFIED)


def test_a_signature_that_the_policy_names_is_not_there(model: Model) -> None:
    expect(model.allow(signature_path=str(model.path / "other.sig")), *MISSING)


@pytest.mark.parametrize("name", ["any.name", "sub/any.name"])
def test_a_named_signature_in_the_model_is_no_file_of_it(model: Model, name: str) -> None:
    inside = model.signature.rename(model.path / name)
    expect(model.allow(signature_path=str(inside)), Reason.VERIFIED)


def test_a_second_signature_in_the_model_is_an_unsigned_file(model: Model) -> None:
    other = model.path.parent / "other.sig"
    other.write_bytes(model.signature.read_bytes())
    model.allow(signature_path=str(other))
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "model.sig")


def test_a_signed_file_in_the_place_of_the_signature(model: Model) -> None:
    """A file cannot be its own signature; that it is one does not make it a signed file."""
    model.resign(statement_of(FILES | {"model.sig": b"x"}))
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MISSING, "model.sig")


def test_a_signature_beside_a_file(tmp_path: Path) -> None:
    model = Model(tmp_path, {"m.gguf": b"x"}).allow(path=str(tmp_path / "model/m.gguf"))
    model.signature = model.path / "m.gguf.sig"
    model.resign(statement_of({"m.gguf": b"x"}))
    assert used(expect(model, Reason.VERIFIED)) == str(model.signature)
    model.signature.rename(model.path / "model.sig")
    expect(model, *MISSING)


# Models below a root.


class Volume:
    """A root with models, and the policy that discovers them."""

    def __init__(self, path: Path, *models: str) -> None:
        self.path = path / "volume"
        self.path.mkdir()
        self.by = ByKey.new()
        self.models = [self.add(name) for name in models]
        self.rules = ModelRules(None, discover=True)

    def add(self, name: str) -> Model:
        parent, _, last = f"{self.path}/{name}".rpartition("/")
        return Model(self.path.joinpath(parent), {"file": name.encode()}, name=last).sign(self.by)

    def verify(self, *roots: Path) -> Report:
        policy = Policy((self.rules,), (self.by.trusted(),), sha256="0" * 64)
        where = tuple(str(root) for root in roots or (self.path,))
        return verify([policy], Settings(roots=where), Silent(), Progress())


def test_every_model_is_found(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a", "b", "c/d", "1/2/3/4")
    report = volume.verify()
    check(report, Reason.VERIFIED)
    names = sorted(f"{volume.path}/{name}" for name in ("a", "b", "c/d", "1/2/3/4"))
    assert [model.path for model in report.models] == names


def test_the_root_itself_is_a_model(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    volume.path.rmdir()
    Model(tmp_path, {"sub/x": b""}, name="volume").sign(volume.by)
    report = volume.verify()
    check(report, Reason.VERIFIED)
    assert [found.path for found in report.models] == [str(volume.path)]


def test_one_bad_model_spoils_all(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a", "b")
    volume.models[1].write("file", b"other")
    report = volume.verify()
    check(report, Reason.CONTENT_MISMATCH, (Code.FILE_MODIFIED, "file"))
    assert [model.reason for model in report.models] == [Reason.VERIFIED, Reason.CONTENT_MISMATCH]


def test_no_model_below_the_root(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    (volume.path / "file").write_bytes(b"")
    check(volume.verify(), Reason.SIGNATURE_MISSING, (Code.SIGNATURE_NOT_FOUND, ""))


def test_an_empty_root(tmp_path: Path) -> None:
    check(Volume(tmp_path).verify(), Reason.SIGNATURE_MISSING, (Code.SIGNATURE_NOT_FOUND, ""))


def test_no_root_there(tmp_path: Path) -> None:
    report = Volume(tmp_path, "a").verify(tmp_path / "nowhere")
    check(report, Reason.MODEL_UNREADABLE, (Code.MODEL_NOT_FOUND, ""))


def test_one_of_two_roots_is_empty(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    report = volume.verify(volume.path, tmp_path / "empty")
    check(report, Reason.SIGNATURE_MISSING, (Code.SIGNATURE_NOT_FOUND, ""))


def test_four_levels_and_not_one_more(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a", "1/2/3/4/5")
    check(
        volume.verify(),
        Reason.CONTENT_MISMATCH,
        (Code.FILE_UNSIGNED, "1/2/3/4/5/file"),
        (Code.FILE_UNSIGNED, "1/2/3/4/5/model.sig"),
    )


@pytest.mark.parametrize("name", ["file", "more/file", "a.py", ".hidden/x"])
def test_a_file_that_no_model_covers(tmp_path: Path, name: str) -> None:
    volume = Volume(tmp_path, "a", "b/c")
    path = volume.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    check(volume.verify(), Reason.CONTENT_MISMATCH, (Code.FILE_UNSIGNED, name))
    # Tolerance is for files in a model: else a model whose signature somebody took away
    # would be tolerated file by file.
    volume.rules = dataclasses.replace(volume.rules, ignore_unsigned_files=True)
    check(volume.verify(), Reason.CONTENT_MISMATCH, (Code.FILE_UNSIGNED, name))


def test_a_link_to_a_model_outside_is_none(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a")
    outside = Model(tmp_path, {"file": b""}, name="outside").sign(volume.by)
    (volume.path / "b").symlink_to(outside.path)
    check(volume.verify(), Reason.POLICY_VIOLATION, (Code.SYMLINK_FORBIDDEN, "b"))
    volume.rules = dataclasses.replace(volume.rules, allow_symlinks=True)
    check(volume.verify(), Reason.POLICY_VIOLATION, (Code.SYMLINK_ESCAPES, "b"))


def test_a_model_inside_a_model_is_a_part_of_it(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a")
    volume.add("a/b")
    check(
        volume.verify(),
        Reason.CONTENT_MISMATCH,
        (Code.FILE_UNSIGNED, "b/file"),
        (Code.FILE_UNSIGNED, "b/model.sig"),
    )


def test_ignore_paths_count_from_the_root(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a", "b")
    for model in volume.models:
        model.write("logs", b"")
    volume.rules = dataclasses.replace(volume.rules, ignore_paths=("a/logs",))
    check(volume.verify(), Reason.CONTENT_MISMATCH, (Code.FILE_UNSIGNED, "logs"))
    volume.rules = dataclasses.replace(volume.rules, ignore_paths=("a/logs", "b/logs"))
    check(volume.verify(), Reason.VERIFIED)


def test_an_ignored_directory_is_not_searched(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a", "b")
    volume.models[1].write("file", b"other")
    volume.rules = dataclasses.replace(volume.rules, ignore_paths=("b",))
    report = volume.verify()
    check(report, Reason.VERIFIED)
    assert len(report.models) == 1


def test_a_root_that_the_policy_names(tmp_path: Path) -> None:
    volume = Volume(tmp_path, "a", "b")
    volume.rules = dataclasses.replace(volume.rules, path=str(volume.path))
    report = volume.verify(tmp_path / "not this one")
    check(report, Reason.VERIFIED)
    assert len(report.models) == 2


@pytest.mark.parametrize("name", ["logs/x", ".git/config"])
def test_what_is_ignored_beside_the_models_is_listed(tmp_path: Path, name: str) -> None:
    volume = Volume(tmp_path, "a")
    (volume.path / name).parent.mkdir()
    (volume.path / name).write_bytes(b"")
    volume.rules = dataclasses.replace(volume.rules, ignore_paths=("logs",))
    report = volume.verify()
    check(report, Reason.VERIFIED)
    said = [path for model in report.models for path in model.ignored]
    said += [f"{finding.path} {finding.detail}" for finding in findings(report)]
    assert any(name.split("/", 1)[0] in each for each in said), report
