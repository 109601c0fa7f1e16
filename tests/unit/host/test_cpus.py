"""As many threads as the cgroup really grants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.signing import write_tree
from verifier_cli.host import cpus

if TYPE_CHECKING:
    from pathlib import Path

MANY = 64
V1 = "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


@pytest.fixture(autouse=True)
def a_large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(MANY)), raising=False)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, MANY),
        ({"cpu.max": "max 100000\n"}, MANY),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "900000000 100000\n"}, MANY),
        ({"cpu.max": "100000 0\n"}, MANY),
        ({"cpu.max": "0 100000\n"}, MANY),
        ({"cpu.max": "nonsense\n"}, MANY),
        ({"cpu.max": ""}, MANY),
        ({V1[0]: "300000\n", V1[1]: "100000\n"}, 3),
        ({V1[0]: "-1\n", V1[1]: "100000\n"}, MANY),
        ({V1[0]: "300000\n"}, MANY),
        ({"cpu.max": "nonsense", V1[0]: "300000\n", V1[1]: "100000\n"}, 3),
    ],
)
def test_the_quota(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    write_tree(tmp_path, {name: text.encode() for name, text in files.items()})
    assert cpus.granted(str(tmp_path)) == expected


def test_the_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    write_tree(tmp_path, {"cpu.max": b"200000 100000\n"})
    assert cpus.granted(str(tmp_path)) == 1


@pytest.mark.parametrize(("count", "expected"), [(5, 5), (None, 1)])
def test_a_system_without_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int | None, expected: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert cpus.granted(str(tmp_path)) == expected


def test_here() -> None:
    assert 1 <= cpus.granted() <= MANY
