"""The container tools of images/: what is said where they cannot be had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from images import tools
from tests.builders import environment

ROOT = Path(__file__).parents[2]


def test_without_root_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(tools.UnavailableError, match="needs root"):
        tools.ready()


def test_off_debian_nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tools.UnavailableError, match=r"runc are missing, and .* not Debian"):
        tools.ready()


def test_an_installation_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\nexit 100\n")
    apt.chmod(0o755)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tools.UnavailableError, match="are missing, and apt-get update failed"):
        tools.ready()


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_build_that_cannot_be_says_so_and_fails_only_in_ci(
    tmp_path: Path, ci: str, code: int
) -> None:
    script = (
        "import os, images.build as build; from pathlib import Path\n"
        "os.geteuid = lambda: 0\n"
        f"build.OUT = Path({str(tmp_path / 'out')!r})\n"
        "import sys; sys.argv = ['build']; build.main()"
    )
    ran = subprocess.run(
        (sys.executable, "-c", script),
        env=environment(PATH=str(tmp_path), CI=ci, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert "SKIPPED: no image is built: " in ran.stdout
    assert "podman, runc are missing, and this is not Debian" in ran.stdout
