"""An API server's list and watch, over real TLS, with faults to order.

It speaks the protocol and holds no types: objects are kept by collection, as they are given.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import ssl
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from tests.cluster.certificates import Authority
from verifier_cli.apiserver.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]

# The namespace that the account is of.
OWN = "model-validation-controller"
TOKEN = "the-token"  # noqa: S105
NAMESPACES = "/api/v1/namespaces"
VALIDATIONS = "/apis/ml.sigstore.dev/v1alpha1/modelvalidations"
CLUSTER_VALIDATIONS = "/apis/ml.sigstore.dev/v1alpha1/clustermodelvalidations"
PREDECESSORS = "/apis/rhtas.redhat.com/v1alpha1/modelvalidations"
COLLECTIONS = (NAMESPACES, VALIDATIONS, CLUSTER_VALIDATIONS, PREDECESSORS)


class Event(NamedTuple):
    """What happened in a collection."""

    version: int
    path: str
    line: bytes


class Asked(NamedTuple):
    """A request that arrived."""

    verb: str
    path: str
    query: dict[str, str]
    kind: str | None
    body: bytes


class FakeApi:
    """The server, in a thread of its own; each method may be called from any other thread.

    Attributes:
        asked: every request, oldest first.
        statuses: what to answer instead, by path: a status of HTTP.
        raw: what to answer instead, by path: bytes, with status 200 or the ordered one.
        expire_as_event: says "too old" in the watch, and not by the status of HTTP.
        page: the most objects of one page of a list; None for what the client asks for.
        watch_seconds: ends each watch so soon; None for what the client asks for.
        mute: watches are accepted and say nothing.
        expire_pages: how many more pages after a first one are refused as too old.
    """

    def __init__(self, directory: Path) -> None:
        """Will serve with an authority of its own, kept in `directory`."""
        self.asked: list[Asked] = []
        self.statuses: dict[str, int] = {}
        self.raw: dict[str, bytes] = {}
        self.expire_as_event = False
        self.page: int | None = None
        self.watch_seconds: float | None = None
        self.mute = False
        self.expire_pages = 0
        self._version = 100
        self._oldest = 0
        self._objects: dict[str, dict[tuple[str, str], Json]] = {each: {} for each in COLLECTIONS}
        self._events: list[Event] = []
        self._pages: dict[str, tuple[list[Json], int]] = {}
        self._watching: dict[str, list[web.StreamResponse]] = {each: [] for each in COLLECTIONS}
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Condition()
        self._directory = directory
        self._port = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[Account]:
        """Serves until left; gives the account by which it is asked."""
        authority = Authority.new(self._directory)
        pair = authority.issue("apiserver", hosts=("127.0.0.1",))
        (self._directory / "token").write_text(TOKEN, encoding="ascii")
        (self._directory / "namespace").write_text(OWN, encoding="ascii")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pair.certificate, pair.key)
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            runner = self._call(self._start(tls))
            yield Account(f"https://127.0.0.1:{self._port}", self._directory)
            self.drop()
            self._call(runner.cleanup())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._port

    def put(self, path: str, resource: Json) -> None:
        """Creates or changes an object; also before the server runs."""
        if self._loop.is_running():
            self._call(self._put(path, resource))
        else:
            self._loop.run_until_complete(self._put(path, resource))

    def delete(self, path: str, name: str, namespace: str = "") -> None:
        """Deletes an object."""
        self._call(self._delete(path, (namespace, name)))

    def vanish(self, path: str, name: str, namespace: str = "") -> None:
        """Deletes an object without a word to anybody who watches."""
        del self._objects[path][namespace, name]

    def send(self, path: str, line: bytes) -> None:
        """Sends a raw line to everybody who watches."""
        self._call(self._send(path, line))

    def bookmark(self, path: str) -> None:
        """Tells everybody who watches the version of today, which other collections moved on."""
        self._version += 10
        resource = {"metadata": {"resourceVersion": str(self._version)}}
        event = {"type": "BOOKMARK", "object": resource}
        self.send(path, json.dumps(event).encode() + b"\n")

    def drop(self) -> None:
        """Breaks off all watches."""
        self._call(self._drop())

    def compact(self) -> None:
        """Forgets what happened so far: who did not see it has to list."""
        self._version += 1
        self._oldest = self._version
        self._events.clear()
        self._pages.clear()

    def queries(self, path: str, *, watch: bool) -> list[dict[str, str]]:
        """How a collection was listed or watched so far."""
        return [
            each.query
            for each in list(self.asked)
            if each.path == path and ("watch" in each.query) is watch
        ]

    def _call(self, coroutine: Any) -> Any:  # noqa: ANN401
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _start(self, tls: ssl.SSLContext) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self._port = runner.addresses[0][1]
        return runner

    async def _put(self, path: str, resource: Json) -> None:
        kept = copy.deepcopy(resource)
        metadata = kept["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        kind = "MODIFIED" if key in self._objects[path] else "ADDED"
        self._objects[path][key] = kept
        await self._happen(path, kind, kept)

    async def _delete(self, path: str, key: tuple[str, str]) -> None:
        await self._happen(path, "DELETED", self._objects[path].pop(key))

    async def _happen(self, path: str, kind: str, resource: Json) -> None:
        self._version += 1
        resource["metadata"]["resourceVersion"] = str(self._version)
        line = json.dumps({"type": kind, "object": resource}).encode() + b"\n"
        self._events.append(Event(self._version, path, line))
        async with self._changed:
            self._changed.notify_all()

    async def _send(self, path: str, line: bytes) -> None:
        for each in self._watching[path]:
            await each.write(line)

    async def _drop(self) -> None:
        for watching in self._watching.values():
            for each in watching:
                if each._req is not None and each._req.transport is not None:
                    each._req.transport.abort()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        kind, body = request.headers.get("Content-Type"), await request.read()
        self.asked.append(Asked(request.method, request.path, query, kind, body))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        status = self.statuses.get(request.path)
        if request.path in self.raw:
            raw = self.raw[request.path]
            return web.Response(body=raw, status=status or 200, content_type="application/json")
        if status is not None:
            return _status(status, "Ordered")
        if request.path not in self._objects:
            return _status(404, "NotFound")
        try:
            return await self._watch(request) if "watch" in query else self._list(request)
        except ConnectionError:
            return _status(499, "Gone")  # nobody will read it

    def _list(self, request: web.Request) -> web.Response:
        token = request.query.get("continue")
        if token is None:
            left, version = list(self._objects[request.path].values()), self._version
        elif token in self._pages and not self.expire_pages:
            left, version = self._pages.pop(token)
        else:
            self.expire_pages -= 1
            return _status(410, "Expired")
        most = self.page or int(request.query.get("limit", "500"))
        metadata = {"resourceVersion": str(version)}
        if left[most:]:
            metadata["continue"] = f"{request.path}-{len(self.asked)}"
            self._pages[metadata["continue"]] = (left[most:], version)
        return web.json_response({"kind": "List", "metadata": metadata, "items": left[:most]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        if seen < self._oldest and not self.expire_as_event:
            return _status(410, "Expired")
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        if seen < self._oldest:
            gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
            await answer.write(json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n")
            return answer
        self._watching[request.path].append(answer)
        seconds = self.watch_seconds or float(request.query["timeoutSeconds"])
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._follow(request.path, answer, seen)
        finally:
            self._watching[request.path].remove(answer)
        return answer

    async def _follow(self, path: str, answer: web.StreamResponse, seen: int) -> None:
        while True:
            new = [each for each in self._events if each.path == path and each.version > seen]
            for each in [] if self.mute else new:
                await answer.write(each.line)
                seen = each.version
            async with self._changed:
                await self._changed.wait()


def _status(code: int, reason: str) -> web.Response:
    status = {"kind": "Status", "code": code, "reason": reason, "message": f"it is {reason}"}
    return web.json_response(status, status=code)
