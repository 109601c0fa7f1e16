"""One API server and one node for all tests; skipped, with the reason, where they cannot run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from images.tools import UnavailableError
from tests.cluster import machine
from tests.cluster.controlplane import api_server, restartable
from tests.cluster.existing import IMAGES, KUBECONFIG, Existing, existing
from tests.cluster.installed import ADMISSION, apply, manifests
from tests.cluster.node import Node
from tests.cluster.node import node as one_node
from tests.cluster.product import IMAGES as ARCHIVES
from tests.cluster.product import example, install, inventory, send, volume
from tests.cluster.traces import traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.apiserver import ApiServer

Json = dict[str, object]

# Read here: a test's own environment is without it.
EXISTING = os.environ.get(KUBECONFIG)
PUSHED = os.environ.get(IMAGES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server; whether a node belongs to it is all the same to the test."""
    if EXISTING:
        yield existing(Path(EXISTING), tmp_path_factory.mktemp("server"), PUSHED)
        return
    try:
        with api_server() as running:
            yield running
    except UnavailableError as error:
        pytest.skip(f"no API server: {error}")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A cluster in which pods run."""
    directory = tmp_path_factory.mktemp("node")
    if EXISTING:
        yield existing(Path(EXISTING), directory, PUSHED)
        return
    state = directory / "state"
    try:
        machine.packages()
        before = traces(state)
        with one_node(state) as running:
            yield running
    except UnavailableError as error:
        pytest.skip(f"no node: {error}")
    assert traces(state) == before


@pytest.fixture(scope="session")
def installed(server: ApiServer) -> ApiServer:
    """The API server with the manifests as published, but for what acts on pods."""
    apply(server, [each for each in manifests(server) if each["kind"] not in ADMISSION])
    return server


@pytest.fixture
def restarting_server() -> Iterator[tuple[ApiServer, Callable[[], None]]]:
    """An API server of its own, with the same manifests, and what restarts it."""
    try:
        with restartable() as (server, restart):
            apply(server, [each for each in manifests(server) if each["kind"] not in ADMISSION])
            yield server, restart
    except UnavailableError as error:
        pytest.skip(f"no API server: {error}")


@pytest.fixture
def namespace(server: ApiServer) -> Iterator[str]:
    """A namespace that lets in only what Pod Security calls restricted."""
    yield from made_namespace(server, {"pod-security.kubernetes.io/enforce": "restricted"})


@pytest.fixture
def room(node: Node) -> Iterator[str]:
    """A namespace of the node."""
    yield from made_namespace(node, {})


def made_namespace(server: ApiServer, labels: Json) -> Iterator[str]:
    name = f"test-{uuid4().hex[:8]}"
    metadata = {"name": name, "labels": labels}
    server.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    # An API server alone makes no service account, and a whole cluster may be faster.
    account = ("serviceaccount", "default", f"--namespace={name}")
    server.kubectl("create", *account, check=False)
    server.get(*account)
    yield name
    # Where no controller runs it stays for ever.
    server.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def untouched(node: Node) -> set[tuple[str, str, str]]:
    """Every object of the node before anything of ours came to it."""
    return inventory(node)


@pytest.fixture(scope="session")
def product(node: Node, untouched: set[tuple[str, str, str]]) -> Node:
    """The node with everything installed."""
    assert untouched
    if missing := [str(path) for path in ARCHIVES if not path.exists()]:
        pytest.skip(f"no images: {', '.join(missing)}: run `nox -s images`")
    if isinstance(node, Existing):
        pytest.skip("about a node that the tests start, and this one was there")
    for archive in ARCHIVES:
        node.load(archive)
    install(node)
    return node


@pytest.fixture
def claimed(product: Node, room: str) -> Iterator[str]:
    """A namespace with a volume that its claim can have."""
    product.create(volume(product, room))
    yield room
    product.kubectl("delete", "persistentvolume", room, "--wait=false")


@pytest.fixture
def prepared(product: Node, claimed: str) -> str:
    """A namespace whose claim has the models of examples/prepare.yaml."""
    send(product, example("prepare.yaml", claimed))
    product.wait("condition=Complete", "job/prepare-models", f"--namespace={claimed}")
    return claimed
