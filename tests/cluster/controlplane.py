"""A real API server with its etcd, on loopback, up in seconds and gone without a trace."""

from __future__ import annotations

import contextlib
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.apiserver import ApiServer
from tests.cluster.binaries import binaries
from tests.cluster.certificates import Authority, service_account_keys
from tests.cluster.daemons import daemon, free_port
from tests.cluster.network import API, SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.daemons import Daemon


@contextlib.contextmanager
def api_server() -> Iterator[ApiServer]:
    """Starts an API server that no node belongs to: objects are kept, and nothing runs."""
    programs = binaries()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with control_plane(directory, programs, Authority.new(directory)) as running:
            yield running


@contextlib.contextmanager
def restartable() -> Iterator[tuple[ApiServer, Callable[[], None]]]:
    """As `api_server`, and what ends it, starts it again and waits; etcd goes on meanwhile."""
    programs = binaries()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with _control_plane(directory, programs, Authority.new(directory)) as (server, running):

            def restart() -> None:
                running.restart()
                _wait(server, running)

            yield server, restart


@contextlib.contextmanager
def control_plane(
    directory: Path, programs: Path, authority: Authority, *options: str
) -> Iterator[ApiServer]:
    """Starts etcd and kube-apiserver, waits until they are ready, and ends both.

    Args:
        directory: for their state and logs.
        programs: where they are.
        authority: whose certificates the API server shows and takes.
        options: further ones of kube-apiserver.
    """
    with _control_plane(directory, programs, authority, *options) as (server, _):
        yield server


@contextlib.contextmanager
def _control_plane(
    directory: Path, programs: Path, authority: Authority, *options: str
) -> Iterator[tuple[ApiServer, Daemon]]:
    hosts = ("127.0.0.1", str(API), "localhost", "kubernetes.default.svc")
    serving = authority.issue("apiserver", hosts=hosts)
    private, public = service_account_keys(directory)
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    kubeconfig = authority.kubeconfig("admin", url, group="system:masters")
    server = ApiServer(directory, programs, url, kubeconfig)
    with (
        _etcd(directory, programs) as storage,
        daemon(
            directory / "kube-apiserver.log",
            str(programs / "kube-apiserver"),
            f"--etcd-servers={storage}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={authority.certificate}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC",
            "--endpoint-reconciler-type=none",
            *options,
        ) as running,
    ):
        _wait(server, running)
        yield server, running


def _wait(server: ApiServer, running: Daemon) -> None:
    # The namespace is made after /readyz says yes.
    for question in (("get", "--raw=/readyz"), ("get", "namespace", "default")):
        running.wait_until(partial(server.says, *question))


@contextlib.contextmanager
def _etcd(directory: Path, programs: Path) -> Iterator[str]:
    """Starts etcd and returns its address."""
    clients, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    with daemon(
        directory / "etcd.log",
        str(programs / "server"),
        "--name=etcd",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=etcd={peers}",
    ):
        yield clients
