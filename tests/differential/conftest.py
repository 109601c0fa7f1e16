"""The workbench of the differential tests: keys, an authority and a private sigstore."""

from collections.abc import Iterator

import pytest

from tests.differential.workshop import Bench
from tests.private_sigstore import PrivateSigstore


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with PrivateSigstore() as sigstore:
        yield Bench(tmp_path_factory.mktemp("bench"), sigstore)
