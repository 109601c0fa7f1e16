"""One controller of several is at work: who holds the Lease (coordination.k8s.io/v1)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verifier_cli.apiserver.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier_cli.apiserver.client import Api
    from verifier_cli.host.logs import Log

Json = dict[str, Any]

NAME = "model-validation-controller"
# Seconds, as of client-go's leader election: what others wait for without a renewal, after what the
# holder gives up by itself, and between two attempts.
LASTS, DEADLINE, RENEWS = 15, 10, 2
# Of one attempt: the last one begins before DEADLINE, and so ends before LASTS.
ANSWER = 4
_NOT_FOUND, _CONFLICT = 404, 409


class Lease:
    """A lease that this process holds or waits for.

    Another holder's time is measured by our own clock from the moment that we saw it renewed:
    clocks of two nodes may differ.
    """

    def __init__(
        self, api: Api, namespace: str, holder: str, clock: Callable[[], float], log: Log
    ) -> None:
        """Will be held in `namespace` by `holder`; `clock` gives seconds that never go back."""
        self._log = log
        self._api = api
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._holder = holder
        self._clock = clock
        self._seen: tuple[object, float] = (None, 0.0)
        # As we wrote it last: to renew it takes one request, not two.
        self._written: Json | None = None
        self._renewed = clock()

    async def acquire(self) -> None:
        """Waits until it is ours."""
        while not await self.attempt():  # noqa: ASYNC110  (what is waited for is elsewhere)
            await asyncio.sleep(RENEWS)

    async def keep(self) -> None:
        """Renews it; returns once it may soon be another's."""
        while (left := self._renewed + DEADLINE - self._clock()) > 0:
            await asyncio.sleep(min(RENEWS, left))
            await self.attempt()

    async def attempt(self) -> bool:
        """Takes or renews it if nobody else holds it; whether it is ours."""
        # Before it is written: nobody counts from an earlier moment.
        asked, written = self._clock(), self._written
        self._written = None
        try:
            async with asyncio.timeout(ANSWER):
                self._written = await self._write(written)
        except (ApiError, TimeoutError) as error:
            why = str(error) or f"no answer within {ANSWER} seconds"
            said = f"the lease {NAME} can be neither taken nor kept: {why}"
            self._log.event("lease.failed", said)
            return False
        # Another's: what was ours is so no longer, however little time has passed.
        self._renewed = asked if self._written is not None else float("-inf")
        return self._written is not None

    async def _write(self, written: Json | None) -> Json | None:
        """The lease as ours; None if it is another's."""
        found = written or await self._read()
        if found is None:
            made = {"metadata": {"name": NAME}, "spec": self._spec(0)}
            top = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            return await self._api.create(self._collection, {**top, **made})
        spec = found.get("spec") or {}
        if self._is_anothers(spec):
            return None
        changes = int(spec.get("leaseTransitions") or 0)
        changes += spec.get("holderIdentity") != self._holder
        # With its resourceVersion: of two who take it at once, one is refused.
        wanted = {**found, "spec": {**spec, **self._spec(changes)}}
        return await self._api.replace(f"{self._collection}/{NAME}", wanted)

    async def release(self) -> None:
        """Gives it up, so that the next need not wait."""
        self._written = None
        try:
            async with asyncio.timeout(ANSWER):
                while not await self._given_up():
                    pass
        except (ApiError, TimeoutError):
            pass  # it runs out by itself

    async def _given_up(self) -> bool:
        """Whether it is another's or nobody's; no if a renewal that was under way came first."""
        found = await self._read()
        if not found or (found.get("spec") or {}).get("holderIdentity") != self._holder:
            return True
        spec = {**found["spec"], "holderIdentity": ""}
        try:
            await self._api.replace(f"{self._collection}/{NAME}", {**found, "spec": spec})
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
            return False
        return True

    async def _read(self) -> Json | None:
        try:
            return await self._api.get(f"{self._collection}/{NAME}")
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def _is_anothers(self, spec: Json) -> bool:
        holder = spec.get("holderIdentity")
        mark = (holder, spec.get("renewTime"))
        if mark != self._seen[0]:
            self._seen = (mark, self._clock())
        lasts = float(spec.get("leaseDurationSeconds") or LASTS)
        fresh = self._clock() - self._seen[1] < lasts
        return bool(holder) and holder != self._holder and fresh

    def _spec(self, changes: int) -> Json:
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": LASTS,
            "renewTime": now,
            "leaseTransitions": changes,
        }
