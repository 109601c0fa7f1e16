"""What the verifier has no right to see is never called verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    Model,
    as_nobody,
    check,
    expect,
    findings,
    mode_of,
    public_directory,
)
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

UNREADABLE = (Reason.MODEL_UNREADABLE, Code.UNREADABLE)
NO_LIST, NO_SEARCH = 0o311, 0o644


@pytest.fixture
def model() -> Iterator[Model]:
    with public_directory() as directory:
        model = Model(directory).sign_with_key()
        expect(model, Reason.VERIFIED)  # imports what a child without rights needs
        yield model


def test_somebody_without_rights_can_verify(model: Model) -> None:
    report = as_nobody(model.verify)
    check(report, Reason.VERIFIED)


@pytest.mark.parametrize("name", FILES)
def test_a_signed_file_that_cannot_be_read(model: Model, name: str) -> None:
    with mode_of(model.path / name, 0):
        report = as_nobody(model.verify)
    check(report, UNREADABLE[0], (UNREADABLE[1], name))


def test_an_unreadable_file_is_not_counted(model: Model) -> None:
    with mode_of(model.path / "config.json", 0):
        report = as_nobody(model.verify)
    assert report.models[0].files == len(FILES) - 1


@pytest.mark.parametrize("mode", [0, NO_LIST, NO_SEARCH])
def test_a_directory_of_signed_files_that_cannot_be_looked_at(model: Model, mode: int) -> None:
    with mode_of(model.path / "sub", mode):
        report = as_nobody(model.verify)
    assert report.reason is Reason.MODEL_UNREADABLE
    assert {finding.path for finding in findings(report)} <= {"sub", "sub/adapter.bin"}
    assert {finding.code for finding in findings(report)} == {Code.UNREADABLE}


@pytest.mark.parametrize("mode", [0, NO_LIST])
def test_a_directory_that_hides_an_unsigned_file(model: Model, mode: int) -> None:
    model.write("hidden/payload.py", b"import os")
    with mode_of(model.path / "hidden", mode):
        report = as_nobody(model.verify)
    check(report, UNREADABLE[0], (UNREADABLE[1], "hidden"))


def test_a_hidden_directory_is_not_tolerated_as_unsigned_files_are(model: Model) -> None:
    model.write("hidden/payload.py", b"import os")
    model.allow(ignore_unsigned_files=True)
    with mode_of(model.path / "hidden", 0):
        report = as_nobody(model.verify)
    check(report, UNREADABLE[0], (UNREADABLE[1], "hidden"))


@pytest.mark.parametrize("mode", [0, NO_LIST])
def test_a_model_that_cannot_be_listed(model: Model, mode: int) -> None:
    model.allow(signature_path=str(model.signature.rename(model.path.parent / "model.sig")))
    with mode_of(model.path, mode):
        report = as_nobody(model.verify)
    check(report, UNREADABLE[0], (UNREADABLE[1], ""))


def test_a_model_that_cannot_be_searched(model: Model) -> None:
    model.allow(signature_path=str(model.signature.rename(model.path.parent / "model.sig")))
    with mode_of(model.path, NO_SEARCH):
        report = as_nobody(model.verify)
    assert report.reason is Reason.MODEL_UNREADABLE
    assert {finding.code for finding in findings(report)} == {Code.UNREADABLE}


@pytest.mark.parametrize("mode", [0, NO_LIST, NO_SEARCH])
def test_a_model_whose_signature_cannot_be_discovered(model: Model, mode: int) -> None:
    with mode_of(model.path, mode):
        report = as_nobody(model.verify)
    assert report.exit_code in (10, 13, 20)
    assert report.models[0].reason is not Reason.VERIFIED


def test_a_model_in_a_directory_that_cannot_be_searched(model: Model) -> None:
    with mode_of(model.path.parent, 0):
        report = as_nobody(model.verify)
    check(report, UNREADABLE[0], (UNREADABLE[1], ""))


def test_a_signature_that_cannot_be_read(model: Model) -> None:
    with mode_of(model.signature, 0):
        report = as_nobody(model.verify)
    check(report, Reason.SIGNATURE_INVALID, (Code.BUNDLE_UNREADABLE, ""))


def test_an_unsigned_file_needs_no_reading_to_be_refused(model: Model) -> None:
    with mode_of(model.write("new.py", b""), 0):
        report = as_nobody(model.verify)
    check(report, Reason.CONTENT_MISMATCH, (Code.FILE_UNSIGNED, "new.py"))


def test_an_ignored_directory_need_not_be_readable(model: Model) -> None:
    model.write(".git/config", b"")
    with mode_of(model.path / ".git", 0):
        report = as_nobody(model.verify)
    check(report, Reason.VERIFIED)
