"""The queue: each validation by one worker at a time, and again after a failure."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

from tests.schemas import check_log_lines
from verifier_cli.apiserver.client import ApiError
from verifier_cli.controller import queue as queue_module
from verifier_cli.controller.queue import Queue
from verifier_cli.controller.state import Key
from verifier_cli.host.logs import Log

if TYPE_CHECKING:
    import pytest

KEYS = [Key("ml.sigstore.dev", "ModelValidation", "ns", name) for name in "abc"]


def test_what_is_marked_twice_before_its_turn_has_one() -> None:
    done: list[Key] = []

    async def work(key: Key) -> None:
        done.append(key)

    async def main() -> None:
        queue = Queue(work, Log(io.StringIO()))
        for key in (*KEYS, *KEYS):
            queue.mark(key)
        async with queue.working():
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert sorted(done) == KEYS


def test_what_happens_in_one_moment_has_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "GATHER_SECONDS", 0.01)
    done: list[Key] = []

    async def main() -> None:
        async def work(key: Key) -> None:
            done.append(key)

        queue = Queue(work, Log(io.StringIO()))
        async with queue.working():
            for _ in range(50):
                queue.soon(KEYS[0])
                await asyncio.sleep(0)
            assert not done
            queue.soon(KEYS[1])
            await asyncio.sleep(0.05)
            assert done == KEYS[:2]
            queue.soon(KEYS[0])
            await asyncio.sleep(0.05)

    asyncio.run(main())
    assert done == [*KEYS[:2], KEYS[0]]


def test_one_that_is_marked_while_it_is_worked_at_has_another_turn_afterwards() -> None:
    running: set[Key] = set()
    turns: list[Key] = []

    async def main() -> None:
        async def work(key: Key) -> None:
            assert key not in running
            running.add(key)
            if len(turns) < 2:
                queue.mark(key)
            await asyncio.sleep(0.001)
            running.discard(key)
            turns.append(key)

        queue = Queue(work, Log(io.StringIO()))
        queue.mark(KEYS[0])
        async with queue.working():
            await asyncio.sleep(0.05)

    asyncio.run(main())
    assert turns == [KEYS[0]] * 3


def test_a_failure_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "FIRST_SECONDS", 0.001)
    turns: list[Key] = []
    stream = io.StringIO()

    async def work(key: Key) -> None:
        turns.append(key)
        if len(turns) < 3:
            raise ApiError(0, "", "no answer")

    async def main() -> None:
        queue = Queue(work, Log(stream))
        queue.mark(KEYS[0])
        async with queue.working():
            await asyncio.sleep(0.05)

    asyncio.run(main())
    assert len(turns) == 3
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["event"] for each in told] == ["reconcile.failed"] * 2
    assert "no answer" in told[0]["msg"]


def test_a_bug_with_one_validation_does_not_stop_the_others() -> None:
    done: list[Key] = []
    stream = io.StringIO()

    async def work(key: Key) -> None:
        if key == KEYS[0]:
            raise ZeroDivisionError
        done.append(key)

    async def main() -> None:
        queue = Queue(work, Log(stream))
        for key in KEYS:
            queue.mark(key)
        async with queue.working():
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert sorted(done) == KEYS[1:]
    told = check_log_lines(stream.getvalue())
    assert [each["event"] for each in told] == ["fault", "reconcile.failed"]
    assert told[0]["fault"] == "ZeroDivisionError"


def test_others_have_their_turn_between_two_keys() -> None:
    """Where nothing has changed no work waits for anything."""
    turns: list[object] = []

    async def work(key: Key) -> None:
        turns.append(key)

    async def main() -> None:
        queue = Queue(work, Log(io.StringIO()))
        for number in range(100):
            queue.mark(Key("ml.sigstore.dev", "ModelValidation", "ns", f"v-{number}"))
        async with queue.working():
            while len([each for each in turns if isinstance(each, Key)]) < 100:
                turns.append("other")
                await asyncio.sleep(0)

    asyncio.run(main())
    assert turns.count("other") > 100 / queue_module.WORKERS
