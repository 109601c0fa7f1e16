"""Resolves symbolic links inside a model, by hand, so that none can lead out of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier_cli.model.root import BLOBS, MODEL
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from verifier_cli.model.root import Root

MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link ends: a path without links relative to a base, and what kind it is."""

    base: int
    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A link that may not be followed: the code of the finding, and why in a clause."""

    code: Code
    detail: str


def resolve(root: Root, directory: str, name: str) -> Target | Broken:
    """Follows the link `name` in `directory` (relative to the model) to its end.

    The end must lie in the model, or be a file in the blob store beside a Hugging Face
    snapshot. An absolute target counts as inside when it lies below the model's own path.

    Raises:
        OSError: a directory or link on the way cannot be read.
    """
    here = directory.split("/") if directory else []
    ahead = [name]
    links = 0
    while ahead:
        component = ahead.pop(0)
        if component == ".." and not here:
            return _beside(root, ahead)
        if component in ("", ".", ".."):
            here = here[:-1] if component == ".." else here
            continue
        try:
            mode, target = _look(root, "/".join(here), component)
        except (FileNotFoundError, NotADirectoryError):
            return Broken(Code.SYMLINK_DANGLING, "the link leads to nothing")
        if target is None:
            if ahead and not stat.S_ISDIR(mode):
                return Broken(Code.SYMLINK_DANGLING, "the link leads through a file")
            here.append(component)
            continue
        links += 1
        if links > MAX_LINKS:
            return Broken(Code.SYMLINK_CYCLE, "the link leads back to itself")
        if target.startswith("/"):
            here = []
            if (inside := _below(root, target)) is None:
                return Broken(Code.SYMLINK_ESCAPES, f"the link leads to {target}")
            target = inside
        ahead = [*target.split("/"), *ahead]
    mode = stat.S_IFDIR if not here else _look(root, "/".join(here[:-1]), here[-1])[0]
    return Target(MODEL, "/".join(here), mode)


def _below(root: Root, target: str) -> str | None:
    """An absolute target as seen from the model, or None if it lies elsewhere."""
    prefix = f"{root.path.rstrip('/')}/"
    return target[len(prefix) :] if f"{target}/".startswith(prefix) else None


def _beside(root: Root, ahead: list[str]) -> Target | Broken:
    """What lies outside: only `../../blobs/<name>` seen from a snapshot, and only a file."""
    escapes = Broken(Code.SYMLINK_ESCAPES, "the link leads out of the model")
    match ahead:
        case ["..", "blobs", name] if root.is_snapshot and name not in ("", ".", ".."):
            try:
                mode, target = _look(root, "", name, base=BLOBS)
            except (FileNotFoundError, NotADirectoryError):
                return Broken(Code.SYMLINK_DANGLING, "the link leads to a blob that is not there")
            if target is None and not stat.S_ISDIR(mode):
                return Target(BLOBS, name, mode)
            return escapes
        case _:
            return escapes


def _look(root: Root, directory: str, name: str, *, base: int = MODEL) -> tuple[int, str | None]:
    """Returns the mode of an entry and, if it is a link, its target."""
    here = root.open_directory(base, directory)
    try:
        mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
        target = os.readlink(name, dir_fd=here) if stat.S_ISLNK(mode) else None
    finally:
        os.close(here)
    return mode, target
