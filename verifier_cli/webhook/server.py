"""uvicorn, as this webhook needs it: over TLS, patient with keep-alive, impatient with requests."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Awaitable, Callable, Iterator

# Of a connection without a request, also before the first: Go's client, which API servers use,
# opens some in advance, and gives each up after 90. Were it closed here first, a review on its way
# could be lost, and the API server sends none twice.
IDLE_SECONDS = 130
# For a request to arrive whole, from its first byte. API servers wait for an answer for ten seconds
# unless told otherwise.
REQUEST_SECONDS = 10.0
# More than API servers open at once; each costs about 300 KiB.
CONNECTIONS = 512
_LAST_SECONDS = 10


class Server(uvicorn.Server):
    """A server whose end is decided elsewhere; set `should_exit` to end it."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        tls: ssl.SSLContext | None = None,
        *,
        connections: int = CONNECTIONS,
    ) -> None:
        """Will serve `app`, over TLS if there is a context, on so many connections at most."""
        protocol = functools.partial(_Connection, waiting=OrderedDict(), most=connections)
        config = uvicorn.Config(
            app,
            loop="none",
            http=protocol,  # type: ignore[arg-type]  # it is only called
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=_LAST_SECONDS,
            ssl_context_factory=None if tls is None else lambda *_: tls,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to whoever runs the server."""
        yield


class _Connection(HttpToolsProtocol):
    """A connection that does not wait forever for a request, or for the rest of one.

    When there are too many, the one is closed that has waited longest. So nobody shuts others out
    by connections without requests; what is being answered, is answered.
    """

    _patience: asyncio.TimerHandle | None = None

    def __init__(
        self,
        *args: Any,  # noqa: ANN401  (uvicorn's)
        waiting: OrderedDict[_Connection, None],
        most: int,
        **more: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **more)
        # Those of this server without a whole request, the longest first.
        self._waiting = waiting
        self._most = most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._last_in_line()
        self._wait(IDLE_SECONDS)
        if len(self.connections) > self._most:
            # It is this one if all others are being answered.
            longest, _ = self._waiting.popitem(last=False)
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._waiting.pop(self, None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._last_in_line()
        self._wait(REQUEST_SECONDS)

    def on_message_complete(self) -> None:
        self._stop()
        self._waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Also one that is about to end: whoever is there may take long to let it go.
        self._last_in_line()

    def _last_in_line(self) -> None:
        if self in self.connections:
            self._waiting[self] = None
            self._waiting.move_to_end(self)

    def _wait(self, seconds: float) -> None:
        self._stop()
        self._patience = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def listen(address: str | None, port: int) -> socket.socket:
    """A socket that listens on an address, or on all of them.

    Raises:
        OSError: the address or the port cannot be had.
    """
    if address is not None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # a kernel that knows IPv6, on a node without
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def port_of(listening: socket.socket) -> int:
    """The port that a socket listens on."""
    name: Any = listening.getsockname()
    return int(name[1])
