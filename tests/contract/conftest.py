"""What the contract tests share."""

from collections.abc import Iterator

import pytest

from tests.private_sigstore import PrivateSigstore


@pytest.fixture(scope="session")
def sigstore() -> Iterator[PrivateSigstore]:
    with PrivateSigstore() as instance:
        yield instance
