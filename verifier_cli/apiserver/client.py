"""Requests to the API server (https://kubernetes.io/docs/reference/using-api/api-concepts/)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from verifier_cli.apiserver.account import Account

Json = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
_REQUEST_SECONDS = 30
_CLOSING_SECONDS = 0.05
# Of one line of a watch: what etcd takes for one object, and room around it.
_LINE_BYTES = 4 << 20


class ApiError(Exception):
    """The API server did not do what was asked, or could not be reached.

    Attributes:
        status: of HTTP; 0 if there was no answer.
        reason: one word of the API's, such as `NotFound`; may be empty.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        """Keeps the answer; `message` is the server's sentence."""
        super().__init__(message)
        self.status = status
        self.reason = reason


def session(account: Account) -> aiohttp.ClientSession:
    """A session for libraries that ask by themselves, with the token of this moment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=account.tls()),
        headers={"Authorization": f"Bearer {account.token()}"},
    )


class Api:
    """An open connection to the API server; use it with `async with`."""

    def __init__(self, account: Account) -> None:
        """Will ask as this account."""
        self._account = account
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Opens it."""
        connector = aiohttp.TCPConnector(ssl=self._account.tls())
        self._session = aiohttp.ClientSession(
            self._account.url, connector=connector, read_bufsize=_LINE_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Closes it."""
        await self._open.close()
        # A connection that was being made is closed by the loop in its next turns.
        await asyncio.sleep(_CLOSING_SECONDS)

    async def get(self, path: str, **query: str) -> Json:
        """Reads an object or a list."""
        return await self._ask("GET", path, query=query)

    async def create(self, path: str, body: Json) -> Json:
        """Creates an object in the collection `path`."""
        return await self._ask("POST", path, body=body)

    async def replace(self, path: str, body: Json) -> Json:
        """Puts an object in the place of the one whose `resourceVersion` it carries."""
        return await self._ask("PUT", path, body=body)

    async def patch(self, path: str, operations: list[Json]) -> Json:
        """Changes fields of an object (RFC 6902)."""
        return await self._ask("PATCH", path, body=operations, kind=JSON_PATCH)

    async def delete(self, path: str, body: Json | None = None) -> Json:
        """Deletes an object."""
        return await self._ask("DELETE", path, body=body)

    async def watch(self, path: str, *, seconds: int, **query: str) -> AsyncGenerator[Json, None]:
        """The events of a collection until the server ends the watch.

        Args:
            path: of the collection.
            seconds: how long the server is to watch; some more without a word is an error.
            query: `resourceVersion` and others.
        """
        parameters = {**query, "watch": "1", "timeoutSeconds": str(seconds)}
        timeout = aiohttp.ClientTimeout(total=None, connect=_REQUEST_SECONDS, sock_read=seconds + 5)
        try:
            async with self._open.get(
                path,
                params=parameters,
                headers=self._headers(),
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                await _raise_for(answer)
                try:
                    async for line in answer.content:
                        yield json.loads(line)
                finally:
                    _break_off(answer)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise ApiError(0, "", _unanswered(f"watching {path}", error)) from None

    async def _ask(
        self,
        verb: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Json | list[Json] | None = None,
        kind: str = "application/json",
    ) -> Json:
        data = None if body is None else json.dumps(body).encode()
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        try:
            headers = {**self._headers(), **({"Content-Type": kind} if data else {})}
            async with self._open.request(
                verb,
                path,
                params=query,
                data=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                await _raise_for(answer)
                found: Json = json.loads(await answer.read())
                return found
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise ApiError(0, "", _unanswered(f"{verb} {path}", error)) from None

    def _headers(self) -> dict[str, str]:
        token = self._account.token()
        return {"Accept": "application/json", "Authorization": f"Bearer {token}"}

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the connection is not open: use `async with`")
        return self._session


def _break_off(answer: aiohttp.ClientResponse) -> None:
    """Ends a watch that is not at its end at once: TLS' farewell would wait for the server's."""
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()


def _unanswered(asked: str, error: Exception) -> str:
    return f"{asked}: {type(error).__name__}: {error}"


async def _raise_for(answer: aiohttp.ClientResponse) -> None:
    if answer.status // 100 == 2:  # noqa: PLR2004  (the class of success; nobody is redirected)
        return
    text = (await answer.read()).decode(errors="replace")
    try:
        status = json.loads(text)
        reason, message = str(status.get("reason") or ""), str(status.get("message") or text)
    except (ValueError, AttributeError):
        reason, message = "", text
    raise ApiError(answer.status, reason, message[:1000])
