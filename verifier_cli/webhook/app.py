"""The webhook as ASGI applications: what is asked over TLS, and the metrics beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.webhook.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from verifier_cli.webhook.admission import Admissions
    from verifier_cli.webhook.metrics import Metrics

    Scope = dict[str, Any]
    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Headers = tuple[tuple[bytes, bytes], ...]

MUTATE = "/mutate-v1-pod"
# The API server takes objects of 3 MiB; in a review there may be two, and who asks.
MAX_BODY = 8 << 20

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class _Refused(Exception):  # noqa: N818  (an answer, not an error)
    """A request that is not looked into."""

    def __init__(self, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class _GoneError(Exception):
    """Whoever asked went away."""


class Webhook:
    """`POST /mutate-v1-pod`, `/healthz` and `/readyz`.

    Attributes:
        draining: set when the process is about to end: connections are given back one by one, and
            `/readyz` says no.
    """

    def __init__(self, admissions: Admissions, fault: Callable[[], str | None]) -> None:
        """Answers by `admissions`; `fault` says why it is not ready."""
        self.draining = False
        self._admissions = admissions
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        kind = _TEXT
        try:
            if scope["path"] == MUTATE:
                body = await _body(scope, receive)
                client = scope["client"]
                answer = self._admissions.answer(body, client and client[0])
                status, content = answer.status, answer.body
                kind = _JSON if status == 200 else _TEXT  # noqa: PLR2004  (HTTP's OK)
                extra: Headers = ()
            else:
                status, content, extra = self._probe(scope)
        except _Refused as error:
            # The rest of its body is not read, so nothing can follow on this connection.
            status, content = error.status, str(error).encode()
            extra = (*error.headers, (b"connection", b"close"))
        except _GoneError:
            return
        if self.draining:
            extra = (*extra, (b"connection", b"close"))
        await _send(send, status, content, kind, *extra)

    def _probe(self, scope: Scope) -> tuple[int, bytes, Headers]:
        _require_path(scope, "/healthz", "/readyz")
        _require(scope, "GET", "HEAD")
        if scope["path"] == "/healthz":
            return 200, b"ok", ()
        fault = "the webhook is stopping" if self.draining else self._fault()
        return (200, b"ok", ()) if fault is None else (503, fault.encode(), ())


def metrics_app(metrics: Metrics) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """`GET /metrics`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  (ASGI's)
        try:
            _require_path(scope, "/metrics")
            _require(scope, "GET", "HEAD")
        except _Refused as error:
            await _send(send, error.status, str(error).encode(), _TEXT, *error.headers)
        else:
            kind = (b"content-type", CONTENT_TYPE.encode())
            await _send(send, 200, metrics.exposition(), kind)

    return app


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body of a review.

    Raises:
        _Refused: it is none, or too large.
        _GoneError: it was broken off.
    """
    _require(scope, "POST")
    _check_headers(scope["headers"])
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        _check_size(len(message["body"]))
        return bytes(message["body"])
    parts = bytearray()
    while message["type"] == "http.request":
        parts += message["body"]
        _check_size(len(parts))
        if not message.get("more_body"):
            return bytes(parts)
        message = await receive()
    raise _GoneError


def _check_headers(headers: Iterable[tuple[bytes, bytes]]) -> None:
    kind = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
        elif name == b"content-length":
            _check_size(int(value))
    if kind != b"application/json":
        raise _Refused(415, "a review is sent as application/json")


def _check_size(size: int) -> None:
    if size > MAX_BODY:
        raise _Refused(413, f"a review has at most {MAX_BODY} bytes")


def _require_path(scope: Scope, *paths: str) -> None:
    if scope["path"] not in paths:
        raise _Refused(404, f"there is nothing here, only {', '.join(paths)}")


def _require(scope: Scope, *methods: str) -> None:
    if scope["method"] not in methods:
        allowed = ", ".join(methods)
        raise _Refused(405, f"only {allowed} is answered here", (b"allow", allowed.encode()))


async def _send(send: Send, status: int, content: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(content))
    start = {"type": "http.response.start", "status": status, "headers": [length, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": content})
