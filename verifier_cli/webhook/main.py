"""The console script `model-verify-webhook`: reads the environment, runs all parts, ends them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import msgspec
import uvloop
from prometheus_client import disable_created_metrics

from verifier_cli.apiserver.account import in_cluster
from verifier_cli.apiserver.client import Api
from verifier_cli.host.environment import SettingError
from verifier_cli.host.faults import Fault
from verifier_cli.host.forward import forward_warnings
from verifier_cli.host.logs import Log
from verifier_cli.webhook.admission import Admissions
from verifier_cli.webhook.app import Webhook, metrics_app
from verifier_cli.webhook.cluster import Cluster
from verifier_cli.webhook.image import VerifierImage
from verifier_cli.webhook.metrics import Metrics
from verifier_cli.webhook.options import options
from verifier_cli.webhook.server import Server, listen, port_of
from verifier_cli.webhook.store import Namespaces
from verifier_cli.webhook.tls import Certificate, CertificateError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from verifier_cli.apiserver.account import Account
    from verifier_cli.webhook.options import Options

DONE, INTERNAL, USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Parts:
    """What must be there before anything runs."""

    options: Options
    account: Account
    log: Log
    certificate: Certificate
    listening: socket.socket
    metrics_listening: socket.socket


def main() -> int:
    """Serves until SIGTERM or SIGINT, and returns the exit code."""
    return run(os.environ, sys.stderr)


def run(environ: Mapping[str, str], stderr: IO[str]) -> int:
    """As `main`, with its surroundings passed in."""
    try:
        parts = _parts(environ, stderr)
    except (SettingError, LookupError, CertificateError, OSError) as error:
        stderr.write(f"error: {error}\n")
        return USAGE
    forward_warnings(parts.log)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(parts))
    except Exception as error:  # noqa: BLE001  (the last line of the log says why it ended)
        fault = Fault.of(error)
        parts.log.event("fault", "the webhook ends", fault=fault.kind, place=fault.place)
        return INTERNAL
    return DONE


def _parts(environ: Mapping[str, str], stderr: IO[str]) -> _Parts:
    asked = options(environ)
    account = in_cluster(environ)
    account.check()
    log = Log(stderr, level=asked.log_level, encode=_encode)
    certificate = Certificate(asked.tls_directory, log)
    listening = listen(asked.bind, asked.port)
    return _Parts(
        asked, account, log, certificate, listening, listen(asked.bind, asked.metrics_port)
    )


def _encode(line: object) -> str:
    return msgspec.json.encode(line).decode()


async def _serve(parts: _Parts) -> None:
    """Serves until a signal asks for the end, and for the time of draining after it."""
    asked = _signals()
    disable_created_metrics()  # type: ignore[no-untyped-call]
    metrics = Metrics()
    async with Api(parts.account) as api:
        image = VerifierImage(
            parts.log, development=parts.options.development, user=parts.options.user
        )
        cluster = Cluster(api, _namespaces(parts, image), parts.log)

        def fault() -> str | None:
            return cluster.fault() or image.fault()

        admissions = Admissions(cluster.store, image, fault, metrics, parts.log)
        metrics.show(cluster.store, cluster.watches, parts.certificate)
        webhook = Webhook(admissions, fault)
        servers = (
            (Server(webhook, parts.certificate.context), parts.listening),
            (Server(metrics_app(metrics)), parts.metrics_listening),
        )
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(cluster.run()),
                tasks.create_task(parts.certificate.follow()),
            ]
            serving = [tasks.create_task(server.serve([at])) for server, at in servers]
            _say_started(parts)
            await _drain(webhook, parts, await asked)
            for server, _ in servers:
                server.should_exit = True
            await asyncio.wait(serving)
            for task in background:
                task.cancel()
    parts.log.event("webhook.stopped", "every request is answered")


def _namespaces(parts: _Parts, image: VerifierImage) -> Namespaces:
    """The namespaces, of which the webhook's own names the image unless that is given."""
    if parts.options.image is not None:
        image.take(parts.options.image)
        return Namespaces()
    return Namespaces(parts.account.namespace(), image.take)


async def _drain(webhook: Webhook, parts: _Parts, signalled: signal.Signals) -> None:
    """Goes on answering until nobody is sent here any more: that takes the cluster a while."""
    webhook.draining = True
    seconds = 0 if signalled == signal.SIGINT else parts.options.drain_seconds
    parts.log.event("webhook.stopping", f"{signalled.name} arrived", drainSeconds=seconds)
    await asyncio.sleep(seconds)


def _signals() -> asyncio.Future[signal.Signals]:
    """Will hold the signal that asks for the end."""
    loop = asyncio.get_running_loop()
    first: asyncio.Future[signal.Signals] = loop.create_future()

    def take(number: signal.Signals) -> None:
        if not first.done():
            first.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, take, number)
    return first


def _say_started(parts: _Parts) -> None:
    parts.log.event(
        "webhook.started",
        "the webhook listens",
        port=port_of(parts.listening),
        metricsPort=port_of(parts.metrics_listening),
    )
