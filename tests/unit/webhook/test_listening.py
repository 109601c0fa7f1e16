from __future__ import annotations

import contextlib
import socket

import pytest

from verifier_cli.webhook.server import listen, port_of


@pytest.mark.parametrize("address", [None, "127.0.0.1"])
def test_it_is_reached_by_ipv4(address: str | None) -> None:
    with contextlib.closing(listen(address, 0)) as listening:
        socket.create_connection(("127.0.0.1", port_of(listening))).close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
@pytest.mark.parametrize("address", [None, "::1"])
def test_it_is_reached_by_ipv6(address: str | None) -> None:
    with contextlib.closing(listen(address, 0)) as listening:
        socket.create_connection(("::1", port_of(listening))).close()


def test_an_address_of_its_own_is_no_other() -> None:
    with (
        contextlib.closing(listen("127.0.0.1", 0)) as listening,
        pytest.raises(ConnectionRefusedError),
    ):
        socket.create_connection(("127.0.0.2", port_of(listening)))
