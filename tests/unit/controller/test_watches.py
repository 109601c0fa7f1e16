"""kopf's watches on an API server over TLS: what ends them, and that it is the end of nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakeapi import NAMESPACES, VALIDATIONS
from tests.schemas import check_log_lines
from tests.unit.controller.test_watching import Marks, namespace, resource
from verifier_cli.controller import pauses, watches
from verifier_cli.controller.listing import Collection, collections
from verifier_cli.controller.state import Key, State
from verifier_cli.controller.watches import Watches
from verifier_cli.controller.watching import Watching
from verifier_cli.host.forward import forward_warnings
from verifier_cli.host.logs import Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.fakeapi import FakeApi
    from verifier_cli.apiserver.account import Account

GROUP = "ml.sigstore.dev"
BY_PATH = {each.path: each for each in collections()}
DEMO = Key(GROUP, "ModelValidation", "ns", "demo")


def serve(fake: FakeApi, *there: Collection) -> None:
    """Has the API server say that it has these collections."""
    core = [each for each in there if not each.group]
    ours = [each for each in there if each.group]
    groups = [
        {
            "name": GROUP,
            "versions": [{"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}],
            "preferredVersion": {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"},
        }
    ]
    for path, document in {
        "/api": {"versions": ["v1"]},
        "/api/v1": {"resources": [described(each) for each in core]},
        "/apis": {"groups": groups if ours else []},
        f"/apis/{GROUP}/v1alpha1": {"resources": [described(each) for each in ours]},
    }.items():
        fake.raw[path] = json.dumps(document).encode()


def described(collection: Collection) -> dict[str, Any]:
    verbs = ["get", "list", "watch", "patch"]
    names = {"name": collection.plural, "kind": collection.kind, "singularName": "", "verbs": verbs}
    return {**names, "namespaced": collection.kind != "Namespace"}


class Running:
    """Watches at work."""

    def __init__(self, fake: FakeApi, account: Account) -> None:
        self.lines = io.StringIO()
        self.state, self.relisted, self.signals = State(), 0, 0
        self.fake = fake
        marks, log = Marks(), Log(self.lines)
        self.watching = Watching(self.state, marks, lambda _: None)  # type: ignore[arg-type]
        self.watches = Watches(account, self.watching, log, self._relist)
        forward_warnings(log)

    def _relist(self) -> None:
        self.relisted += 1

    def _signals(self) -> None:
        self.signals += 1

    def lists(self, **there: bool) -> None:
        """A listing finds some to be there, and others not."""
        paths = {"namespaces": NAMESPACES, "validations": VALIDATIONS}
        serve(self.fake, *(BY_PATH[paths[name]] for name, is_there in there.items() if is_there))
        self.watching.listed |= {BY_PATH[paths[name]]: there[name] for name in there}
        self.watches.listed()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.watches.run(self._signals))
        try:
            yield
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.wait([running])
            # A connection is closed in one of the next turns.
            await asyncio.sleep(0.05)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [each for each in left if "kopf" in repr(each.get_coro())]

    def told(self) -> list[dict[str, Any]]:
        return check_log_lines(self.lines.getvalue())


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  (what is waited for is in another thread)
            await asyncio.sleep(0.01)


@pytest.fixture
def running(fake: FakeApi, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(pauses, "FIRST_SECONDS", 0.01)
    fake.watch_seconds = 60
    before = [*logging.getLogger().handlers]
    yield Running(fake, account)
    logging.getLogger().handlers[:] = before


def test_a_kind_that_appears_is_watched(running: Running) -> None:
    async def main() -> None:
        async with running.at_work():
            running.lists(namespaces=True, validations=False)
            running.fake.put(NAMESPACES, namespace("a"))
            await until(lambda: "a" in running.state.namespaces)
            assert not running.fake.queries(VALIDATIONS, watch=True)
            running.lists(namespaces=True, validations=True)
            await until(lambda: running.fake.queries(VALIDATIONS, watch=True))
            running.fake.put(VALIDATIONS, resource(DEMO))
            running.fake.put(NAMESPACES, namespace("b"))
            await until(lambda: DEMO in running.state.validations)
            await until(lambda: "b" in running.state.namespaces)
            before = running.signals
            # The same once more is no news.
            running.lists(namespaces=True, validations=True)
            await asyncio.sleep(0.05)
            assert running.signals == before == 2

    asyncio.run(main())
    events = [(each["event"], each["resource"]) for each in running.told()]
    name = "modelvalidations.ml.sigstore.dev"
    assert events == [("watch.lost", name), ("watch.resumed", name)]


def test_whatever_ends_a_watch_it_begins_anew(running: Running) -> None:
    async def main() -> None:
        async with running.at_work():
            running.lists(namespaces=True)
            for times, name in enumerate("ab", start=1):
                await until(lambda: len(running.fake._watching[NAMESPACES]) == 1)
                status = {"kind": "Status", "code": 500, "message": "etcdserver: timed out"}
                line = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
                running.fake.send(NAMESPACES, line)
                await until(partial(lambda want: running.relisted == want, times))
                running.lists(namespaces=True)
                running.fake.put(NAMESPACES, namespace(name))
                await until(partial(running.state.namespaces.__contains__, name))

    asyncio.run(main())
    assert running.signals == 3
    told = running.told()
    assert [each["event"] for each in told] == ["work.failed"] * 2
    assert "begins anew in 0.01 seconds: WatchingError" in told[0]["msg"]
    assert "begins anew in 0.02 seconds" in told[1]["msg"]
    assert "etcdserver: timed out" in told[0]["msg"]


def test_the_other_watches_end_and_what_else_the_process_does_goes_on(running: Running) -> None:
    """kopf leaves the ones behind, and takes all that was begun after it for its own."""

    async def main() -> None:
        async with running.at_work():
            running.lists(namespaces=True, validations=True)
            await until(lambda: running.fake._watching[VALIDATIONS])
            await until(lambda: running.fake._watching[NAMESPACES])
            other = asyncio.create_task(asyncio.sleep(60))
            running.fake.statuses[NAMESPACES] = 404
            running.fake.drop()
            await until(lambda: running.relisted)
            names = [each.get_name() for each in asyncio.all_tasks()]
            assert not [each for each in names if "watcher" in each]
            assert not other.done()
            other.cancel()

    asyncio.run(main())


def test_pauses() -> None:
    found = [pauses.pause(before, 60) for before in range(6)]
    assert found == [5, 10, 20, 40, 60, 60]
    assert pauses.pause(10**6, 300) == 300
    assert pauses.pause(0, 2) == 2


def test_what_fails_because_it_is_ended_has_not_failed() -> None:
    """asyncio tells of an exception that nobody asked for, when its task is collected."""
    said: list[dict[str, Any]] = []

    async def refuses() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("Session is closed") from None

    async def ended() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        tasks = [asyncio.create_task(refuses()), asyncio.create_task(asyncio.sleep(60))]
        await asyncio.sleep(0)
        await watches._end(tasks)
        tasks.clear()
        gc.collect()

    asyncio.run(ended())
    assert not said


def test_a_stream_that_the_loop_closes_at_its_end_is_no_fault() -> None:
    """kopf leaves the streams of watches that were broken off to the loop."""
    stream = io.StringIO()
    forward_warnings(Log(stream))
    watches._settings([])

    async def endless() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise RuntimeError("generator didn't stop after athrow()")

    async def broken_off() -> None:
        left.append(endless())
        await anext(left[0])

    left: list[AsyncIterator[int]] = []
    asyncio.run(broken_off())
    assert check_log_lines(stream.getvalue()) == []
