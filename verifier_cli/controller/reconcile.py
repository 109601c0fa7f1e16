"""Brings one validation up to date: its policy in ConfigMaps, its status, its metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verifier_cli.apiserver.client import ApiError
from verifier_cli.config import manifest, material
from verifier_cli.controller.state import kept_of
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.kube import status
from verifier_cli.kube.configmap import configmap, configmap_name
from verifier_cli.kube.crd import PLURALS, VERSION

if TYPE_CHECKING:
    from verifier_cli.apiserver.client import Api
    from verifier_cli.config.manifest import Validation
    from verifier_cli.controller.material import Materials
    from verifier_cli.controller.state import Kept, Key, State
    from verifier_cli.host.logs import Log

Json = dict[str, Any]

NOT_FOUND, CONFLICT = 404, 409
# With the copy in status.lastGood it is stored twice, and etcd takes 1.5 MiB of one object.
MAX_SPEC_BYTES = 700 << 10
TOO_LARGE = (
    f"has more than {MAX_SPEC_BYTES >> 10} KiB, which with its copy in the status is more than the "
    "cluster stores: take trust material by a reference (configMapKeyRef, secretKeyRef) or a path"
)


class Reconciler:
    """Makes the cluster be as a validation says."""

    def __init__(self, api: Api, state: State, materials: Materials, log: Log) -> None:
        """Will write through `api` what `state` says."""
        self._log = log
        self._api = api
        self._state = state
        self._materials = materials
        # Namespace and name of the ConfigMaps in force, of each validation that is ready.
        self.places: dict[Key, set[tuple[str, str]]] = {}
        # Those that take material from the cluster.
        self.referring: set[Key] = set()

    async def reconcile(self, key: Key) -> bool | None:
        """Brings one validation up to date; whether it is ready, None if it is gone.

        Nothing is deleted here, and a validation with a fault keeps all that it has.

        Raises:
            ApiError: something could not be read or written; try again.
        """
        resource = self._state.validations.get(key)
        if resource is None:
            self.places.pop(key, None)
            self.referring.discard(key)
            return None
        try:
            found = await self.compiled(key, resource)
            wanted = status.rendered(resource, found)
        except ConfigError as error:
            wanted = status.invalid(resource, str(error))
            found = None
        failed = None if found is None else await self._delivered(key, found, resource)
        await self.report(key, resource, wanted)
        if failed is not None:
            raise failed
        return found is not None

    async def _delivered(self, key: Key, found: Validation, resource: Json) -> ApiError | None:
        """Delivers to every namespace; what failed in some of them, where others have it.

        Whoever writes in one namespace (a finalizer, a quota) must not decide about all others.

        Raises:
            ApiError: nobody has it, or the API server gave no answer.
        """
        targets = self._state.targets(key, found.wiring)
        errors: list[ApiError] = []
        for namespace in targets:
            try:
                await self.deliver(key, found, resource, namespace)
            except ApiError as error:
                errors.append(error)
                if error.status == 0 or len(errors) == len(targets):
                    raise
        self.places[key] = {(namespace, configmap_name(found)) for namespace in targets}
        return errors[0] if errors else None

    async def compiled(self, key: Key, resource: Json) -> Validation:
        """Reads a validation whole, with the material that it takes from the cluster.

        Raises:
            ConfigError: it cannot be used as it is.
            ApiError: the material could not be asked for.
        """
        if _size(resource["spec"]) > MAX_SPEC_BYTES:
            raise ConfigError(Problem("spec", TOO_LARGE))
        texts = await self._materials.fetch(key, resource)
        (self.referring.add if texts.found else self.referring.discard)(key)
        found = manifest.decode(resource, "", follow=texts.follow)
        material.check_inline(found.policy)
        return found

    async def deliver(self, key: Key, found: Validation, resource: Json, namespace: str) -> None:
        """Writes the ConfigMap of a validation into a namespace, over whatever has its name."""
        wanted = configmap(found)
        metadata = resource["metadata"]
        owner = {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
        wanted["metadata"] |= {"namespace": namespace, "ownerReferences": [owner]}
        place = (namespace, wanted["metadata"]["name"])
        owners = self._owners(place) | {metadata["uid"]}
        there = self._state.configmaps.get(place)
        if there is not None and _same(there, wanted, owners):
            return
        collection = f"/api/v1/namespaces/{namespace}/configmaps"
        try:
            made = await self._api.create(collection, wanted)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            made = await self._replaced(key, collection, wanted, owners)
        else:
            if place in self.places.get(key, ()):
                self._tell(key, place, "was gone")
        self._state.configmaps[place] = kept_of(made)

    def _owners(self, place: tuple[str, str]) -> set[str]:
        """The uids of the validations that the ConfigMap at a place may belong to.

        There can be two (`cluster-x`, and `x` of the cluster), and one policy of both: if each
        wanted it for itself, they would take it from each other for ever.
        """
        keys = self._state.of_configmap(*place)
        return {self._state.validations[key]["metadata"]["uid"] for key in keys}

    async def _replaced(self, key: Key, collection: str, wanted: Json, owners: set[str]) -> Json:
        """Puts ours in the place of what has its name; an immutable one cannot be changed."""
        metadata = wanted["metadata"]
        path = f"{collection}/{metadata['name']}"
        there = await self._api.get(path)
        if _same(kept_of(there), wanted, owners):
            return there
        self._tell(key, (metadata["namespace"], metadata["name"]), "was not as it is rendered")
        await self._api.delete(path, {"preconditions": {"uid": there["metadata"]["uid"]}})
        return await self._api.create(collection, wanted)

    def _tell(self, key: Key, place: tuple[str, str], what: str) -> None:
        said = f"ConfigMap {place[1]} of {key.kind} {key.name} {what}: it is made anew"
        self._log.event("policy.restored", said, namespace=place[0], validation=key.name)

    async def report(self, key: Key, resource: Json, wanted: Json) -> None:
        """Writes what of the status has changed, verdicts included."""
        verdicts = {pod.shown: pod.verdict for pod in self._state.pods_under(key)}
        before = resource.get("status") or {}
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        changed = status.changes(before, wanted | status.counted(verdicts), now)
        if not changed:
            return
        operations = [{"op": "add", "path": f"/status/{k}", "value": v} for k, v in changed.items()]
        if not before:
            operations = [{"op": "add", "path": "/status", "value": changed}]
        # Another by the same name is none of what this is about: then it is tried again.
        uid = {"op": "test", "path": "/metadata/uid", "value": resource["metadata"]["uid"]}
        try:
            written = await self._api.patch(f"{path_of(key)}/status", [uid, *operations])
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return  # deleted meanwhile
        known = self._state.validations.get(key)
        # A spec that was changed meanwhile is still to come as news: only then it has its turn.
        if known is not None and _mark(known) == _mark(written):
            self._state.validations[key] = written

    async def sweep(self, places: list[tuple[str, str]]) -> None:
        """Deletes ConfigMaps that nobody needs any longer."""
        for namespace, name in places:
            found = self._state.configmaps[(namespace, name)]
            path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
            try:
                await self._api.delete(path, {"preconditions": {"uid": found.uid}})
            except ApiError as error:
                if error.status not in (NOT_FOUND, CONFLICT):
                    raise


def path_of(key: Key) -> str:
    """Where the API server has a validation."""
    within = f"namespaces/{key.namespace}/" if key.namespace else ""
    return f"/apis/{key.group}/{VERSION}/{within}{PLURALS[key.kind]}/{key.name}"


def _mark(resource: Json) -> tuple[object, object]:
    """What changes with each spec, and with another validation by the same name."""
    return resource["metadata"]["uid"], resource["metadata"]["generation"]


def _size(spec: Json) -> int:
    """Bytes of JSON, as the API server writes it."""
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":"))
    escaped = sum(text.count(each) for each in "<>&")
    return len(text.encode(errors="replace")) + escaped * len("u003c")


def _same(there: Kept, wanted: Json, owners: set[str]) -> bool:
    return there.content == kept_of(wanted).content and there.owner in owners
