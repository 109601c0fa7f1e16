"""Nobody shuts others out by connections that ask for nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.fakeapi import NAMESPACES, VALIDATIONS, FakeApi
from tests.unit.webhook.objects import labelled, namespace, resource, review
from tests.webhooks import JSON, SECONDS, Serving, Webhook, exchange, webhook
from verifier_cli.webhook.server import CONNECTIONS, Server, listen, port_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier_cli.apiserver.account import Account

MUTATE = "/mutate-v1-pod"
REVIEW = json.dumps(review(labelled())).encode()
MORE = 88
STARTS = {
    "without a request": b"",
    "with half a request": b"POST /mutate-v1-pod HTTP/1.1\r\nHost:",
    "refused, and not let go": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.fixture
def running(fake: FakeApi, account: Account, tmp_path: Path) -> Iterator[Webhook]:
    fake.put(NAMESPACES, namespace())
    fake.put(VALIDATIONS, resource())
    with webhook(account, Serving.new(tmp_path)) as started:
        started.wait_until_ready()
        yield started


@pytest.mark.parametrize("start", STARTS)
def test_a_crowd_shuts_nobody_out(running: Webhook, start: str) -> None:
    context = running.serving.trusting()
    with contextlib.ExitStack() as opened:
        crowd: list[ssl.SSLSocket] = []
        for _ in range(CONNECTIONS + MORE):
            plain = socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS)
            crowd.append(
                opened.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            )
            crowd[-1].sendall(STARTS[start])
        with contextlib.closing(running.connect()) as kept:
            assert exchange(kept, "POST", MUTATE, REVIEW, **JSON).status == 200
            ours = kept.sock
            assert running.review(review(labelled()))["allowed"] is True
            # What waited longest made room, and nothing else did.
            for each in crowd[:MORE]:
                assert ended(each)
            if not STARTS[start].startswith(b"GET"):
                assert not ended(crowd[MORE + 2])
                assert not ended(crowd[-1])
            assert exchange(kept, "POST", MUTATE, REVIEW, **JSON).status == 200
            assert kept.sock is ours


def ended(connection: ssl.SSLSocket) -> bool:
    """Whether the other side has closed a connection."""
    connection.settimeout(0.2)
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return False
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return True


class Busy:
    """An application that answers when it is told to, on two connections at most."""

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.done = asyncio.Event()
        self.server = Server(self._answer, connections=2)
        self._listening = listen("127.0.0.1", 0)
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self.server.serve([self._listening]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.done.set()
        for writer in self._writers:
            writer.close()
        self.server.should_exit = True
        await self._serving

    async def _answer(self, _scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401
        self.asked.release()
        await self.done.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def connect(self, data: bytes = b"") -> asyncio.StreamReader:
        port = port_of(self._listening)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        await writer.drain()
        self._writers.append(writer)
        return reader


ASK = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_who_is_being_answered_is_not_closed_for_others() -> None:
    async def scenario() -> list[bytes]:
        async with Busy() as busy:
            first = await busy.connect(ASK)
            await busy.asked.acquire()
            second = await busy.connect(ASK)
            await busy.asked.acquire()
            with contextlib.suppress(ConnectionResetError):
                third = await busy.connect()
                assert await third.read() == b""
            busy.done.set()
            return [await first.read(), await second.read()]

    for answer in asyncio.run(scenario()):
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_there_is_room_again_after_an_answer() -> None:
    async def scenario() -> None:
        async with Busy() as busy:
            busy.done.set()
            for _ in range(20):
                answer = await (await busy.connect(ASK)).read()
                assert answer.startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())
