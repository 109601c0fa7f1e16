"""What a node takes of this machine, beside the network: it is taken once, and given back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from images import tools
from images.tools import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Command or file: the Debian package that has it.
COMMANDS = {
    "ip": "iproute2",
    "mount": "mount",
    "runc": "runc",
    "socat": "socat",
    "unshare": "util-linux",
}
FILES = {
    Path("/usr/lib/cni/bridge"): "containernetworking-plugins",
    # /bin/busybox may be another package's, which is not static.
    Path("/usr/share/doc/busybox-static"): "busybox-static",
}
LOCK = Path("/run/model-verify/node.lock")
CGROUP = "model-verify-node"
# What the daemons write outside their state whatever they are told; the node has its own there.
FOLDERS = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")
GONE_SECONDS = 20


def packages() -> None:
    """Installs what a node needs of Debian.

    Raises:
        UnavailableError: something is missing, and this is not Debian or not root.
    """
    if os.geteuid() != 0:
        raise UnavailableError("running a node needs root")
    tools.ensure(COMMANDS, FILES)


@contextlib.contextmanager
def only_one() -> Iterator[int]:
    """Takes the lock that all nodes of this machine share, and returns its descriptor.

    The kernel lets go of it when every process that has inherited the descriptor is dead.

    Raises:
        UnavailableError: a node is there already.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UnavailableError(
                f"a node runs on this machine already, started by process {file.read().strip()}: "
                "there can be only one (`nox -s cluster -- down` ends that of `-- up`)"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield file.fileno()


@contextlib.contextmanager
def cgroups() -> Iterator[None]:
    """Makes a cgroup for the pods in every hierarchy, and removes them."""
    try:
        remove_cgroups()
        for place in cgroup_places():
            place.mkdir()
        yield
    finally:
        remove_cgroups()


def cgroup_places() -> list[Path]:
    """Where the pods' cgroups are: one of cgroup v2, or one in each hierarchy of v1."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root / CGROUP]
    # One hierarchy may have several names, which are links.
    hierarchies = {listing.parent.resolve() for listing in root.glob("*/cgroup.procs")}
    return [hierarchy / CGROUP for hierarchy in sorted(hierarchies)]


def remove_cgroups() -> None:
    """Removes the pods' cgroups, once the kernel has buried what ran there.

    Raises:
        OSError: something still runs there.
    """
    deadline = time.monotonic() + GONE_SECONDS
    for place in cgroup_places():
        while place.exists():
            try:
                for directory, _, _ in os.walk(place, topdown=False):
                    Path(directory).rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@contextlib.contextmanager
def folders() -> Iterator[None]:
    """Makes the folders over which the node mounts its own, and removes what it has made."""
    missing = [Path(folder) for folder in FOLDERS if not Path(folder).exists()]
    for folder in missing:
        folder.mkdir(parents=True)
    try:
        yield
    finally:
        for folder in missing:
            folder.rmdir()
