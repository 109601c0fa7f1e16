"""`model-verify-controller`: renders policies, reports verdicts, keeps the certificate."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from verifier_cli.apiserver.account import in_cluster
from verifier_cli.apiserver.client import Api
from verifier_cli.controller.keeper import Keeper
from verifier_cli.controller.lease import Lease
from verifier_cli.controller.metrics import LEADER, forget
from verifier_cli.controller.operator import Operator
from verifier_cli.controller.options import Options, options
from verifier_cli.host.environment import SettingError
from verifier_cli.host.faults import Fault
from verifier_cli.host.forward import forward_warnings
from verifier_cli.host.logs import Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from verifier_cli.apiserver.account import Account

USAGE = 2
# What the end of a term takes at most; less than a kubelet gives to a pod.
REST_SECONDS = 20


def main() -> None:
    """Runs until SIGTERM; exit code 0 then, 1 after a fault, 2 for wrong settings."""
    try:
        settings, account = options(os.environ), in_cluster(os.environ)
        account.check()
        log = Log(sys.stderr, level=settings.log_level)
        forward_warnings(log)
        sys.exit(asyncio.run(run(account, log, settings)))
    except (LookupError, SettingError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(USAGE)


async def run(account: Account, log: Log, settings: Options) -> int:
    """Waits for its turn and works, as often as need be; returns the exit code.

    Raises:
        SettingError: nobody can listen where it should.
    """
    stop = asyncio.Event()

    def signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

    signals()
    async with _serving(settings.bind, settings.port), Api(account) as api:
        namespace = account.namespace()
        lease = Lease(api, namespace, settings.holder, time.monotonic, log)
        LEADER.set(0)
        while not stop.is_set() and await _unless(stop, lease.acquire()):
            log.event("leader.elected", f"{settings.holder} is at work")
            keeper = Keeper(api, namespace) if settings.keeps else None
            operator = Operator(api, account, log, keeper, settings.resync)
            if not await _term(operator.run, lease, stop, signals, log):
                return 1
        await lease.release()
        return 0


async def _term(
    work: Callable[[asyncio.Event, Callable[[], None]], Coroutine[None, None, None]],
    lease: Lease,
    stop: asyncio.Event,
    signals: Callable[[], None],
    log: Log,
) -> bool:
    """Works until the lease is lost or `stop`; whether all came to rest in good order."""
    LEADER.set(1)
    over = asyncio.Event()
    parts = [asyncio.create_task(each) for each in (work(over, signals), lease.keep(), stop.wait())]
    await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    # Nothing is written from here on: the lease lasts for some seconds yet.
    over.set()
    working, kept, ended = parts
    if kept.done():
        log.event("leader.lost", "the lease may soon be another's: no work until it is ours again")
    LEADER.set(0)
    kept.cancel()
    ended.cancel()
    done, _ = await asyncio.wait(parts, timeout=REST_SECONDS)
    forget()
    errors = [part.exception() for part in done if not part.cancelled()]
    if working not in done:
        errors.append(TimeoutError())
    for error in filter(None, errors):
        fault = Fault.of(error)
        log.event("fault", "the controller ends", fault=fault.kind, place=fault.place)
        return False
    return True


async def _unless(stop: asyncio.Event, work: object) -> bool:
    """Whether the work was done before the end was asked for."""
    waiting = [asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())]  # type: ignore[call-overload]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    done: bool = waiting[0].done()
    for each in waiting:
        each.cancel()
    return done


@contextlib.asynccontextmanager
async def _serving(address: str | None, port: int) -> AsyncIterator[None]:
    """Serves /metrics, and /healthz: whether the loop still turns."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthy)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address, port).start()
        except OSError as error:
            names = "MODEL_VERIFY_BIND and MODEL_VERIFY_METRICS_PORT"
            raise SettingError(f"{names}: {error}") from None
        yield
    finally:
        await runner.cleanup()
