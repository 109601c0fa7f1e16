"""Where a model lies while it is verified: in memory, on disk, or far away."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from images.tools import CACHE, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "slowfs"
MILLISECONDS = 20


def evict(model: Path) -> None:
    """Has the kernel forget the pages of a model's files, so that the disk is read again."""
    os.sync()
    for path in model.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


@contextlib.contextmanager
def far_away(directory: Path, mountpoint: Path) -> Iterator[None]:
    """Shows the directory at another place, where each open and each read takes a while.

    Raises:
        UnavailableError: this system has no FUSE for us, or no Go to build the file system with.
    """
    program = _slowfs()
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        raise UnavailableError("slow storage needs root and /dev/fuse")
    mountpoint.mkdir()
    command = (program, directory, mountpoint, str(MILLISECONDS))
    with subprocess.Popen(command) as serving:
        try:
            while not os.path.ismount(mountpoint):
                if serving.poll() is not None:
                    raise UnavailableError("slow storage cannot be mounted")
                time.sleep(0.01)
            yield
        finally:
            serving.terminate()
            try:
                serving.wait(10)
            except subprocess.TimeoutExpired:
                serving.kill()


def _slowfs() -> Path:
    """The file system, built once and kept by what it is made of."""
    recipe = hashlib.sha256(
        b"".join((SOURCE / name).read_bytes() for name in ("go.sum", "main.go"))
    )
    program = CACHE / "bench" / recipe.hexdigest()[:12] / "slowfs"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise UnavailableError("slow storage is not built, and there is no go to do it")
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    command = (go, "build", "-trimpath", "-o", f"{program}.new", ".")
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, cwd=SOURCE, env=environment, check=True)
    return program.parent.joinpath("slowfs.new").rename(program)
