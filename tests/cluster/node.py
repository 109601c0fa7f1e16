"""A whole Kubernetes cluster of one node, which runs pods: up in seconds, gone without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import busybox, machine, network
from tests.cluster.apiserver import ApiServer
from tests.cluster.binaries import binaries
from tests.cluster.components import ctr
from tests.cluster.daemons import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
APART = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# containerd's service for pods notes so that it knows an image.
KNOWN = "io.cri-containerd.image=managed"
KNOWN_SECONDS = 30


@dataclass(frozen=True)
class Node(ApiServer):
    """A running cluster with its node.

    Attributes:
        busybox: the reference of an image with a shell, by digest.
    """

    busybox: str

    def load(self, archive: Path) -> str:
        """Gives the image of an OCI archive to the node: pods name it by its tag or its digest.

        Returns:
            The reference by digest.
        """
        return load(self, archive)


@contextlib.contextmanager
def node(directory: Path) -> Iterator[Node]:
    """Starts the cluster, waits until pods can run, and ends it.

    Args:
        directory: for its state; made here, and removed at the end.

    Raises:
        UnavailableError: it cannot run here, or one does already.
    """
    machine.packages()
    programs = binaries()
    with contextlib.ExitStack() as taken:
        lock = taken.enter_context(machine.only_one())
        taken.enter_context(_state(directory))
        taken.enter_context(network.network())
        taken.enter_context(machine.cgroups())
        taken.enter_context(machine.folders())
        taken.enter_context(_inside(directory, programs, lock))
        yield running(directory, programs)


def running(directory: Path, programs: Path) -> Node:
    """The cluster whose state is in the directory."""
    kubeconfig = directory / "admin.kubeconfig"
    url = json.loads(kubeconfig.read_bytes())["clusters"][0]["cluster"]["server"]
    server = ApiServer(directory, programs, url, kubeconfig)
    shell = load(server, busybox.archive(directory / "busybox.oci.tar"))
    return Node(directory, programs, url, kubeconfig, shell)


def clear(directory: Path) -> None:
    """Removes what a cluster that was killed has left, except empty folders.

    Raises:
        UnavailableError: one runs.
    """
    with machine.only_one():
        network.remove()
        machine.remove_cgroups()
        _remove(directory)


def load(server: ApiServer, archive: Path) -> str:
    """Imports the images of an OCI archive, and returns the first one's reference by digest."""
    client = ctr(server.directory, server.programs)
    _run(*client, "images", "import", str(archive))
    images = busybox.references(archive)
    for reference, digest in images.items():
        pinned = busybox.pinned(reference, digest)
        _run(*client, "images", "tag", "--force", reference, pinned)
        for name in (reference, pinned):
            _wait_until_known(client, name, digest)
    return busybox.pinned(*next(iter(images.items())))


def _wait_until_known(client: Sequence[str], name: str, digest: str) -> None:
    deadline = time.monotonic() + KNOWN_SECONDS
    while not (shown := _run(*client, "images", "ls", f"name=={name}")).count(KNOWN):
        if time.monotonic() > deadline:
            raise AssertionError(f"containerd does not take {name}")
        time.sleep(0.05)
    if f" {digest} " not in shown:
        raise AssertionError(f"containerd has {name} otherwise: {shown}")


@contextlib.contextmanager
def _state(directory: Path) -> Iterator[None]:
    try:
        _remove(directory)
        directory.mkdir(parents=True, mode=0o700)
        yield
    finally:
        _remove(directory)


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


@contextlib.contextmanager
def _inside(directory: Path, programs: Path, lock: int) -> Iterator[None]:
    """Starts process 1 of the node, and ends it with all of its daemons, pods and mounts."""
    inside = (sys.executable, "-m", "tests.cluster.inside", str(directory), str(programs))
    path = f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin"
    log = directory / "inside.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ("unshare", *APART, *inside),
            cwd=ROOT,
            # No proxies: all that is asked for is on this machine.
            env={"PATH": path, "HOME": str(directory)},
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            # Ctrl-C is for the tests, which then end this in good order.
            start_new_session=True,
            pass_fds=(lock,),
        )
    try:
        Daemon(process, log).wait_until((directory / "ready").exists)
        yield
    finally:
        process.communicate()


def _run(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise AssertionError(f"{' '.join(command)}\n{ran.stdout}{ran.stderr}")
    return ran.stdout
