"""Keeps up with one collection of the API server: list, watch, resume, list again.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from verifier_cli.apiserver.client import ApiError
from verifier_cli.host.faults import Fault
from verifier_cli.kube.shapes import Unfit, child, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verifier_cli.apiserver.client import Api
    from verifier_cli.host.logs import Log

Json = dict[str, Any]

# The server ends each watch after so long, or the client does a little later: so an hour-long
# silence of a dead connection cannot be taken for an hour without changes.
WATCH_SECONDS = 60
# After this long without a word, what was known is too old to admit by.
STALE_SECONDS = 300.0
PAGE = 500
_GONE = 410
_NOT_FOUND = 404
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
# A watch that lasts less did not work, even if it ended without an error.
_SHORT_SECONDS = 1.0


class Sink(Protocol):
    """What is fed by a watch; each method may raise Unfit for an object it cannot place."""

    def replace(self, objects: Iterable[object], /) -> None:
        """Takes a whole list in place of all that was known."""

    def put(self, resource: object, /) -> None:
        """Takes an object that was created or changed."""

    def remove(self, resource: object, /) -> None:
        """Forgets an object that was deleted."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of all namespaces.

    Attributes:
        resource: its name in logs and metrics, as kubectl takes it.
        path: of its list, below the server's address.
    """

    resource: str
    path: str


class _Expired(Exception):  # noqa: N818  (an answer, not an error)
    """What was known cannot be brought up to date: it must be listed anew."""


class Watch:
    """Feeds a sink with a collection, forever.

    Attributes:
        collection: what is watched.
        synced: whether the sink holds what the server listed.
        relists: how often it had to be listed anew.
    """

    def __init__(
        self,
        api: Api,
        collection: Collection,
        sink: Sink,
        log: Log,
        *,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        """Will ask `api`; nothing is asked before `run`."""
        self.collection = collection
        self.synced = False
        self.relists = 0
        self._api = api
        self._sink = sink
        self._log = log
        self._stale_seconds = stale_seconds
        self._version = ""
        self._heard = time.monotonic()
        self._failures = 0
        self._lost = ""

    def age(self) -> float:
        """Seconds since the server's last word."""
        return time.monotonic() - self._heard

    def fault(self) -> str | None:
        """Why nothing can be decided by what is known; None if it can."""
        if not self.synced:
            return f"{self.collection.resource} are not listed yet"
        if self.age() > self._stale_seconds:
            return f"there is no news of {self.collection.resource}"
        return None

    async def run(self) -> None:
        """Keeps up; whatever goes wrong is tried again, more and more slowly."""
        while True:
            began = time.monotonic()
            try:
                await self._list_if_needed()
                await self._follow()
                short = time.monotonic() - began < _SHORT_SECONDS
                self._failures = self._failures + 1 if short else 0
            except (_Expired, Unfit) as error:
                self._version = ""
                self._lose(str(error))
            except ApiError as error:
                self._api_error(error)
            except Exception as error:  # noqa: BLE001  (a watch that ended would freeze the policies)
                fault = Fault.of(error)
                self._version = ""
                self._log.event("fault", "watching", fault=fault.kind, place=fault.place)
                self._lose(f"{fault.kind} in the webhook")
            if self._failures:
                longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._failures)
                await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311

    async def _list_if_needed(self) -> None:
        if self._version:
            return
        found: list[Json] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self._api.get(self.collection.path, **query)
            found += objects(page, "items")
            metadata = child(page, "metadata")
            following = text(metadata, "continue", default="")
            if not following:
                break
            query["continue"] = following
        version = text(metadata, "resourceVersion")
        self._sink.replace(found)
        self._version = version
        self.relists += self.synced
        self.synced = True
        self._word()
        self._log.event(
            "watch.synced", "listed", resource=self.collection.resource, objects=len(found)
        )

    async def _follow(self) -> None:
        """Takes events until the server ends the watch, which is its way to say: nothing more."""
        watching = self._api.watch(
            self.collection.path,
            seconds=WATCH_SECONDS,
            resourceVersion=self._version,
            allowWatchBookmarks="true",
        )
        async with aclosing(watching):
            async for event in watching:
                self._take(event)
                self._failures = 0
                self._word()
        self._word()

    def _take(self, event: object) -> None:
        if not isinstance(event, dict):
            raise Unfit("an event is not an object")
        kind, resource = event.get("type"), child(event, "object")
        if kind == "ERROR":
            raise _Expired(text(resource, "message", default="") or "the watch ended by an error")
        version = text(child(resource, "metadata"), "resourceVersion")
        if kind in ("ADDED", "MODIFIED"):
            self._sink.put(resource)
        elif kind == "DELETED":
            self._sink.remove(resource)
        elif kind != "BOOKMARK":
            raise Unfit(f"an event is of the unknown type {kind!r}")
        # Only now: what could not be taken is sent again.
        self._version = version

    def _api_error(self, error: ApiError) -> None:
        if error.status == _GONE:
            self._version = ""
        elif error.status == _NOT_FOUND:
            # The kind of object is not there (any more): nothing can be said of any.
            self._version, self.synced = "", False
        self._lose(str(error))

    def _word(self) -> None:
        self._heard = time.monotonic()
        if self._lost:
            self._lost = ""
            resource = self.collection.resource
            self._log.event("watch.resumed", "there is news again", resource=resource)

    def _lose(self, reason: str) -> None:
        """Counts a failure, and says so once for each reason."""
        self._failures += 1
        if reason != self._lost:
            self._lost = reason
            self._log.event("watch.lost", reason[:1000], resource=self.collection.resource)
