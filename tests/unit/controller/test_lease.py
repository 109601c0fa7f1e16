"""The lease: of several controllers one is at work, whatever their clocks say."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

from tests.unit.controller.api import FakeApi
from verifier_cli.controller import lease as lease_module
from verifier_cli.controller.lease import ANSWER, DEADLINE, LASTS, NAME, RENEWS, Lease
from verifier_cli.host.logs import Log

if TYPE_CHECKING:
    import pytest

PATH = f"/apis/coordination.k8s.io/v1/namespaces/ns/leases/{NAME}"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lease(api: FakeApi, holder: str, clock: Clock) -> Lease:
    return Lease(api, "ns", holder, clock, Log(io.StringIO()))  # type: ignore[arg-type]  # the same interface


def held(api: FakeApi) -> str:
    return str(api.objects[PATH]["spec"]["holderIdentity"])


def attempt(one: Lease) -> bool:
    return asyncio.run(one.attempt())


def test_the_first_has_it_and_the_second_waits() -> None:
    api, clock = FakeApi(), Clock()
    first, second = lease(api, "a", clock), lease(api, "b", clock)
    assert attempt(first)
    assert not attempt(second)
    assert attempt(first)
    assert held(api) == "a"


def test_it_is_taken_only_after_it_was_seen_unrenewed_for_long_enough() -> None:
    """Time is measured by the one who waits: the holder's clock may be years off."""
    api, clock = FakeApi(), Clock()
    assert attempt(lease(api, "a", clock))
    api.objects[PATH]["spec"]["renewTime"] = "1999-01-01T00:00:00.000000Z"
    second = lease(api, "b", clock)
    assert not attempt(second)
    clock.now += LASTS - 1
    assert not attempt(second)
    clock.now += 2
    assert attempt(second)
    assert held(api) == "b"
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


def test_one_that_is_renewed_stays() -> None:
    api, clock = FakeApi(), Clock()
    first, second = lease(api, "a", clock), lease(api, "b", clock)
    for _ in range(10):
        assert attempt(first)
        assert not attempt(second)
        clock.now += LASTS - 1


def test_of_two_who_take_it_at_once_one_is_refused() -> None:
    api, clock = FakeApi(), Clock()
    first = lease(api, "a", clock)
    assert attempt(first)
    # As if somebody wrote between reading and writing.
    api.failing[PATH] = 409
    assert not attempt(first)


def test_without_an_answer_it_is_not_ours() -> None:
    api, clock = FakeApi(), Clock()
    api.failing[PATH] = 0
    assert not attempt(lease(api, "a", clock))


def test_to_renew_it_is_one_request_and_after_a_failure_two() -> None:
    api, clock = FakeApi(), Clock()
    first = lease(api, "a", clock)
    assert attempt(first)
    api.asked.clear()
    assert attempt(first)
    assert api.asked == [("PUT", PATH)]
    # Somebody wrote meanwhile: once refused, it looks again.
    api.objects[PATH]["metadata"]["resourceVersion"] = "another"
    assert not attempt(first)
    api.asked.clear()
    assert attempt(first)
    assert api.asked == [("GET", PATH), ("PUT", PATH)]


def test_what_is_held_ends_before_another_can_have_it() -> None:
    """Even if the last attempt begins as late, and takes as long, as it can."""
    assert DEADLINE + ANSWER < LASTS
    assert RENEWS + ANSWER < DEADLINE


def test_an_answer_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "ANSWER", 0.01)

    class Silent(FakeApi):
        async def get(self, path: str, **query: str) -> dict[str, Any]:
            await asyncio.sleep(60)
            return await super().get(path, **query)

    one = lease(Silent(), "a", Clock())
    assert not attempt(one)
    asyncio.run(one.release())


def test_it_is_kept_only_from_when_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal whose answer took its time is as old as the question."""
    monkeypatch.setattr(lease_module, "RENEWS", 0.001)
    clock = Clock()

    class Slow(FakeApi):
        async def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            clock.now += DEADLINE
            return await super().replace(path, body)

    api = Slow()
    one = lease(api, "a", clock)
    assert attempt(one)
    asyncio.run(asyncio.wait_for(one.keep(), 10))
    assert api.asked.count(("PUT", PATH)) == 1


def test_it_ends_at_once_when_another_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "RENEWS", 0.001)
    api, clock = FakeApi(), Clock()
    one = lease(api, "a", clock)
    assert attempt(one)
    api.objects[PATH]["spec"]["holderIdentity"] = "b"
    api.objects[PATH]["metadata"]["resourceVersion"] = "another"
    asyncio.run(asyncio.wait_for(one.keep(), 10))
    assert clock.now == 0
    clock.now += LASTS
    assert attempt(one)
    assert held(api) == "a"


def test_given_up_it_is_free_at_once() -> None:
    api, clock = FakeApi(), Clock()
    first = lease(api, "a", clock)
    assert attempt(first)
    asyncio.run(first.release())
    assert attempt(lease(api, "b", clock))
    asyncio.run(first.release())
    assert held(api) == "b"
    api.failing[PATH] = 0
    asyncio.run(first.release())


def test_a_renewal_that_was_under_way_does_not_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    api, clock = FakeApi(), Clock()
    one = lease(api, "a", clock)
    assert attempt(one)
    get = api.get

    async def renewed_after_it_was_read(path: str, **query: str) -> dict[str, Any]:
        found = await get(path, **query)
        monkeypatch.setattr(api, "get", get)
        await api.replace(path, found)
        return found

    monkeypatch.setattr(api, "get", renewed_after_it_was_read)
    asyncio.run(one.release())
    assert held(api) == ""


def test_it_waits_for_its_turn_and_ends_its_term(monkeypatch: pytest.MonkeyPatch) -> None:
    api, clock = FakeApi(), Clock()
    monkeypatch.setattr(lease_module, "RENEWS", 0.001)
    first, second = lease(api, "a", clock), lease(api, "b", clock)

    async def term() -> None:
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        keeping = asyncio.create_task(first.keep())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        api.failing[PATH] = 0
        clock.now += LASTS
        await keeping
        del api.failing[PATH]
        while not waiting.done():
            clock.now += 1
            await asyncio.sleep(0.002)

    asyncio.run(asyncio.wait_for(term(), 10))
    assert held(api) == "b"
