"""The images that `nox -s images` left, and podman to run them; without: skipped, saying why."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from images import bases, tools
from tests.images.containers import Podman

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILT = Path(__file__).parents[2] / "build" / "images"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.images)


@pytest.fixture(scope="session")
def described() -> dict[str, Any]:
    """What images.json says."""
    path = BUILT / "images.json"
    if not path.exists():
        pytest.skip("the images are not built: nox -s images")
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


@pytest.fixture(scope="session")
def podman() -> Podman:
    try:
        return Podman(tools.ready())
    except tools.UnavailableError as error:
        pytest.skip(f"no container can be run: {error}")


@pytest.fixture(scope="session")
def verifier(described: dict[str, Any], podman: Podman) -> str:
    return loaded("verifier", described, podman)


@pytest.fixture(scope="session")
def operator(described: dict[str, Any], podman: Podman) -> str:
    return loaded("operator", described, podman)


def loaded(name: str, described: dict[str, Any], podman: Podman) -> str:
    """The image from its archive."""
    podman("load", "--quiet", "--input", str(BUILT / f"{name}.oci.tar"))
    reference = str(described[name]["reference"])
    found = podman("inspect", "--type=image", "--format={{.Id}}", reference).stdout.strip()
    assert f"sha256:{found}" == described[name]["config"]
    return reference


@pytest.fixture(scope="session")
def workload(podman: Podman) -> str:
    """An image with a shell, for what stands beside the verifier in a pod."""
    return bases.ensure(bases.BUILDER, podman.environment)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that every uid can reach: what a volume of a node is."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
