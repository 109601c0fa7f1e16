"""One API server for all tests; skipped, with the reason, where it cannot be built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from images.tools import UnavailableError
from tests.cluster.apiserver import ApiServer, api_server

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def server() -> Iterator[ApiServer]:
    try:
        with api_server() as running:
            yield running
    except UnavailableError as error:
        pytest.skip(f"no API server: {error}")


@pytest.fixture
def namespace(server: ApiServer) -> str:
    """A namespace that lets in only what Pod Security calls restricted."""
    name = f"test-{uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    server.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    )
    account = {"name": "default", "namespace": name}
    server.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    return name
