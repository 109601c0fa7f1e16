"""What is done in turns: again, sooner after a failure, and at once when it is due."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import TYPE_CHECKING

from tests.schemas import check_log_lines
from tests.unit.controller.api import FakeApi
from tests.unit.controller.test_watches import until
from verifier_cli.apiserver.account import Account
from verifier_cli.apiserver.client import ApiError
from verifier_cli.controller import pauses
from verifier_cli.controller.operator import Operator
from verifier_cli.host.logs import Log

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Turns:
    """Work that is done in turns, of which the first ones fail."""

    def __init__(self, directory: Path, failures: int) -> None:
        directory.joinpath("namespace").write_text("own", encoding="utf-8")
        self.lines = io.StringIO()
        self.times = 0
        self._failures = failures
        account, log = Account("https://127.0.0.1:1", directory), Log(self.lines)
        self.operator = Operator(FakeApi(), account, log, None, 3600)  # type: ignore[arg-type]

    async def work(self) -> None:
        self.times += 1
        if self.times <= self._failures:
            raise ApiError(500, "", "etcdserver: request timed out")

    def run(self, seconds: float, times: int, due: asyncio.Event | None = None) -> list[str]:
        async def main() -> None:
            doing = self.operator._in_turns("resync", self.work, seconds, due)
            running = asyncio.create_task(doing)
            await until(lambda: self.times == times)
            running.cancel()

        asyncio.run(main())
        return [each["msg"] for each in check_log_lines(self.lines.getvalue())]


def test_a_failure_is_no_reason_to_wait_for_the_next_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "FIRST_SECONDS", 0.01)
    told = Turns(tmp_path, failures=3).run(3600, 4)
    waits = [each.split(" seconds: ")[0].rsplit(" ", 1)[1] for each in told]
    assert waits == ["0.01", "0.02", "0.04"]
    assert all(each.endswith("etcdserver: request timed out") for each in told)


def test_turns_that_are_shorter_than_a_pause_stay_so(tmp_path: Path) -> None:
    (told,) = Turns(tmp_path, failures=1).run(0.01, 5)
    assert "again in 0.01 seconds" in told


def test_what_is_due_is_done_at_once(tmp_path: Path) -> None:
    turns = Turns(tmp_path, failures=0)

    async def main() -> None:
        due = asyncio.Event()
        running = asyncio.create_task(turns.operator._in_turns("resync", turns.work, 3600, due))
        for times in (1, 2, 3):
            await until(partial(lambda want: turns.times == want, times))
            due.set()
        running.cancel()

    asyncio.run(main())
