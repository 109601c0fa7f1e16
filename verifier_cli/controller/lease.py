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
LASTS, RENEWS = 15, 5
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

    async def acquire(self) -> None:
        """Waits until it is ours."""
        while not await self.attempt():  # noqa: ASYNC110  (what is waited for is elsewhere)
            await asyncio.sleep(RENEWS)

    async def keep(self) -> None:
        """Renews it; returns once it may be another's."""
        renewed = self._clock()
        while self._clock() - renewed < LASTS - RENEWS:
            await asyncio.sleep(RENEWS)
            if await self.attempt():
                renewed = self._clock()

    async def attempt(self) -> bool:
        """Takes or renews it if nobody else holds it; whether it is ours."""
        try:
            found = await self._read()
            if found is None:
                spec = self._spec(0)
                made = {"metadata": {"name": NAME}, "spec": spec}
                top = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
                await self._api.create(self._collection, {**top, **made})
                return True
            spec = found.get("spec") or {}
            if self._is_anothers(spec):
                return False
            changes = int(spec.get("leaseTransitions") or 0)
            changes += spec.get("holderIdentity") != self._holder
            # With its resourceVersion: of two who take it at once, one is refused.
            wanted = {**found, "spec": {**spec, **self._spec(changes)}}
            await self._api.replace(f"{self._collection}/{NAME}", wanted)
        except ApiError as error:
            self._log.event(
                "lease.failed", f"the lease {NAME} can be neither taken nor kept: {error}"
            )
            return False
        return True

    async def release(self) -> None:
        """Gives it up, so that the next need not wait."""
        try:
            found = await self._read()
            if found and (found.get("spec") or {}).get("holderIdentity") == self._holder:
                spec = {**found["spec"], "holderIdentity": ""}
                await self._api.replace(f"{self._collection}/{NAME}", {**found, "spec": spec})
        except ApiError:
            pass  # it runs out by itself

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
