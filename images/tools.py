"""The container tools, from Debian: installed where that is possible, set up apart from the user's.

Images, containers and settings live below the user's cache folder, so that building here never
meets the images and containers that the user has.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# As the XDG specification has it: a relative path there counts for nothing.
_XDG = Path(os.environ.get("XDG_CACHE_HOME", ""))
CACHE = (_XDG if _XDG.is_absolute() else Path.home() / ".cache") / "model-verify"
# Command: the package that has it.
COMMANDS = {
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "podman": "podman",
    "runc": "runc",
}
# The process that holds a pod together, and the keys of Debian's archive.
FILES = {
    Path("/usr/libexec/podman/catatonit"): "catatonit",
    Path("/usr/share/keyrings/debian-archive-trixie-stable.gpg"): "debian-archive-keyring",
}
# What would lead the tools back to other settings.
_ELSEWHERE = ("BUILDAH_FORMAT", "CONTAINERS_CONF_OVERRIDE", "STORAGE_DRIVER", "STORAGE_OPTS")

CONTAINERS = """\
[containers]
# The defaults are higher than a container may itself have, and starting fails.
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]

[engine]
runtime = "runc"
# No systemd asked for: builders and CI runners often have none.
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{run}/libpod"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{cache}/containers/storage"
runroot = "{run}/storage"
"""
# Gone after a restart of the machine, as the tools expect it; one for each cache.
RUN = Path("/run/model-verify", hashlib.sha256(str(CACHE).encode()).hexdigest()[:8])


class UnavailableError(Exception):
    """The tools are not there and cannot be installed; the message says why."""


def ready() -> dict[str, str]:
    """Installs what is missing and returns the environment in which the tools are to run.

    Raises:
        UnavailableError: something is missing, and this is not Debian or not root.
    """
    if os.geteuid() != 0:
        raise UnavailableError("building and running images here needs root")
    ensure(COMMANDS, FILES)
    settings = CACHE / "containers"
    settings.mkdir(parents=True, exist_ok=True)
    for name, text in (("containers.conf", CONTAINERS), ("storage.conf", STORAGE)):
        (settings / name).write_text(text.format(cache=CACHE, run=RUN), encoding="utf-8")
    return {
        **{name: value for name, value in os.environ.items() if name not in _ELSEWHERE},
        "CONTAINERS_CONF": str(settings / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(settings / "storage.conf"),
    }


def ensure(commands: Mapping[str, str], files: Mapping[Path, str]) -> None:
    """Installs the packages of those commands and files that are missing.

    Raises:
        UnavailableError: this is not Debian, or they cannot be had.
    """
    missing = {package for command, package in commands.items() if shutil.which(command) is None}
    missing |= {package for file, package in files.items() if not file.exists()}
    if missing:
        install(sorted(missing))


def install(packages: Sequence[str]) -> None:
    """Installs Debian packages.

    Raises:
        UnavailableError: this is not Debian, or they cannot be had.
    """
    names = f"{', '.join(packages)} {'are' if len(packages) > 1 else 'is'} missing"
    if shutil.which("apt-get") is None:
        raise UnavailableError(f"{names}, and this is not Debian: no apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update",), ("install", "--yes", "--no-install-recommends", *packages)):
        call = ("apt-get", "--quiet=2", *command)
        ran = subprocess.run(call, env=environment, check=False, stdout=subprocess.DEVNULL)
        if ran.returncode:
            raise UnavailableError(f"{names}, and apt-get {command[0]} failed")


def run(*command: str, environment: Mapping[str, str]) -> str:
    """Runs a container tool and returns its output; ends with what it said if it fails."""
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)}\n{ran.stdout}{ran.stderr}")
    return ran.stdout
