"""The pods' network: a bridge on this machine, without a way out.

There is no kube-proxy and no DNS. Of the Services only the API server's routes from pods; the API
server itself reaches the others by their endpoints.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from images.tools import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

BRIDGE = "mv-kube0"
PODS = IPv4Network("10.99.0.0/24")
GATEWAY = PODS[1]
FIRST_POD = PODS[10]
SERVICES = IPv4Network("10.96.0.0/16")
API = SERVICES[1]
# Whose route it is, as the kernel notes it; a number that nobody has.
PROTOCOL = "171"
# A bridge without one of its own takes the lowest of its ports', and so another one as pods come
# and go. The other pods then send to the old one until they ask again: for most of a minute
# nothing of theirs arrives.
ADDRESS = "02:00:0a:63:00:01"

# The unreachable routes keep what is meant for a pod or a Service on this machine, whatever its
# default route is, also when the bridge is gone.
SETUP = f"""\
link add {BRIDGE} address {ADDRESS} type bridge
address add {GATEWAY}/{PODS.prefixlen} dev {BRIDGE}
address add {API}/32 dev {BRIDGE}
link set {BRIDGE} up
route add unreachable {PODS} metric 4000 protocol {PROTOCOL}
route add unreachable {SERVICES} metric 4000 protocol {PROTOCOL}
"""


@contextlib.contextmanager
def network() -> Iterator[None]:
    """Makes the bridge and the routes, and removes them.

    Raises:
        UnavailableError: somebody else uses these addresses.
    """
    try:
        remove()
        _check_free()
        _ip("-batch", "-", stdin=SETUP)
        yield
    finally:
        remove()


def remove() -> None:
    """Removes the bridge and the routes if they are there."""
    if BRIDGE in links():
        _ip("link", "delete", BRIDGE)
    if own_routes():
        _ip("route", "flush", "protocol", PROTOCOL)


def links() -> list[str]:
    """The names of the machine's network links."""
    return [link["ifname"] for link in _shown("link", "show")]


def own_routes() -> list[str]:
    """The destinations of our routes."""
    return [route["dst"] for route in _shown("route", "show", "protocol", PROTOCOL)]


def _check_free() -> None:
    for route in _shown("route", "show", "table", "all"):
        if route["dst"] == "default":
            continue
        taken = IPv4Network(route["dst"])
        if any(taken.subnet_of(mine) for mine in (PODS, SERVICES)):
            raise UnavailableError(f"this machine has a route to {taken}, which the node would use")


def _shown(*arguments: str) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(_ip("-4", "-json", *arguments) or "[]")
    return shown


def _ip(*arguments: str, stdin: str | None = None) -> str:
    ran = subprocess.run(
        ("ip", *arguments), input=stdin, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise AssertionError(f"ip {' '.join(arguments)}: {ran.stderr}")
    return ran.stdout
