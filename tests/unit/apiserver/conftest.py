"""A fake API server for each test that wants one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakeapi import FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier_cli.apiserver.account import Account


@pytest.fixture
def fake(tmp_path: Path) -> FakeApi:
    directory = tmp_path / "api"
    directory.mkdir()
    return FakeApi(directory)


@pytest.fixture
def account(fake: FakeApi) -> Iterator[Account]:
    with fake.running() as found:
        yield found
