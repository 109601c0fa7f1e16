"""Trust material that a validation takes from Secrets and ConfigMaps of the cluster."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verifier_cli.apiserver.client import ApiError
from verifier_cli.config import manifest
from verifier_cli.errors import ConfigError, Problem

if TYPE_CHECKING:
    from verifier_cli.apiserver.client import Api
    from verifier_cli.config.manifest import Reference
    from verifier_cli.controller.state import Key

Json = dict[str, Any]

# What a RoleBinding in the namespace of a Secret has to name (manifests/rbac).
READER = "model-validation-material-reader"
_PLURALS = {"Secret": "secrets", "ConfigMap": "configmaps"}
_FORBIDDEN, _NOT_FOUND = 403, 404


@dataclass(slots=True)
class Texts:
    """Material by the object and the key that it is in, or the fault in its place."""

    found: dict[tuple[str, str, str], str | Problem] = field(default_factory=dict)

    def follow(self, reference: Reference) -> str:
        """The text that a reference leads to.

        Raises:
            ConfigError: it leads to none.
        """
        text = self.found[(reference.kind, reference.name, reference.key)]
        if isinstance(text, Problem):
            raise ConfigError(text)
        return text


class Materials:
    """Reads what references lead to."""

    def __init__(self, api: Api, namespace: str) -> None:
        """Reads for cluster validations in `namespace`, the controller's own."""
        self._api = api
        self._own = namespace

    async def fetch(self, key: Key, resource: Json) -> Texts:
        """Reads all material that a validation refers to.

        Raises:
            ConfigError: the validation itself cannot be read.
            ApiError: the API server could not be asked.
        """
        references = manifest.decode(resource, "", follow=manifest.unread).references
        namespace = key.namespace or self._own
        texts = Texts()
        for each in references:
            texts.found[(each.kind, each.name, each.key)] = await self._text(each, namespace)
        return texts

    async def _text(self, reference: Reference, namespace: str) -> str | Problem:
        where, kind, name = reference.where, reference.kind, reference.name
        path = f"/api/v1/namespaces/{namespace}/{_PLURALS[kind]}/{name}"
        try:
            found = await self._api.get(path)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return Problem(where, f"there is no {kind} {name} in namespace {namespace}")
            if error.status == _FORBIDDEN:
                detail = f"the controller may not read {kind}s in namespace {namespace}"
                return Problem(where, f"{detail}: bind the ClusterRole {READER} to it there")
            raise
        value = (found.get("data") or {}).get(reference.key)
        if not isinstance(value, str):
            return Problem(where, f"{kind} {name} in namespace {namespace} has no such key")
        if kind == "ConfigMap":
            return value
        try:
            return base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return Problem(where, f"{kind} {name}: {reference.key} is not text")
