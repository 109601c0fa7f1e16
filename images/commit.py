"""Which commit an image is built from, and when that was made."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# What .dockerignore lets in.
CONTEXT = ("LICENSE", "README.md", "images", "pyproject.toml", "requirements", "verifier_cli")


def commit(root: Path) -> tuple[str, str]:
    """The time of the commit in seconds, and its name, `-dirty` if what is built differs from it.

    Outside of a checkout of its own, as in an unpacked archive, both are unknown.
    """
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        return epoch, os.environ.get("REVISION", "unknown")
    if git(root, "rev-parse", "--show-toplevel") != str(root):
        print("no git checkout, or none of its own: the image's revision is unknown")
        return "0", "unknown"
    epoch, revision = git(root, "log", "--max-count=1", "--format=%ct %H").split()
    # Ignored files too: the build does not know what git ignores.
    changes = git(root, "status", "--porcelain", "--ignored", "--", *CONTEXT).splitlines()
    dirty = any(not change.endswith("__pycache__/") for change in changes)
    return epoch, revision + ("-dirty" if dirty else "")


def git(root: Path, *arguments: str) -> str:
    """What git says of the checkout, whoever owns it; nothing where git cannot say."""
    command = ("git", "-c", f"safe.directory={root}", "-C", str(root), *arguments)
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""
