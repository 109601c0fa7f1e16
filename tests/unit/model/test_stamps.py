"""A stamp changes with each change, and is taken when the clock has moved on from the last one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from verifier_cli.model.stamps import TICK_SECONDS, settled, sizes_of, stamp

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_stamp_tells_a_change(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"1")
    before = stamp(path.stat())
    assert stamp(path.stat()) == before
    path.write_bytes(b"22")
    assert stamp(path.stat()) != before
    assert list(sizes_of(stamp(path.stat()) + bytes(40))) == [2, 0]


def test_a_file_that_was_just_changed_is_waited_for(tmp_path: Path) -> None:
    """A second change in the same tick of the clock would leave the same stamp."""
    path = tmp_path / "f"
    path.write_bytes(b"1")
    with path.open("rb") as file:
        status = settled(file.fileno())
    assert status is not None
    assert time.time_ns() - status.st_ctime_ns >= TICK_SECONDS * 1e9


def test_a_file_at_rest_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"1")
    time.sleep(2 * TICK_SECONDS)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with path.open("rb") as file:
        assert settled(file.fileno()) == os.fstat(file.fileno())
    assert not waits


def test_what_is_changed_all_the_time_never_settles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"1")
    sleep = time.sleep

    def meanwhile(seconds: float) -> None:
        sleep(seconds)
        path.chmod(0o600)

    monkeypatch.setattr(time, "sleep", meanwhile)
    with path.open("rb") as file:
        assert settled(file.fileno()) is None
