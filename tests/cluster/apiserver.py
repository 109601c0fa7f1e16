"""A real API server with its etcd, on loopback, up in seconds and gone without a trace."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.binaries import binaries
from tests.cluster.certificates import Authority, service_account_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = dict[str, Any]

READY_SECONDS = 120


@dataclass(frozen=True)
class ApiServer:
    """A running API server.

    Attributes:
        directory: its state; gone when it ends.
        programs: where kubectl and the others are.
        url: its address.
        kubeconfig: of an administrator.
    """

    directory: Path
    programs: Path
    url: str
    kubeconfig: Path

    def kubectl(
        self, *arguments: str, stdin: object = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as the administrator; `stdin` is sent as JSON."""
        ran = subprocess.run(
            (self.programs / "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments),
            input=None if stdin is None else json.dumps(stdin),
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if check and ran.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}\n{ran.stdout}{ran.stderr}")
        return ran

    def get(self, *arguments: str) -> Json:
        """What `kubectl get` says, as JSON."""
        found: Json = json.loads(self.kubectl("get", "--output=json", *arguments).stdout)
        return found

    def create(self, document: Json) -> Json:
        """Creates an object and returns it as the server has it.

        Raises:
            Refused: the server does not take it.
        """
        ran = self.kubectl("create", "--output=json", "--filename=-", stdin=document, check=False)
        if ran.returncode:
            raise Refused(ran.stderr)
        created: Json = json.loads(ran.stdout)
        return created


class Refused(Exception):  # noqa: N818  (an answer, not an error)
    """What the API server said when it did not take an object."""


@contextlib.contextmanager
def api_server() -> Iterator[ApiServer]:
    """Starts etcd and kube-apiserver, waits until they are ready, and ends both."""
    programs = binaries()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as started:
        directory = Path(name)
        authority = Authority.new(directory)
        etcd, peers, port = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
        url = port.replace("http:", "https:")
        started.enter_context(
            daemon(
                directory / "etcd.log",
                str(programs / "server"),
                "--name=etcd",
                "--unsafe-no-fsync",
                "--log-level=warn",
                f"--data-dir={directory / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster=etcd={peers}",
            )
        )
        serving = authority.issue("apiserver", hosts=("127.0.0.1", "10.96.0.1", "localhost"))
        private, public = service_account_keys(directory)
        server = started.enter_context(
            daemon(
                directory / "apiserver.log",
                str(programs / "kube-apiserver"),
                f"--etcd-servers={etcd}",
                "--bind-address=127.0.0.1",
                f"--secure-port={url.rsplit(':', 1)[1]}",
                f"--tls-cert-file={serving.certificate}",
                f"--tls-private-key-file={serving.key}",
                f"--client-ca-file={authority.certificate}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={public}",
                f"--service-account-signing-key-file={private}",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--authorization-mode=Node,RBAC",
                "--endpoint-reconciler-type=none",
            )
        )
        kubeconfig = authority.kubeconfig("admin", url, group="system:masters")
        running = ApiServer(directory, programs, url, kubeconfig)
        wait_until_ready(running, server)
        yield running


@contextlib.contextmanager
def daemon(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program beside the tests, and ends it."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(server: ApiServer, process: subprocess.Popen[bytes]) -> None:
    """Waits for /readyz and for the namespace that objects go to."""
    deadline = time.monotonic() + READY_SECONDS
    asked: Sequence[tuple[str, ...]] = (("get", "--raw=/readyz"), ("get", "namespace", "default"))
    for question in asked:
        while server.kubectl(*question, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (server.directory / "apiserver.log").read_text(encoding="utf-8")
                raise AssertionError(f"the API server did not come up:\n{log[-4000:]}")
            time.sleep(0.2)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
