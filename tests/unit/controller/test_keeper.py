"""The keeper: certificates in Secrets, the authority in the webhook's configuration."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
from typing import Any

import pytest

from tests.unit.controller.api import FakeApi
from verifier_cli.apiserver.client import ApiError
from verifier_cli.controller.certificates import AUTHORITY_DAYS, SPREAD
from verifier_cli.controller.keeper import CONFIGURATION, Keeper

Json = dict[str, Any]

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SECRETS = "/api/v1/namespaces/ns/secrets"
AUTHORITY, SERVING = (
    f"{SECRETS}/model-validation-webhook-ca",
    f"{SECRETS}/model-validation-webhook-tls",
)


def cluster() -> FakeApi:
    hooks: list[Json] = [{"name": name, "clientConfig": {"service": {}}} for name in ("a", "b")]
    return FakeApi((CONFIGURATION, {"metadata": {}, "webhooks": hooks}))


def keep(keeper: Keeper, now: dt.datetime = NOW) -> None:
    asyncio.run(keeper.keep(now))


def bundles(api: FakeApi) -> list[bytes]:
    hooks = api.objects[CONFIGURATION]["webhooks"]
    return [base64.b64decode(each["clientConfig"]["caBundle"]) for each in hooks]


def data(api: FakeApi, path: str) -> dict[str, bytes]:
    return {k: base64.b64decode(v) for k, v in api.objects[path]["data"].items()}


def new() -> tuple[FakeApi, Keeper]:
    api = cluster()
    return api, Keeper(api, "ns")  # type: ignore[arg-type]  # the same interface


def test_at_first_everything_is_made_and_published() -> None:
    api, keeper = new()
    keep(keeper)
    assert set(data(api, SERVING)) == {"tls.crt", "tls.key"}
    ca = data(api, AUTHORITY)["ca-0.crt"]
    assert bundles(api) == [ca, ca]
    assert b"PRIVATE KEY" in data(api, AUTHORITY)["ca-0.key"]
    # The authority's key is where no webhook mounts it.
    assert data(api, AUTHORITY)["ca-0.key"] not in data(api, SERVING).values()


def test_the_second_time_nothing_is_written() -> None:
    api, keeper = new()
    keep(keeper)
    api.asked.clear()
    keep(keeper)
    assert {verb for verb, _ in api.asked} == {"GET"}


def test_a_configuration_that_lost_its_bundle_gets_it_back() -> None:
    api, keeper = new()
    keep(keeper)
    wanted = bundles(api)
    api.objects[CONFIGURATION]["webhooks"][1]["clientConfig"]["caBundle"] = ""
    keep(keeper)
    assert bundles(api) == wanted


def test_the_authority_is_replaced_in_steps() -> None:
    api, keeper = new()
    keep(keeper)
    old = data(api, AUTHORITY)["ca-0.crt"]
    later = NOW + dt.timedelta(days=AUTHORITY_DAYS * 0.7)
    # The old authority still issues: it is known.
    keep(keeper, later)
    new_one = data(api, AUTHORITY)["ca-0.crt"]
    assert bundles(api) == [new_one + old] * 2
    keep(keeper, later)
    before = data(api, SERVING)["tls.crt"]
    keep(keeper, later + SPREAD)
    assert data(api, SERVING)["tls.crt"] != before
    keep(keeper, later + 3 * SPREAD)
    assert bundles(api) == [new_one] * 2
    assert "ca-1.crt" not in data(api, AUTHORITY)


@pytest.mark.parametrize("path", [AUTHORITY, SERVING])
def test_what_cannot_be_read_is_made_anew(path: str) -> None:
    api, keeper = new()
    keep(keeper)
    api.objects[path]["data"] = dict.fromkeys(api.objects[path]["data"], "")
    keep(keeper)
    assert b"" not in data(api, path).values()


def test_a_failure_leaves_what_there_is() -> None:
    api, keeper = new()
    keep(keeper)
    before = dict(api.objects)
    api.failing[SERVING] = 0
    with pytest.raises(ApiError):
        keep(keeper, NOW + dt.timedelta(days=80))
    assert api.objects == before
