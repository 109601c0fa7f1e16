"""The webhook as a cluster has it: an account, a registration, and an address for its replicas."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.cluster import installed
from tests.cluster.daemons import free_port
from tests.webhooks import exchange
from verifier_cli.apiserver.account import Account
from verifier_cli.apiserver.client import Api, ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer
    from tests.webhooks import Serving, Webhook

Json = dict[str, Any]


def webhook_account(server: ApiServer, directory: Path) -> Account:
    """The account that the manifests give to the webhook."""
    installed.account(server, "model-validation-webhook", directory)
    return Account(server.url, directory)


def administrator(server: ApiServer, directory: Path) -> Account:
    """An account with all rights."""
    name = f"administrator-{uuid4().hex[:8]}"
    server.kubectl("create", "serviceaccount", name, f"--namespace={installed.NAMESPACE}")
    binding = ("clusterrolebinding", name, "--clusterrole=cluster-admin")
    server.kubectl("create", *binding, f"--serviceaccount={installed.NAMESPACE}:{name}")
    installed.account(server, name, directory)
    return Account(server.url, directory)


@contextlib.contextmanager
def registered(server: ApiServer, serving: Serving, port: int, namespace: str) -> Iterator[None]:
    """Has the API server ask the webhook on a port about every pod of one namespace."""
    name = f"webhook-{namespace}"
    authority = base64.b64encode(serving.authority.certificate.read_bytes()).decode()
    hook = {
        "name": "pods.validation.ml.sigstore.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "timeoutSeconds": 10,
        "clientConfig": {"url": f"https://127.0.0.1:{port}/mutate-v1-pod", "caBundle": authority},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["pods"],
            }
        ],
    }
    server.create(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [hook],
        }
    )
    try:
        yield
    finally:
        server.kubectl("delete", "mutatingwebhookconfiguration", name)


class Service:
    """One address for several replicas; like a Service, it hears late who is not ready.

    Connections that are there stay where they are, new ones go to a replica that was ready when
    somebody last looked.
    """

    def __init__(self, *replicas: Webhook) -> None:
        """Will send connections to these."""
        self.port = free_port()
        self._replicas = replicas
        self._ready = list(replicas)
        self._next = 0
        self._loop = asyncio.new_event_loop()
        self._looking = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serves until left."""
        threads = [threading.Thread(target=self._loop.run_forever)]
        threads.append(threading.Thread(target=self._look))
        for thread in threads:
            thread.start()
        starting = asyncio.start_server(self._carry, "127.0.0.1", self.port)
        listening = asyncio.run_coroutine_threadsafe(starting, self._loop).result(30)
        try:
            yield
        finally:
            self._looking.set()
            self._loop.call_soon_threadsafe(listening.close)
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            for thread in threads:
                thread.join()
            self._loop.close()

    def _look(self) -> None:
        """Asks as the kubelet does, once in half a second."""
        while not self._looking.wait(0.5):
            self._ready = [each for each in self._replicas if _is_ready(each)] or self._ready

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._next += 1
        replica = self._ready[self._next % len(self._ready)]
        try:
            there, away = await asyncio.open_connection("127.0.0.1", replica.port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pour(reader, away), _pour(there, writer))

    async def _end(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def _is_ready(replica: Webhook) -> bool:
    try:
        with contextlib.closing(replica.connect()) as connection:
            return exchange(connection, "GET", "/readyz").status == 200
    except OSError:
        return False


class Load:
    """Pods that are created all the time, as a dry run: the API server asks, and keeps none.

    Attributes:
        admitted: how many were taken, each with the verifier in it.
        failures: what was said of the others.
        bare: how many were taken without the verifier.
    """

    def __init__(self, account: Account, pod: Json) -> None:
        """Will create this pod, in its namespace."""
        self.admitted = 0
        self.bare = 0
        self.failures: list[str] = []
        self._account = account
        self._pod = pod
        self._ending = threading.Event()

    @contextlib.contextmanager
    def running(self, workers: int = 4) -> Iterator[None]:
        """Creates until left."""
        thread = threading.Thread(target=lambda: asyncio.run(self._work(workers)))
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()

    async def _work(self, workers: int) -> None:
        async with Api(self._account) as api:
            await asyncio.gather(*(self._create(api) for _ in range(workers)))

    async def _create(self, api: Api) -> None:
        path = f"/api/v1/namespaces/{self._pod['metadata']['namespace']}/pods?dryRun=All"
        while not self._ending.is_set():
            try:
                made = await api.create(path, self._pod)
            except ApiError as error:
                self.failures.append(f"{error.status} {error}")
                await asyncio.sleep(0.1)
                continue
            names = [each["name"] for each in made["spec"].get("initContainers", ())]
            if "model-validation" in names:
                self.admitted += 1
            else:
                self.bare += 1
