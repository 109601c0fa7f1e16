"""The controller's terms: what ends one, and what ends the process."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest

from tests.schemas import check_log_lines
from tests.unit.controller.api import FakeApi
from verifier_cli.controller import lease as lease_module
from verifier_cli.controller import main, metrics
from verifier_cli.controller.lease import NAME, Lease
from verifier_cli.host.logs import Log

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = f"/apis/coordination.k8s.io/v1/namespaces/ns/leases/{NAME}"


class Work:
    """What a leader does, and how it ends."""

    def __init__(self, error: Exception | None = None, *, rests: bool = True) -> None:
        self.running = False
        self._error = error
        self._rests = rests

    async def __call__(self, over: asyncio.Event, _: Callable[[], None]) -> None:
        self.running = True
        metrics.POLICIES.labels("invalid").set(1)
        if self._error is not None:
            raise self._error
        await over.wait()
        if not self._rests:
            await asyncio.sleep(60)
        self.running = False


class Term:
    """A term on an API server in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lease_module, "RENEWS", 0.001)
        monkeypatch.setattr(main, "REST_SECONDS", 0.05)
        self.api = FakeApi()
        self.lines = io.StringIO()
        log = Log(self.lines)
        self.log = log
        self.lease = Lease(self.api, "ns", "a", lambda: 0.0, log)  # type: ignore[arg-type]  # the same interface

    async def run(self, work: Work, meanwhile: Callable[[asyncio.Event], None]) -> bool:
        stop = asyncio.Event()
        await self.lease.acquire()
        term = main._term(work, self.lease, stop, lambda: None, self.log)
        running = asyncio.create_task(term)
        await asyncio.sleep(0.01)
        meanwhile(stop)
        return await asyncio.wait_for(running, 10)

    def events(self) -> list[dict[str, Any]]:
        return check_log_lines(self.lines.getvalue())

    def taken(self, _: asyncio.Event) -> None:
        """Somebody else takes the lease."""
        self.api.objects[PATH]["spec"]["holderIdentity"] = "b"
        self.api.objects[PATH]["metadata"]["resourceVersion"] = "another"


@pytest.fixture
def term(monkeypatch: pytest.MonkeyPatch) -> Term:
    return Term(monkeypatch)


def leads() -> float:
    return float(metrics.LEADER._value.get())


def test_a_lost_lease_ends_the_work_and_not_the_process(term: Term) -> None:
    work = Work()
    assert asyncio.run(term.run(work, term.taken)) is True
    assert not work.running
    assert [each["event"] for each in term.events()] == ["lease.failed", "leader.lost"]
    assert leads() == 0


def test_an_ended_leader_leaves_no_figures_behind(term: Term) -> None:
    """They would stay as they are for ever, and alerts with them."""
    asyncio.run(term.run(Work(), term.taken))
    assert not next(iter(metrics.POLICIES.collect())).samples
    assert not next(iter(metrics.CERTIFICATE_EXPIRY.collect())).samples


def test_when_the_end_is_asked_for_nothing_is_lost(term: Term) -> None:
    work = Work()
    assert asyncio.run(term.run(work, asyncio.Event.set)) is True
    assert not work.running
    assert term.events() == []


def test_a_fault_ends_the_process(term: Term) -> None:
    assert asyncio.run(term.run(Work(ZeroDivisionError()), lambda _: None)) is False
    (told,) = term.events()
    assert (told["event"], told["fault"]) == ("fault", "ZeroDivisionError")


def test_who_does_not_come_to_rest_does_not_lead_again(term: Term) -> None:
    assert asyncio.run(term.run(Work(rests=False), term.taken)) is False
    told = term.events()[-1]
    assert (told["event"], told["fault"]) == ("fault", "TimeoutError")
