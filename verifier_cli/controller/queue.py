"""Validations that want to be brought up to date, each by one worker at a time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from verifier_cli.apiserver.client import ApiError
from verifier_cli.controller.metrics import RECONCILE, RECONCILE_ERRORS
from verifier_cli.host.faults import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from verifier_cli.controller.state import Key
    from verifier_cli.host.logs import Log

WORKERS = 4
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
# In which many pods of one validation can change, and are counted together.
GATHER_SECONDS = 1.0


class Queue:
    """A set of keys: what is marked twice before its turn has one turn."""

    def __init__(self, work: Callable[[Key], Awaitable[object]], log: Log) -> None:
        """Will hand each key to `work`; whatever it raises means later again."""
        self._work = work
        self._log = log
        self._waiting: asyncio.Queue[Key] = asyncio.Queue()
        self._marked: set[Key] = set()
        self._busy: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._gathering: set[Key] = set()

    def mark(self, key: Key) -> None:
        """Puts a validation in the queue, or leaves it there."""
        if key not in self._marked:
            self._marked.add(key)
            # One that is being worked at is put in when that is done.
            if key not in self._busy:
                self._waiting.put_nowait(key)

    def soon(self, key: Key) -> None:
        """Puts it in the queue in a moment, once for all that happens until then."""
        if key not in self._gathering:
            self._gathering.add(key)
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._gathered, key)

    def _gathered(self, key: Key) -> None:
        self._gathering.discard(key)
        self.mark(key)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Works for as long as the context lasts."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._run()) for _ in range(WORKERS)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()

    async def _run(self) -> None:
        while True:
            key = await self._waiting.get()
            # With keys in the queue nothing above or below need ever wait: others have their turn.
            await asyncio.sleep(0)
            self._marked.discard(key)
            self._busy.add(key)
            try:
                with RECONCILE.time():
                    await self._work(key)
                self._failures.pop(key, None)
            except ApiError as error:
                self._later(key, str(error))
            except Exception as error:  # noqa: BLE001  (one validation must not stop all others)
                fault = Fault.of(error)
                about = f"{key.kind} {key.name} is not brought up to date"
                self._log.event("fault", about, fault=fault.kind, place=fault.place)
                self._later(key, "an internal fault")
            finally:
                self._busy.discard(key)
                if key in self._marked:
                    self._waiting.put_nowait(key)

    def _later(self, key: Key, why: str) -> None:
        RECONCILE_ERRORS.inc()
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2**failures)
        self._log.event(
            "reconcile.failed",
            f"{key.kind} {key.name} is tried again in {seconds:g} seconds: {why}",
            namespace=key.namespace or None,
            validation=key.name,
        )
        asyncio.get_running_loop().call_later(seconds, self.mark, key)
