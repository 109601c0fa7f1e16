"""Keeps the webhook's certificate: in Secrets, and its authority in the webhook configuration."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from verifier_cli.apiserver.client import ApiError
from verifier_cli.controller.certificates import SPREAD, Material, Pair, advance
from verifier_cli.controller.metrics import CERTIFICATE_EXPIRY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from verifier_cli.apiserver.client import Api

Json = dict[str, Any]

WEBHOOK = "model-validation-webhook"
# The authority's key is in a Secret of its own, which no webhook mounts.
AUTHORITY_SECRET, SERVING_SECRET = f"{WEBHOOK}-ca", f"{WEBHOOK}-tls"
CONFIGURATION = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{WEBHOOK}"
_NOT_FOUND = 404


class Keeper:
    """Brings certificates and configuration up to date, one step at each call."""

    def __init__(self, api: Api, namespace: str) -> None:
        """Keeps them in the controller's own namespace."""
        self._api = api
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._names = [f"{WEBHOOK}.{namespace}.svc", f"{WEBHOOK}.{namespace}"]
        # When each authority was first seen in the configuration.
        self._seen: dict[bytes, dt.datetime] = {}

    async def keep(self, now: dt.datetime) -> None:
        """Looks, and does what it is time for.

        Raises:
            ApiError: something could not be read or written; nothing is lost, try again.
        """
        authority = await self._read(AUTHORITY_SECRET)
        serving = await self._read(SERVING_SECRET)
        before = _material(authority, serving)
        configured = await self._configured()
        after = advance(before, now, self._names, self._published(before, configured, now))
        # The authority first: what it issued must not be there without it.
        if after.authorities != before.authorities:
            await self._write(AUTHORITY_SECRET, authority, _authorities(after))
        if configured != {after.bundle}:
            await self._configure(after.bundle)
        if after.serving is not None and after.serving != before.serving:
            pair = {"tls.crt": after.serving.certificate, "tls.key": after.serving.key}
            await self._write(SERVING_SECRET, serving, pair)
        _show(after)

    def _published(
        self, material: Material, configured: set[bytes], now: dt.datetime
    ) -> set[bytes]:
        """The authorities that have been in every entry for long enough to have spread.

        The one in use has: it is served by.
        """
        there = [
            pair.certificate
            for pair in material.authorities
            if configured and all(pair.certificate in bundle for bundle in configured)
        ]
        self._seen = {each: self._seen.get(each, now) for each in there}
        only = len(material.authorities) == 1
        return {each for each in there if only or now - self._seen[each] >= SPREAD}

    async def _read(self, name: str) -> Json | None:
        try:
            return await self._api.get(f"{self._secrets}/{name}")
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def _write(self, name: str, there: Json | None, data: Mapping[str, bytes]) -> None:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        metadata = {"name": name, "labels": {"app.kubernetes.io/part-of": "model-verify"}}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}
        if there is None:
            await self._api.create(self._secrets, {**secret, "data": encoded})
        else:
            # With its resourceVersion: another controller's write is not overwritten.
            await self._api.replace(f"{self._secrets}/{name}", {**there, "data": encoded})

    async def _configured(self) -> set[bytes]:
        configuration = await self._api.get(CONFIGURATION)
        return {_decoded(hook["clientConfig"].get("caBundle")) for hook in _hooks(configuration)}

    async def _configure(self, bundle: bytes) -> None:
        text = base64.b64encode(bundle).decode()
        configuration = await self._api.get(CONFIGURATION)
        operations: list[Json] = [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": text}
            for index, _ in enumerate(_hooks(configuration))
        ]
        version = configuration["metadata"]["resourceVersion"]
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
        await self._api.patch(CONFIGURATION, [test, *operations])


def _hooks(configuration: Json) -> list[Json]:
    return configuration.get("webhooks") or []


def _decoded(text: object) -> bytes:
    return base64.b64decode(str(text or ""))


def _material(authority: Json | None, serving: Json | None) -> Material:
    """What the Secrets hold; what cannot be read counts as not there, and is made anew."""
    authorities = []
    data = (authority or {}).get("data") or {}
    for index in range(len(data) // 2):
        pair = Pair(_decoded(data.get(f"ca-{index}.crt")), _decoded(data.get(f"ca-{index}.key")))
        if _is_sound(pair):
            authorities.append(pair)
    held = (serving or {}).get("data") or {}
    pair = Pair(_decoded(held.get("tls.crt")), _decoded(held.get("tls.key")))
    return Material(tuple(authorities), pair if _is_sound(pair) else None)


def _is_sound(pair: Pair) -> bool:
    try:
        pair.parsed  # noqa: B018  (raises if it is none)
    except ValueError:
        return False
    return bool(pair.key)


def _authorities(material: Material) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for index, pair in enumerate(material.authorities):
        found |= {f"ca-{index}.crt": pair.certificate, f"ca-{index}.key": pair.key}
    return found


def _show(material: Material) -> None:
    if material.serving is not None:
        ends = material.serving.parsed.not_valid_after_utc.timestamp()
        CERTIFICATE_EXPIRY.labels("serving").set(ends)
    ends = material.authorities[0].parsed.not_valid_after_utc.timestamp()
    CERTIFICATE_EXPIRY.labels("authority").set(ends)
