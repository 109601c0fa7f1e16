"""The controller at work: watches, the workers, certificates, and what is done in turns."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from verifier_cli.apiserver.client import ApiError
from verifier_cli.controller import events, metrics
from verifier_cli.controller.material import Materials
from verifier_cli.controller.pauses import pause
from verifier_cli.controller.queue import Queue
from verifier_cli.controller.reconcile import Reconciler
from verifier_cli.controller.state import Key, State
from verifier_cli.controller.watches import Watches
from verifier_cli.controller.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from verifier_cli.apiserver.account import Account
    from verifier_cli.apiserver.client import Api
    from verifier_cli.controller.keeper import Keeper
    from verifier_cli.controller.state import Pod
    from verifier_cli.host.logs import Log

POLL_SECONDS = 30.0


class Operator:
    """What one leader does; made anew for each term."""

    def __init__(
        self, api: Api, account: Account, log: Log, keeper: Keeper | None, resync: float
    ) -> None:
        """Will work through `api`; without a keeper, certificates are somebody else's.

        Args:
            resync: seconds after which everything is listed anew.
        """
        self._resync_seconds = resync
        self._poll_seconds = min(POLL_SECONDS, resync)
        self._api = api
        self._account = account
        self._log = log
        self._keeper = keeper
        self._state = State()
        self._reconciler = Reconciler(api, self._state, Materials(api, account.namespace()), log)
        self._queue = Queue(self._work, log)
        self._told: asyncio.Queue[Pod] = asyncio.Queue()
        self._watching = Watching(self._state, self._queue, self._told.put_nowait)
        # What is to be done at once, and not in its next turn.
        self._due = asyncio.Event()
        self._watches = Watches(account, self._watching, log, self._due.set)
        self._ready: dict[Key, bool] = {}
        # ConfigMaps that nobody needed when it was last looked: a pod may just have been let in.
        self._idle: set[tuple[str, str]] = set()

    async def run(self, stop: asyncio.Event, signals: Callable[[], None]) -> None:
        """Works until `stop`.

        Args:
            stop: ends it; what is under way is broken off.
            signals: takes the process' signals back from kopf.

        Raises:
            ExceptionGroup: a part of it ended; the process should.
        """
        async with asyncio.TaskGroup() as group, self._queue.working():
            parts = [
                group.create_task(
                    self._in_turns("resync", self._resync, self._resync_seconds, self._due)
                ),
                group.create_task(self._in_turns("references", self._poll, self._poll_seconds)),
                group.create_task(self._report_events()),
                group.create_task(self._watches.run(signals)),
            ]
            if self._keeper is not None:
                keep = self._in_turns("certificates", self._keep, self._poll_seconds)
                parts.append(group.create_task(keep))
            await stop.wait()
            for part in parts:
                part.cancel()

    async def _work(self, key: Key) -> None:
        ready = await self._reconciler.reconcile(key)
        if ready is None:
            self._ready.pop(key, None)
        else:
            if self._ready.get(key) is not ready:
                self._tell(key, ready=ready)
            self._ready[key] = ready
        values = list(self._ready.values())
        metrics.POLICIES.labels("rendered").set(values.count(True))
        metrics.POLICIES.labels("invalid").set(values.count(False))

    def _tell(self, key: Key, *, ready: bool) -> None:
        shown, namespace = f"{key.kind} {key.name}", key.namespace or None
        if ready:
            said = f"{shown} is in force"
            self._log.event("policy.rendered", said, namespace=namespace, validation=key.name)
        else:
            said = f"{shown} is not valid"
            self._log.event("policy.invalid", said, namespace=namespace, validation=key.name)

    async def _in_turns(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        seconds: float,
        due: asyncio.Event | None = None,
    ) -> None:
        """Works every so many seconds, sooner after a failure or when it is due."""
        due = due or asyncio.Event()
        failures = 0
        while True:
            due.clear()
            try:
                await work()
                failures, wait = 0, seconds
            except ApiError as error:
                wait = pause(failures, seconds)
                failures += 1
                said = f"{name} is tried again in {wait:g} seconds: {error}"
                self._log.event("work.failed", said)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(due.wait(), wait)

    async def _resync(self) -> None:
        try:
            await self._watching.list_all(self._api)
        finally:
            # Whatever could be listed can be watched.
            self._watches.listed()
        kept = {
            key: keep
            for key, keep in self._reconciler.places.items()
            if self._ready.get(key) and key in self._state.validations
        }
        idle = self._state.unused(kept)
        # Only what was of no use the last time too.
        await self._reconciler.sweep(sorted(idle & self._idle))
        self._idle = idle

    async def _poll(self) -> None:
        """Looks again at what nobody watches: material in Secrets and ConfigMaps, absent kinds."""
        for key in self._reconciler.referring:
            self._queue.mark(key)
        if await self._watching.appeared(self._api):
            self._due.set()

    async def _keep(self) -> None:
        if self._keeper is not None:
            await self._keeper.keep(dt.datetime.now(dt.UTC))

    async def _report_events(self) -> None:
        while True:
            pod = await self._told.get()
            owners = {key: self._state.validations[key] for key in self._state.owners_of(pod)}
            self._log.event(
                "pod.rejected",
                f"model of pod {pod.shown} {pod.verdict.state}",
                namespace=pod.namespace,
                pod=pod.name,
                reason=pod.verdict.reason,
            )
            try:
                now = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
                await events.emit(self._api, pod, owners, now)
            except ApiError as error:
                self._log.event("event.failed", f"about pod {pod.shown}: {error}")
