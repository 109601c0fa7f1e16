"""kopf's watches: of every kind that is there, and begun anew whenever they end.

What changed in between is made good by a listing, so nothing that ends them is a reason to end.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import logging
from typing import TYPE_CHECKING, Any

import kopf

from verifier_cli.apiserver.client import session
from verifier_cli.controller.listing import PAGE
from verifier_cli.controller.pauses import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from verifier_cli.apiserver.account import Account
    from verifier_cli.controller.listing import Collection
    from verifier_cli.controller.watching import Watching
    from verifier_cli.host.logs import Log

LONGEST_SECONDS = 60.0
# What kopf calls its tasks.
_WATCHER = "watcher for "
_TOKEN_LIFE = dt.timedelta(minutes=5)
# Where kopf tells of what ended a watch, which we tell ourselves: it is no fault of ours.
_ENDS = ("kopf._core.reactor.orchestration", "kopf._core.reactor.running")


class Watches:
    """Watches those collections that the last listing found."""

    def __init__(
        self, account: Account, watching: Watching, log: Log, relist: Callable[[], None]
    ) -> None:
        """Will tell `watching` of each event, and call `relist` where some may have been missed."""
        self._account = account
        self._watching = watching
        self._log = log
        self._relist = relist
        self._told: dict[Collection, bool] = {}
        self._wanted: frozenset[Collection] = frozenset()
        self._watched: frozenset[Collection] = frozenset()
        self._news = asyncio.Event()

    def listed(self) -> None:
        """Takes in what a listing found to be there, and what not."""
        for collection, there in self._watching.listed.items():
            if self._told.get(collection, True) is not there:
                self._tell(collection, there=there)
            self._told[collection] = there
        self._wanted = frozenset(each for each, there in self._told.items() if there)
        if self._wanted != self._watched:
            self._news.set()

    def _tell(self, collection: Collection, *, there: bool) -> None:
        if there:
            said = "its definition is there: it is watched from now on"
            self._log.event("watch.resumed", said, resource=collection.resource)
        else:
            said = "its definition (CustomResourceDefinition) is not there: it is looked for"
            self._log.event("watch.lost", said, resource=collection.resource)

    async def run(self, signals: Callable[[], None]) -> None:
        """Watches until it is cancelled.

        Args:
            signals: takes the process' signals back from kopf.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            await self._news.wait()
            self._news.clear()
            self._watched, began = self._wanted, loop.time()
            why = await self._watch(signals)
            if why is None:
                continue
            self._watched = frozenset()
            failures = 0 if loop.time() - began > LONGEST_SECONDS else failures
            seconds = pause(failures, LONGEST_SECONDS)
            failures += 1
            said = f"watching ended, and begins anew in {seconds:g} seconds: {why}"
            self._log.event("work.failed", said)
            await asyncio.sleep(seconds)
            self._relist()

    async def _watch(self, signals: Callable[[], None]) -> str | None:
        """Watches until there is news; what ended it if something else did."""
        over = asyncio.Event()
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(self._watched),
            standalone=True,
            clusterwide=True,
            stop_flag=over,
        )
        # By its own handlers it would end, and the process go on without it.
        signals()
        news = asyncio.create_task(self._news.wait())
        try:
            ended, _ = await asyncio.wait([*tasks, news], return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            # Not by kopf.run_tasks: it would end whatever else the process began meanwhile.
            over.set()
            # kopf leaves the others alone when one fails; without its session they do not end.
            await _end(each for each in asyncio.all_tasks() if _WATCHER in each.get_name())
            await _end(tasks)
        return None if ended == {news} else _why(ended - {news})

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        for each in self._watched:
            kopf.on.event(each.group, each.version, each.plural, registry=registry)(self._seen)
        return registry

    async def _seen(self, event: kopf.RawEvent, **_: object) -> None:
        resource: dict[str, Any] = dict(event["object"])
        self._watching.seen(resource, gone=event["type"] == "DELETED")

    async def _login(self, **_: object) -> kopf.AiohttpSession:
        """A session for kopf: by its own it would be stricter than clusters' certificates are."""
        return kopf.AiohttpSession(
            server=self._account.url,
            aiohttp_session=session(self._account),
            expiration=dt.datetime.now(dt.UTC) + _TOKEN_LIFE,
        )


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
    for task in ending:
        if not task.cancelled():
            # Asked for, so that nobody is told: what fails because it is ended has not failed.
            task.exception()


def _why(ended: Iterable[asyncio.Task[Any]]) -> str:
    errors = [task.exception() for task in ended if not task.cancelled()]
    found = next(filter(None, errors), None)
    return "nobody said why" if found is None else f"{type(found).__name__}: {found}"[:1000]


_CLOSING = "an error occurred during closing of asynchronous generator"


class _Backoffs:
    """Seconds between attempts, for ever: how long the API server is away is not ours to judge."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1.0, 1.0, 2.0, 3.0, 5.0), itertools.repeat(8.0))


def _settings(watched: Iterable[Collection]) -> kopf.OperatorSettings:
    for name in _ENDS:
        logging.getLogger(name).addFilter(_is_no_end)
    logging.getLogger("asyncio").addFilter(_is_no_closing)
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.networking.error_backoffs = _Backoffs()
    settings.watching.chunk_size = PAGE
    # Ten minutes after its end it would kill the process, which goes on.
    settings.process.ultimate_exiting_timeout = None
    for each in watched:
        if each.selector:
            settings.watching.label_selectors[each.plural] = each.selector
    return settings


def _is_no_closing(record: logging.LogRecord) -> bool:
    """Whether it is about something else than a stream of kopf's that the loop closes at its end.

    kopf leaves those of watches that are broken off to the loop, which closes what is inside of
    another before that other, and tells of it.
    """
    return not record.getMessage().startswith(_CLOSING)


def _is_no_end(record: logging.LogRecord) -> bool:
    return record.exc_info is None
