"""Whatever happens to a watch, nothing that happened in the cluster is missed for good."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakeapi import VALIDATIONS, FakeApi
from tests.schemas import check_log_lines
from tests.unit.webhook.objects import resource
from verifier_cli.apiserver.client import Api
from verifier_cli.host.logs import Log
from verifier_cli.webhook.watch import Collection, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

    from verifier_cli.apiserver.account import Account

Json = dict[str, Any]
COLLECTION = Collection("modelvalidations.ml.sigstore.dev", VALIDATIONS)


class Recorder:
    """A sink that knows the names of what is there."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.bug = False

    def replace(self, objects: Iterable[object], /) -> None:
        self.names = {_name(each) for each in objects}

    def put(self, resource: object, /) -> None:
        if self.bug:
            self.bug = False
            raise ZeroDivisionError
        self.names.add(_name(resource))

    def remove(self, resource: object, /) -> None:
        self.names.discard(_name(resource))


def _name(resource: Any) -> str:  # noqa: ANN401
    return str(resource["metadata"]["name"])


class Watching:
    """A watch that runs, and what came of it."""

    def __init__(self, watch: Watch, sink: Recorder, stream: io.StringIO) -> None:
        self.watch = watch
        self.sink = sink
        self._stream = stream

    async def until(self, *names: str) -> None:
        await until(lambda: self.watch.synced and self.sink.names == set(names))

    def events(self) -> list[str]:
        return [line["event"] for line in check_log_lines(self._stream.getvalue())]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  (nothing there tells when)
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def watching(account: Account, **options: float) -> AsyncIterator[Watching]:
    stream, sink = io.StringIO(), Recorder()
    async with Api(account) as api:
        watch = Watch(api, COLLECTION, sink, Log(stream), **options)
        running = asyncio.create_task(watch.run())
        try:
            yield Watching(watch, sink, stream)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def test_it_lists_by_pages_and_watches_from_there(fake: FakeApi, account: Account) -> None:
    for name in "abcde":
        fake.put(VALIDATIONS, resource(name))
    fake.page = 2

    async def body() -> None:
        async with watching(account) as found:
            await found.until("a", "b", "c", "d", "e")
            fake.put(VALIDATIONS, resource("f"))
            await found.until("a", "b", "c", "d", "e", "f")
            assert found.watch.fault() is None

    run(body())
    pages = fake.queries(VALIDATIONS, watch=False)
    assert ["continue" in page for page in pages] == [False, True, True]
    (asked,) = fake.queries(VALIDATIONS, watch=True)
    assert asked["resourceVersion"] == "105"
    assert asked["allowWatchBookmarks"] == "true"


def test_it_follows_what_is_created_changed_and_deleted(fake: FakeApi, account: Account) -> None:
    fake.put(VALIDATIONS, resource("a"))

    async def body() -> None:
        async with watching(account) as found:
            await found.until("a")
            fake.put(VALIDATIONS, resource("b"))
            fake.put(VALIDATIONS, resource("b", mode="warn"))
            fake.delete(VALIDATIONS, "a", "ns")
            await found.until("b")

    run(body())


def test_after_a_drop_it_resumes_where_it_was(fake: FakeApi, account: Account) -> None:
    async def body() -> None:
        async with watching(account) as found:
            await found.until()
            fake.put(VALIDATIONS, resource("a"))
            await found.until("a")
            fake.drop()
            fake.put(VALIDATIONS, resource("b"))
            fake.delete(VALIDATIONS, "a", "ns")
            await found.until("b")
            assert found.events() == ["watch.synced", "watch.lost", "watch.resumed"]
            assert found.watch.relists == 0

    run(body())
    assert len(fake.queries(VALIDATIONS, watch=False)) == 1
    assert fake.queries(VALIDATIONS, watch=True)[-1]["resourceVersion"] == "101"


def test_it_resumes_from_a_bookmark(fake: FakeApi, account: Account) -> None:
    async def body() -> None:
        async with watching(account) as found:
            await found.until()
            await until(lambda: bool(fake.queries(VALIDATIONS, watch=True)))
            fake.bookmark(VALIDATIONS)
            fake.put(VALIDATIONS, resource("a"))
            await found.until("a")
            fake.bookmark(VALIDATIONS)
            fake.drop()
            fake.put(VALIDATIONS, resource("b"))
            await found.until("a", "b")

    run(body())
    assert fake.queries(VALIDATIONS, watch=True)[-1]["resourceVersion"] in ("111", "121")


@pytest.mark.parametrize("as_event", [False, True])
def test_what_is_too_old_is_listed_anew_and_what_vanished_goes(
    fake: FakeApi, account: Account, *, as_event: bool
) -> None:
    fake.expire_as_event = as_event
    fake.put(VALIDATIONS, resource("a"))
    fake.put(VALIDATIONS, resource("b"))

    async def body() -> None:
        async with watching(account) as found:
            await found.until("a", "b")
            fake.statuses[VALIDATIONS] = 500
            fake.drop()
            fake.vanish(VALIDATIONS, "a", "ns")
            fake.compact()
            del fake.statuses[VALIDATIONS]
            await found.until("b")
            assert found.watch.relists == 1
            fake.put(VALIDATIONS, resource("c"))
            await found.until("b", "c")

    run(body())


