"""What a node has beside etcd and the API server."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cluster import configuration
from tests.cluster.daemons import Daemon, daemon, free_port
from tests.cluster.network import API, GATEWAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer
    from tests.cluster.certificates import Authority

# The API server asks the kubelet, which listens on loopback, by this name.
NAME = "localhost"


def server_options(authority: Authority) -> tuple[str, ...]:
    """Options of kube-apiserver for a cluster in which pods run."""
    client = authority.issue("kubelet-client", group="system:masters")
    return (
        "--allow-privileged",
        "--enable-admission-plugins=NodeRestriction",
        # Without kube-proxy, webhooks are reached by the endpoints of their Services.
        "--enable-aggregator-routing",
        "--kubelet-preferred-address-types=Hostname",
        f"--kubelet-certificate-authority={authority.certificate}",
        f"--kubelet-client-certificate={client.certificate}",
        f"--kubelet-client-key={client.key}",
    )


@contextmanager
def containerd(directory: Path, programs: Path) -> Iterator[None]:
    """Runs containers."""
    settings = configuration.containerd(directory)
    command = (str(programs / "containerd"), f"--config={settings}")
    ask = (*ctr(directory, programs), "version")
    with daemon(directory / "containerd.log", *command) as running:
        running.wait_until(
            lambda: not subprocess.run(ask, capture_output=True, check=False).returncode
        )
        yield


def ctr(directory: Path, programs: Path) -> tuple[str, ...]:
    """The start of a command for containerd's client."""
    address = f"--address={configuration.socket(directory)}"
    return (str(programs / "ctr"), address, "--namespace=k8s.io")


def relay(server: ApiServer) -> AbstractContextManager[Daemon]:
    """Lets pods reach the API server at its Service's address, in place of kube-proxy."""
    here = f"TCP-LISTEN:443,bind={API},fork,reuseaddr"
    there = f"TCP:{server.url.removeprefix('https://')}"
    return daemon(server.directory / "relay.log", "socat", here, there)


def controllers(server: ApiServer, authority: Authority) -> AbstractContextManager[Daemon]:
    """Makes pods of Deployments and Jobs, and tokens, and removes what is deleted."""
    user = authority.kubeconfig("system:kube-controller-manager", server.url)
    return daemon(
        server.directory / "kube-controller-manager.log",
        str(server.programs / "kube-controller-manager"),
        f"--kubeconfig={user}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={server.directory / 'accounts.key'}",
        f"--root-ca-file={authority.certificate}",
    )


def scheduler(server: ApiServer, authority: Authority) -> AbstractContextManager[Daemon]:
    """Gives pods to the node."""
    user = authority.kubeconfig("system:kube-scheduler", server.url)
    return daemon(
        server.directory / "kube-scheduler.log",
        str(server.programs / "kube-scheduler"),
        f"--kubeconfig={user}",
        "--secure-port=0",
        "--leader-elect=false",
    )


def kubelet(server: ApiServer, authority: Authority) -> AbstractContextManager[Daemon]:
    """Runs the node's pods."""
    serving = authority.issue("kubelet", hosts=(NAME,))
    settings = configuration.kubelet(server.directory, authority, serving, free_port())
    user = authority.kubeconfig(f"system:node:{NAME}", server.url, group="system:nodes")
    return daemon(
        server.directory / "kubelet.log",
        str(server.programs / "kubelet"),
        f"--config={settings}",
        f"--kubeconfig={user}",
        f"--root-dir={server.directory / 'kubelet'}",
        f"--hostname-override={NAME}",
        # Loopback is refused here.
        f"--node-ip={GATEWAY}",
    )
