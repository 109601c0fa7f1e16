"""Programs that tests need, built once from Go modules and cached by what they are made of."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from images.tools import CACHE, UnavailableError


def built(tools: Path, folder: str, *, tags: str, flags: str) -> Path:
    """The directory with the tools of a Go module; the first call builds them, in minutes.

    Args:
        tools: the module's directory.
        folder: where in the cache they are kept.
        tags: of the build, separated by commas.
        flags: for the linker.

    Raises:
        UnavailableError: there is no Go.
    """
    recipe = hashlib.sha256((tools / "go.sum").read_bytes() + flags.encode() + tags.encode())
    place = CACHE / folder / recipe.hexdigest()[:12]
    if place.is_dir():
        return place
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(f"what {tools} names is not built, and there is no go to do it")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when whole: a build that was broken off leaves nothing that looks like one.
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        programs = Path(directory, "bin")
        programs.mkdir()
        command = (go, "build", "-o", f"{programs}/", "-tags", tags, "-ldflags", flags, "tool")
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
        subprocess.run(command, cwd=tools, env=environment, check=True)
        programs.rename(place)
    return place
