"""The container tools, from Debian: installed where that is possible, set up apart from the user's.

Images, containers and their settings live below the user's cache folder, so that building here
never meets the images that the user has, nor the settings in /etc/containers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "model-verify"
# Command: the package that has it.
COMMANDS = {
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "podman": "podman",
    "runc": "runc",
}
# Found by podman itself: the process that holds a pod together.
PACKAGES = (*COMMANDS.values(), "catatonit")

CONTAINERS = """\
[containers]
# The defaults are higher than a container may itself have, and starting fails.
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]

[engine]
runtime = "runc"
# No systemd asked for: builders and CI runners often have none.
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{cache}/containers/storage"
runroot = "{cache}/containers/run"
"""


class UnavailableError(Exception):
    """The tools are not there and cannot be installed; the message says why."""


def ready() -> dict[str, str]:
    """Installs what is missing and returns the environment in which the tools are to run.

    Raises:
        UnavailableError: something is missing, and this is not Debian or not root.
    """
    missing = sorted(command for command in COMMANDS if shutil.which(command) is None)
    if os.geteuid() != 0:
        raise UnavailableError("building and running images here needs root")
    if missing:
        if shutil.which("apt-get") is None:
            names = ", ".join(missing)
            raise UnavailableError(f"{names} are missing, and this is not Debian: no apt-get")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ("apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES)
        for command in (("apt-get", "update"), install):
            ran = subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
            if ran.returncode:
                raise UnavailableError(f"{', '.join(missing)} are missing, and {command[1]} failed")
    settings = CACHE / "containers"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "containers.conf").write_text(CONTAINERS, encoding="utf-8")
    (settings / "storage.conf").write_text(STORAGE.format(cache=CACHE), encoding="utf-8")
    return {
        **os.environ,
        "CONTAINERS_CONF": str(settings / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(settings / "storage.conf"),
    }
