"""Requests to an API server, over real TLS; what fails is one kind of error."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.certificates import Authority
from tests.cluster.daemons import free_port
from tests.fakeapi import NAMESPACES, FakeApi
from verifier_cli.apiserver.account import Account
from verifier_cli.apiserver.client import Api, ApiError

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
Ask = Callable[[Api], Coroutine[Any, Any, Any]]


def ask(account: Account, what: Ask) -> Any:  # noqa: ANN401
    async def body() -> Any:  # noqa: ANN401
        async with Api(account) as api:
            return await what(api)

    return asyncio.run(body())


def error(account: Account, what: Ask) -> ApiError:
    with pytest.raises(ApiError) as caught:
        ask(account, what)
    return caught.value


async def first(api: Api) -> Json:
    async for event in api.watch(NAMESPACES, seconds=30, resourceVersion="0"):
        return event
    raise AssertionError("the watch ended")


def namespace(name: str = "ns") -> Json:
    return {"metadata": {"name": name}}


def test_a_list(fake: FakeApi, account: Account) -> None:
    fake.put(NAMESPACES, namespace())
    found = ask(account, lambda api: api.get(NAMESPACES, limit="5"))
    assert [each["metadata"]["name"] for each in found["items"]] == ["ns"]
    (asked,) = fake.asked
    assert (asked.verb, asked.query, asked.kind, asked.body) == ("GET", {"limit": "5"}, None, b"")


def test_what_is_written(fake: FakeApi, account: Account) -> None:
    fake.raw["/x"] = b'{"done": true}'

    async def write(api: Api) -> list[Json]:
        return [
            await api.create("/x", {"a": 1}),
            await api.replace("/x", {"a": 2}),
            await api.patch("/x", [{"op": "remove", "path": "/a"}]),
            await api.delete("/x", {"preconditions": {}}),
            await api.delete("/x"),
        ]

    assert ask(account, write) == [{"done": True}] * 5
    kind = "application/json"
    assert [(each.verb, each.kind, each.body and json.loads(each.body)) for each in fake.asked] == [
        ("POST", kind, {"a": 1}),
        ("PUT", kind, {"a": 2}),
        ("PATCH", "application/json-patch+json", [{"op": "remove", "path": "/a"}]),
        ("DELETE", kind, {"preconditions": {}}),
        ("DELETE", None, b""),
    ]


def test_a_watch(fake: FakeApi, account: Account) -> None:
    fake.put(NAMESPACES, namespace())
    event = ask(account, first)
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "ns")
    (asked,) = fake.asked
    assert asked.query == {"watch": "1", "timeoutSeconds": "30", "resourceVersion": "0"}


def test_an_event_of_a_large_object(fake: FakeApi, account: Account) -> None:
    large = {"metadata": {"name": "ns", "annotations": {"note": "x" * (3 << 20)}}}
    fake.put(NAMESPACES, large)
    assert ask(account, first)["object"]["metadata"]["annotations"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 500, 503])
@pytest.mark.parametrize("how", ["get", "watch"])
def test_what_the_server_refuses(fake: FakeApi, account: Account, status: int, how: str) -> None:
    fake.statuses[NAMESPACES] = status
    found = error(account, first if how == "watch" else lambda api: api.get(NAMESPACES))
    assert (found.status, found.reason, str(found)) == (status, "Ordered", "it is Ordered")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"<html>"])
def test_what_is_no_json(fake: FakeApi, account: Account, body: bytes) -> None:
    fake.raw["/x"] = body
    found = error(account, lambda api: api.get("/x"))
    assert found.status == 0
    assert str(found).startswith("GET /x: JSONDecodeError") or b"\xff" in body


@pytest.mark.parametrize("body", [b"<html>busy", b"[]", b"5"])
def test_a_refusal_that_is_no_status(fake: FakeApi, account: Account, body: bytes) -> None:
    fake.raw["/x"], fake.statuses["/x"] = body, 502
    found = error(account, lambda api: api.get("/x"))
    assert (found.status, found.reason, str(found)) == (502, "", body.decode())


def test_a_watch_that_is_broken_off(fake: FakeApi, account: Account) -> None:
    async def watch(api: Api) -> None:
        async for _ in api.watch(NAMESPACES, seconds=30, resourceVersion="0"):
            fake.drop()

    fake.put(NAMESPACES, namespace())
    found = error(account, watch)
    assert (found.status, str(found).startswith(f"watching {NAMESPACES}: ")) == (0, True)


def test_the_token_is_needed_and_shown_to_nobody(fake: FakeApi, account: Account) -> None:
    (account.directory / "token").write_text("another", encoding="ascii")
    found = error(account, lambda api: api.get(NAMESPACES))
    assert found.status == 401
    assert "another" not in str(found)
    assert fake.asked


def test_a_token_that_is_gone(account: Account) -> None:
    (account.directory / "token").unlink()
    for what in (first, lambda api: api.get(NAMESPACES)):
        assert error(account, what).status == 0


def test_only_the_clusters_authority_is_trusted(account: Account, tmp_path: Path) -> None:
    shutil.copy(account.directory / "token", tmp_path)
    Authority.new(tmp_path)
    found = error(Account(account.url, tmp_path), lambda api: api.get(NAMESPACES))
    assert found.status == 0
    assert "CERTIFICATE_VERIFY_FAILED" in str(found)


def test_nobody_there(account: Account) -> None:
    nobody = Account(f"https://127.0.0.1:{free_port()}", account.directory)
    for what in (first, lambda api: api.get(NAMESPACES)):
        assert error(nobody, what).status == 0


def test_without_an_authority_nothing_is_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ca\.crt"):
        ask(Account("https://127.0.0.1:1", tmp_path), first)
    (tmp_path / "ca.crt").write_text("nothing", encoding="ascii")
    with pytest.raises(ssl.SSLError):
        ask(Account("https://127.0.0.1:1", tmp_path), first)


def test_it_has_to_be_opened(account: Account) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(Api(account).get(NAMESPACES))


def test_a_redirect_is_not_followed(account: Account, fake: FakeApi) -> None:
    fake.statuses[NAMESPACES] = 307
    assert error(account, lambda api: api.get(NAMESPACES)).status == 307