def test_a_list_that_got_too_old_between_its_pages_starts_over(
    fake: FakeApi, account: Account
) -> None:
    for name in "abc":
        fake.put(VALIDATIONS, resource(name))
    fake.page, fake.expire_pages = 1, 1

    async def body() -> None:
        async with watching(account) as found:
            await found.until("a", "b", "c")

    run(body())
    pages = fake.queries(VALIDATIONS, watch=False)
    assert ["continue" in page for page in pages] == [False, True, False, True, True]


@pytest.mark.parametrize("line", [b"{]\n", b'{"type": "ADDED", "obj', b"\xff\n", b"[]\n", b"5\n"])
def test_garbage_costs_nothing(fake: FakeApi, account: Account, line: bytes) -> None:
    async def body() -> None:
        async with watching(account) as found:
            await found.until()
            fake.put(VALIDATIONS, resource("a"))
            await found.until("a")
            fake.send(VALIDATIONS, line)
            fake.drop()
            fake.put(VALIDATIONS, resource("b"))
            await found.until("a", "b")
            assert "fault" not in found.events()

    run(body())


EVENTS: list[Json] = [
    {"type": "ERROR", "object": {"kind": "Status", "code": 500}},
    {"type": "ERROR"},
    {"type": "EVICTED", "object": {"metadata": {"resourceVersion": "900"}}},
    {"type": "ADDED", "object": resource("x")},
    {"type": "ADDED", "object": []},
    {"object": {"metadata": {"resourceVersion": "900"}}},
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_that_is_not_understood_is_made_up_for_by_a_list(
    fake: FakeApi, account: Account, event: Json
) -> None:
    async def body() -> None:
        async with watching(account) as found:
            await found.until()
            fake.put(VALIDATIONS, resource("a"))
            await found.until("a")
            fake.send(VALIDATIONS, json.dumps(event).encode() + b"\n")
            await until(lambda: found.watch.relists == 1)
            fake.put(VALIDATIONS, resource("b"))
            await found.until("a", "b")

    run(body())


def test_a_bug_in_the_sink_is_told_and_made_up_for(fake: FakeApi, account: Account) -> None:
    async def body() -> None:
        async with watching(account) as found:
            await found.until()
            found.sink.bug = True
            fake.put(VALIDATIONS, resource("a"))
            await found.until("a")
            assert found.events()[:3] == ["watch.synced", "fault", "watch.lost"]
            assert found.watch.relists == 1

    run(body())


def test_a_kind_that_is_not_there_is_not_synced(fake: FakeApi, account: Account) -> None:
    fake.statuses[VALIDATIONS] = 404

    async def body() -> None:
        async with watching(account) as found:
            await until(lambda: len(fake.asked) > 1)
            fault = found.watch.fault()
            assert fault == "modelvalidations.ml.sigstore.dev are not listed yet"
            # Once, however often it was tried.
            assert found.events() == ["watch.lost"]
            del fake.statuses[VALIDATIONS]
            await found.until()
            assert found.watch.fault() is None
            fake.statuses[VALIDATIONS] = 404
            fake.drop()
            await until(lambda: found.watch.fault() == fault)

    run(body())


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_what_is_known_holds_while_nobody_answers(
    fake: FakeApi, account: Account, status: int
) -> None:
    fake.put(VALIDATIONS, resource("a"))

    async def body() -> None:
        async with watching(account) as found:
            await found.until("a")
            before = len(fake.asked)
            fake.statuses[VALIDATIONS] = status
            fake.drop()
            await until(lambda: len(fake.asked) > before + 1)
            assert (found.sink.names, found.watch.fault()) == ({"a"}, None)

    run(body())


def test_without_news_for_long_nothing_is_decided(fake: FakeApi, account: Account) -> None:
    fake.mute = True

    async def body() -> None:
        async with watching(account, stale_seconds=0.0) as found:
            await found.until()
            fault = "there is no news of modelvalidations.ml.sigstore.dev"
            await until(lambda: found.watch.fault() == fault)
            assert found.watch.age() > 0

    run(body())


def test_the_end_of_a_watch_is_a_word_too(fake: FakeApi, account: Account) -> None:
    fake.watch_seconds = 0.01

    async def body() -> None:
        async with watching(account) as found:
            await until(lambda: len(fake.queries(VALIDATIONS, watch=True)) > 2)
            found.watch._heard -= 1000
            await until(lambda: found.watch.age() < 1000)
            assert found.events() == ["watch.synced"]

    run(body())
    assert len(fake.queries(VALIDATIONS, watch=False)) == 1
