"""The product on an API server: its manifests applied, its programs run as their own accounts.

There is no node here, so the controller is a process beside the tests. It has what its pod would
have: its service account's token, and no more rights than the manifests give.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tests.cluster.daemons import free_port
from verifier_cli.config.strictyaml import load_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.apiserver import ApiServer

T = TypeVar("T")

Json = dict[str, Any]

MANIFESTS = Path(__file__).parents[2] / "manifests"
NAMESPACE = "model-validation-controller"
SECONDS = 30


# What acts on pods: without a node, only the tests that are about it have it.
ADMISSION = (
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
)


def manifests(server: ApiServer, overlay: str = "overlays/development") -> list[Json]:
    """What a kustomization of ours is made of."""
    return load_all(server.kubectl("kustomize", str(MANIFESTS / overlay)).stdout.encode())


def apply(server: ApiServer, objects: list[Json]) -> None:
    """Applies objects, definitions first: others may be of their kinds."""
    defined = [each for each in objects if each["kind"] == "CustomResourceDefinition"]
    for some in (defined, objects):
        if some:
            together = {"apiVersion": "v1", "kind": "List", "items": some}
            server.kubectl("apply", "--server-side", "--filename=-", stdin=together)
    for each in defined:
        name = f"customresourcedefinition/{each['metadata']['name']}"
        server.kubectl("wait", "--for=condition=Established", name)


@contextlib.contextmanager
def in_force(server: ApiServer, *kinds: str) -> Iterator[None]:
    """The objects of these kinds, for as long as the context lasts."""
    chosen = [each for each in manifests(server) if each["kind"] in kinds]
    apply(server, chosen)
    try:
        yield
    finally:
        for each in chosen:
            server.kubectl("delete", each["kind"], each["metadata"]["name"])


def account(server: ApiServer, name: str, directory: Path) -> dict[str, str]:
    """The environment of a program that runs as a service account of ours."""
    directory.mkdir(parents=True, exist_ok=True)
    token = server.kubectl("create", "token", name, f"--namespace={NAMESPACE}").stdout
    authority = server.directory / "ca.crt"
    directory.joinpath("token").write_text(token, encoding="ascii")
    directory.joinpath("ca.crt").write_bytes(authority.read_bytes())
    directory.joinpath("namespace").write_text(NAMESPACE, encoding="utf-8")
    url = urlsplit(server.url)
    return {
        **os.environ,
        "KUBERNETES_SERVICE_HOST": str(url.hostname),
        "KUBERNETES_SERVICE_PORT": str(url.port),
        "MODEL_VERIFY_SERVICE_ACCOUNT": str(directory),
        "MODEL_VERIFY_BIND": "127.0.0.1",
    }


@dataclass
class Program:
    """A running program of ours."""

    process: subprocess.Popen[bytes]
    log: Path
    metrics_port: int

    def events(self) -> list[Json]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@contextlib.contextmanager
def controller(
    server: ApiServer, directory: Path, name: str = "a", resync: int = 2
) -> Iterator[Program]:
    """Runs a controller by the name of `name`, and ends it."""
    port = free_port()
    environment = account(server, NAMESPACE, directory / name) | {
        "MODEL_VERIFY_METRICS_PORT": str(port),
        "MODEL_VERIFY_RESYNC_SECONDS": str(resync),
        "POD_NAME": name,
    }
    log = directory / f"controller-{name}.log"
    command = (str(Path(sys.executable).parent / "model-verify-controller"),)
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stderr=stream, stdout=stream)
    try:
        yield Program(process, log, port)
    finally:
        process.terminate()
        process.wait(timeout=20)


def eventually(look: Callable[[], T], *, seconds: float = SECONDS) -> T:
    """What `look` finds once it finds something; its last failure if it never does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
            problem: Exception | None = None
        except (AssertionError, LookupError) as error:
            problem = error
        if time.monotonic() > deadline:
            raise problem or AssertionError(f"not within {seconds} seconds")
        time.sleep(0.2)
