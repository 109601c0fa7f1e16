"""Measures the webhook: `nox -s bench -- admission`.

The real process, pinned to one CPU, over real TLS; the client on the other. Every answer is
compared byte for byte with what it must be. This measures and never judges: what is wanted is in
docs/performance.md.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvloop

from benchmarks.reviews import NAMESPACES, UID, VALIDATIONS, Case, cases, namespace, validation
from tests import fakeapi
from tests.fakeapi import FakeApi
from tests.webhooks import Serving, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.webhooks import Webhook

CONNECTIONS = 64
ADMISSIONS = 100_000
RATES = (100, 500)
RATE_SECONDS = 20


class Client(asyncio.Protocol):
    """One connection that is kept; sends a request at a time and checks the answer."""

    def __init__(self) -> None:
        """Starts without a connection."""
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._body = b""
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """A request under way got no answer."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionError("closed without an answer"))

    def data_received(self, data: bytes) -> None:
        """Takes part of an answer, and checks it once it is whole."""
        self._buffer += data
        at = self._buffer.find(b"\r\n\r\n") + 4
        if at < 4 or len(self._buffer) < at + len(self._body):  # noqa: PLR2004
            return
        if self._done is None or self._done.done():
            raise ValueError("an answer that nobody asked for")
        if self._buffer.startswith(b"HTTP/1.1 200 ") and self._buffer[at:] == self._body:
            self._done.set_result(None)
        else:
            self._done.set_exception(ValueError(f"a wrong answer: {bytes(self._buffer)!r}"))

    async def ask(self, case: Case, uid: bytes) -> None:
        """One admission; raises if the answer is not what it must be, or none comes."""
        if self._transport.is_closing():
            raise ConnectionError("the server closed an idle connection")
        self._buffer.clear()
        self._body = case.answer(uid)
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(case.request(uid))
        await self._done

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()


async def connect(running: Webhook, count: int) -> list[Client]:
    """Opens connections."""
    loop, tls = asyncio.get_running_loop(), running.serving.trusting()
    opened = [
        await loop.create_connection(
            Client, "127.0.0.1", running.port, ssl=tls, server_hostname="127.0.0.1"
        )
        for _ in range(count)
    ]
    return [client for _, client in opened]


def uids() -> Iterator[bytes]:
    """One for each admission."""
    for number in itertools.count():
        yield b"%08x" % number + UID[8:]


async def saturate(running: Webhook, every: list[Case], admissions: int) -> tuple[float, float]:
    """As fast as it goes; admissions a second, and a second of the server's CPU.

    The second figure is what the first would be if nobody else used the CPU.
    """
    clients = await connect(running, CONNECTIONS)
    left = iter(range(admissions))
    names, mixed = uids(), itertools.cycle(every)

    async def work(client: Client) -> None:
        for _ in left:
            await client.ask(next(mixed), next(names))

    started, used = time.perf_counter(), cpu(running.process.pid)
    await asyncio.gather(*(work(client) for client in clients))
    seconds, busy = time.perf_counter() - started, cpu(running.process.pid) - used
    for client in clients:
        client.close()
    return admissions / seconds, admissions / busy


async def steady(running: Webhook, every: list[Case], rate: int) -> tuple[float, float]:
    """At a constant rate, whatever the answers take; median and 99th percentile in ms."""
    clients = await connect(running, CONNECTIONS)
    idle: asyncio.Queue[Client] = asyncio.Queue()
    for client in clients:
        idle.put_nowait(client)
    took: list[float] = []
    names, mixed = uids(), itertools.cycle(every)

    async def one(due: float) -> None:
        client = await idle.get()
        await client.ask(next(mixed), next(names))
        took.append(time.perf_counter() - due)
        idle.put_nowait(client)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(rate * RATE_SECONDS):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(one(due))
    for client in clients:
        client.close()
    cuts = statistics.quantiles(took, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def cpu(pid: int) -> float:
    """Seconds of CPU that a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> tuple[float, float]:
    """MiB that a process holds now, and held at most."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = dict(line.split(":", 1) for line in status.splitlines())
    now, most = (int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def measure(*, scale: float = 1.0) -> list[list[str]]:
    """All rows: what, figure, target."""
    cpus = sorted(os.sched_getaffinity(0))
    server, client = cpus[0], cpus[-1]
    os.sched_setaffinity(0, {client})
    every = cases()
    size = round(statistics.mean(len(each.request(UID)) for each in every))
    admissions = max(1000, int(ADMISSIONS * scale))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "api").mkdir()
        (directory / "serving").mkdir()
        fake = FakeApi(directory / "api")
        for number in range(NAMESPACES):
            fake.put(fakeapi.NAMESPACES, namespace(number))
        for number in range(VALIDATIONS):
            fake.put(fakeapi.VALIDATIONS, validation(number))
        serving, pinned = Serving.new(directory / "serving"), ("taskset", "-c", str(server))
        with fake.running() as account, webhook(account, serving, pinned) as running:
            running.wait_until_ready()
            before, _ = memory(running.process.pid)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(saturate(running, every, 2000))
                rate, busy = runner.run(saturate(running, every, admissions))
                delays = [(each, *runner.run(steady(running, every, each))) for each in RATES]
            now, most = memory(running.process.pid)
            asked = running.count("admission.decided")
    total = 2000 + admissions + sum(RATES) * RATE_SECONDS
    if asked != total:
        raise SystemExit(f"{total} admissions were asked for, and {asked} were logged")
    return [
        [f"{admissions} admissions of {size} bytes, 64 connections", f"{rate:.0f}/s", ">= 4000/s"],
        ["the same, by the server's CPU time", f"{busy:.0f}/s", "-"],
        *(
            [f"{each}/s: median, 99th percentile", f"{median:.2f} ms, {high:.2f} ms", target]
            for (each, median, high), target in zip(delays, ("-", "p99 < 5 ms"), strict=False)
        ),
        ["memory: idle, after, at most", f"{before:.0f}, {now:.0f}, {most:.0f} MiB", "<= 80 MiB"],
        ["CPUs: server, client", f"{server}, {client}", "not the same"],
    ]
