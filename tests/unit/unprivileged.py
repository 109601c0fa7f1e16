"""Permissions bind everybody but root: for a while, the tests are nobody."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65_534


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Runs its body under a uid to which permissions apply."""
    uid = os.geteuid()
    if uid == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if uid == 0:
            os.seteuid(0)


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that everybody may enter; pytest's own are private."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    try:
        yield path
    finally:
        for directory, names, _ in os.walk(path):
            for name in names:
                below = Path(directory, name)
                if not below.is_symlink():
                    below.chmod(0o755)
        shutil.rmtree(path)
