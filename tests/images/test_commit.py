"""Which commit an image says it is made of."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from images.commit import commit

if TYPE_CHECKING:
    from pathlib import Path

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "verifier_cli").mkdir(parents=True)
    (root / "verifier_cli" / "a.py").write_text("A = 1\n")
    (root / ".gitignore").write_text("*.secret\n__pycache__/\n")
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message=a")):
        subprocess.run((*GIT, *command), cwd=root, check=True)
    return root


def test_a_clean_checkout(checkout: Path) -> None:
    (checkout / "verifier_cli" / "__pycache__").mkdir()
    (checkout / "verifier_cli" / "__pycache__" / "a.pyc").touch()
    (checkout / "notes.txt").touch()
    epoch, revision = commit(checkout)
    assert int(epoch) > 0
    assert len(revision) == 40


@pytest.mark.parametrize("name", ["a.py", "new.py", "ignored.secret"])
def test_a_changed_one(checkout: Path, name: str) -> None:
    (checkout / "verifier_cli" / name).write_text("A = 2\n")
    assert commit(checkout)[1].endswith("-dirty")


def test_an_archive_unpacked_in_another_checkout(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = checkout / "inner"
    inner.mkdir()
    assert commit(inner) == ("0", "unknown")
    assert "revision is unknown" in capsys.readouterr().out


def test_no_git_at_all(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert commit(checkout) == ("0", "unknown")


def test_the_caller_knows(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    monkeypatch.setenv("REVISION", "abc")
    assert commit(checkout) == ("7", "abc")
