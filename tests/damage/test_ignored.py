"""What is left out: git's own files, what the signature records, what the policy says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import FILES, Model, expect, findings, process, statement_of
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

UNSIGNED = (Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED)
GIT = (".git/config", ".gitattributes", ".github/workflows/x.yml", ".gitignore")


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).resign(statement_of(FILES))


def test_the_files_of_git_are_left_out_and_listed(model: Model) -> None:
    for name in GIT:
        model.write(name, b"x")
    report = expect(model, Reason.VERIFIED)
    assert report.models[0].ignored == (".git", ".gitattributes", ".github", ".gitignore")


@pytest.mark.parametrize("name", GIT)
def test_the_files_of_git_count_if_the_policy_says_so(model: Model, name: str) -> None:
    model.write(name, b"x")
    expect(model.allow(ignore_git_paths=False), *UNSIGNED, name)


@pytest.mark.parametrize("name", GIT)
def test_the_files_of_git_count_below_the_top(model: Model, name: str) -> None:
    model.write(f"sub/{name}", b"x")
    expect(model, *UNSIGNED, f"sub/{name}")


@pytest.mark.parametrize("name", [".gitmodules", ".gi", ".git2/x", ".Git/x", ".github.py", "x.git"])
def test_what_only_looks_like_git(model: Model, name: str) -> None:
    model.write(name, b"x")
    expect(model, *UNSIGNED, name)


@pytest.mark.parametrize("who", ["policy", "signature"])
@pytest.mark.parametrize("path", ["logs", "logs/today"])
def test_an_ignore_path_leaves_out_its_subtree(model: Model, who: str, path: str) -> None:
    model.write("logs/today/1", b"x")
    if who == "policy":
        model.allow(ignore_paths=(path,))
    else:
        model.resign(statement_of(FILES, ignore_paths=[path]))
    report = expect(model, Reason.VERIFIED)
    assert report.models[0].ignored == (path,)


@pytest.mark.parametrize("who", ["policy", "signature"])
@pytest.mark.parametrize("name", ["logs2", "log", "sub/logs", "Logs", "logs.txt"])
def test_an_ignore_path_is_exact(model: Model, who: str, name: str) -> None:
    model.write(name, b"x")
    if who == "policy":
        model.allow(ignore_paths=("logs",))
    else:
        model.resign(statement_of(FILES, ignore_paths=["logs"]))
    expect(model, *UNSIGNED, name)


def test_an_ignored_file_that_is_special_is_not_looked_at(model: Model) -> None:
    (model.path / "link").symlink_to("/etc/passwd")
    expect(model.allow(ignore_paths=("link",)), Reason.VERIFIED)


@pytest.mark.parametrize("who", ["policy", "signature"])
@pytest.mark.parametrize("path", ["sub", "sub/adapter.bin"])
def test_a_signed_file_under_an_ignore_path(model: Model, who: str, path: str) -> None:
    """It would count as verified without having been looked at."""
    model.write("sub/adapter.bin", b"evil")
    if who == "policy":
        model.allow(ignore_paths=(path,))
    else:
        model.resign(statement_of(FILES, ignore_paths=[path]))
    expect(model, Reason.CONTENT_MISMATCH, Code.SIGNED_BUT_IGNORED, "sub/adapter.bin")


def test_a_signed_file_of_git(model: Model) -> None:
    files = FILES | {".github/x": b"x"}
    model.write(".github/x", b"x")
    model.resign(statement_of(files))
    expect(model, Reason.CONTENT_MISMATCH, Code.SIGNED_BUT_IGNORED, ".github/x")
    expect(model.allow(ignore_git_paths=False), Reason.VERIFIED)


def test_everything_ignored(tmp_path: Path) -> None:
    model = Model(tmp_path, {"a": b"x"}).resign(statement_of({"a": b"x"}))
    model.allow(ignore_paths=("a",))
    expect(model, Reason.CONTENT_MISMATCH, Code.SIGNED_BUT_IGNORED, "a")


def test_what_model_signing_left_out_is_left_out(tmp_path: Path) -> None:
    model = Model(tmp_path)
    model.write("logs/today", b"x")
    model.sign_with_key(ignore=["logs"])
    model.write("logs/tomorrow", b"x")
    report = expect(model, Reason.VERIFIED)
    assert "logs" in report.models[0].ignored


@pytest.mark.parametrize(
    "path", ["*", "*.py", "a?", "[ab]", "..", "../x", "a/../../x", "/x", "", ".", "a//b"]
)
def test_an_ignore_path_that_is_none(tmp_path: Path, model: Model, path: str) -> None:
    key = tmp_path / "key.pub"
    key.write_text(model.by.public_pem)  # type: ignore[attr-defined]
    ended = process("verify", model.path, "--public-key", key, "--ignore-paths", path)
    assert ended.returncode == (3 if path else 2)
    assert b"--ignore-paths" in ended.stdout + ended.stderr


@pytest.mark.parametrize("form", ["logs", "logs/", "./logs", "{model}/logs"])
def test_ways_to_write_an_ignore_path(tmp_path: Path, model: Model, form: str) -> None:
    model.write("logs/x", b"")
    key = tmp_path / "key.pub"
    key.write_text(model.by.public_pem)  # type: ignore[attr-defined]
    path = form.format(model=model.path)
    ended = process("verify", model.path, "--public-key", key, "--ignore-paths", path)
    assert ended.returncode == 0, ended.stdout


def test_tolerated_files_are_not_called_ignored(model: Model) -> None:
    model.write("new", b"")
    report = expect(model.allow(ignore_unsigned_files=True), Reason.VERIFIED)
    assert report.models[0].ignored == ()
    assert findings(report, Code.UNSIGNED_TOLERATED)
