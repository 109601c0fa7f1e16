"""What kopf's watches and our own listings tell: into the state, and on to the queue.

A watch can miss a deletion while it is not connected, so everything is listed anew now and then;
what is listed is what counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.apiserver.client import ApiError
from verifier_cli.config.manifest import CLUSTER_KIND
from verifier_cli.controller.listing import collections, pages
from verifier_cli.controller.metrics import LISTED, VERDICTS
from verifier_cli.controller.state import Key, kept_of, pod_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, MutableMapping

    from verifier_cli.apiserver.client import Api
    from verifier_cli.controller.listing import Collection
    from verifier_cli.controller.queue import Queue
    from verifier_cli.controller.state import Pod, State

Json = dict[str, Any]

_NOT_FOUND = 404


class Watching:
    """Keeps the state, and marks the validations that a change concerns.

    Attributes:
        listed: each collection that was asked for, and whether the API server has it.
    """

    def __init__(self, state: State, queue: Queue, rejected: Callable[[Pod], None]) -> None:
        """Will call `rejected` for each end of a verifier that is no yes."""
        self._state = state
        self._queue = queue
        self._rejected = rejected
        self.listed: dict[Collection, bool] = {}

    def seen(self, resource: Json, *, gone: bool) -> None:
        """Takes in one object of any kind that is watched."""
        kind = resource["kind"]
        if kind == "Pod":
            self._pod(resource, gone=gone)
        elif kind == "ConfigMap":
            self._configmap(resource, gone=gone)
        elif kind == "Namespace":
            self._namespace(resource, gone=gone)
        else:
            self._validation(resource, gone=gone)

    def _validation(self, resource: Json, *, gone: bool) -> None:
        key = key_of(resource)
        before = self._state.validations.get(key, {})
        if gone:
            self._state.validations.pop(key, None)
            # So that it is counted no longer.
            self._queue.mark(key)
            return
        known, now = before.get("metadata", {}), resource["metadata"]
        if known.get("uid") == now["uid"] and known["generation"] > now["generation"]:
            return  # a listing that a watch has overtaken
        self._state.validations[key] = resource
        # Our own writing of the status is no news.
        if (known.get("uid"), known.get("generation")) != (now["uid"], now["generation"]):
            self._queue.mark(key)

    def _namespace(self, resource: Json, *, gone: bool) -> None:
        name, labels = resource["metadata"]["name"], resource["metadata"].get("labels") or {}
        ending = gone or "deletionTimestamp" in resource["metadata"]
        if ending:
            self._state.namespaces.pop(name, None)
        elif self._state.namespaces.get(name) != labels:
            self._state.namespaces[name] = labels
            for key in self._state.validations:
                if key.kind == CLUSTER_KIND:
                    self._queue.mark(key)

    def _configmap(self, resource: Json, *, gone: bool) -> None:
        place, now = place_of(resource), kept_of(resource)
        before = self._state.configmaps.get(place)
        if gone:
            self._state.configmaps.pop(place, None)
        else:
            self._state.configmaps[place] = now
            if before is not None and before.version == now.version:
                return  # what we wrote ourselves
        for key in self._state.of_configmap(*place):
            self._queue.mark(key)

    def _pod(self, resource: Json, *, gone: bool) -> None:
        uid = resource["metadata"]["uid"]
        before, now = self._state.pods.get(uid), None if gone else pod_of(resource)
        if now is None:
            self._state.pods.pop(uid, None)
        else:
            self._state.pods[uid] = now
        if before == now:
            return
        if now is not None and (before is None or before.verdict != now.verdict):
            self._told(now)
        for each in filter(None, (before, now)):
            for key in self._state.owners_of(each):
                self._queue.soon(key)

    def _told(self, pod: Pod) -> None:
        if pod.verdict.state == "pending":
            return
        VERDICTS.labels(pod.verdict.state, pod.verdict.reason).inc()
        if pod.verdict.state != "verified":
            self._rejected(pod)

    async def list_all(self, api: Api) -> None:
        """Lists everything, and forgets what is not there.

        A kind that the API server does not know has no objects; the others are listed all the same.

        Raises:
            ApiError: something could not be listed; what was known of it stays.
        """
        for collection in collections():
            try:
                await self._list(api, collection)
            except ApiError as error:
                if error.status != _NOT_FOUND:
                    raise
                self._forget(collection, self._names(collection))
                self.listed[collection] = False
            else:
                self.listed[collection] = True
        LISTED.set_to_current_time()
        for key in self._state.validations:
            self._queue.mark(key)

    async def appeared(self, api: Api) -> bool:
        """Whether a kind that the API server did not know is there by now.

        Raises:
            ApiError: it could not be asked.
        """
        for collection in [each for each, there in self.listed.items() if not there]:
            try:
                await api.get(collection.path, limit="1")
            except ApiError as error:
                if error.status != _NOT_FOUND:
                    raise
            else:
                return True
        return False

    async def _list(self, api: Api, collection: Collection) -> None:
        # What comes while it is listed need not be in the list.
        gone = self._names(collection)
        name_of = self._held(collection)[1]
        async for page in pages(api, collection):
            for each in page:
                gone.discard(name_of(each))
                self.seen(each, gone=False)
        self._forget(collection, gone)

    def _forget(self, collection: Collection, names: set[Hashable]) -> None:
        held, _ = self._held(collection)
        for name in names:
            held.pop(name, None)
            if isinstance(name, Key):
                self._queue.mark(name)

    def _names(self, collection: Collection) -> set[Hashable]:
        """What is known of a collection, by the names that the state has for it."""
        held, _ = self._held(collection)
        of = (collection.group, collection.kind)
        return {name for name in held if not isinstance(name, Key) or name[:2] == of}

    def _held(
        self, collection: Collection
    ) -> tuple[MutableMapping[Any, Any], Callable[[Json], Hashable]]:
        """Where objects of a collection are kept, and by what name."""
        state = self._state
        if collection.kind == "Pod":
            return state.pods, lambda each: str(each["metadata"]["uid"])
        if collection.kind == "Namespace":
            return state.namespaces, lambda each: str(each["metadata"]["name"])
        if collection.kind == "ConfigMap":
            return state.configmaps, place_of
        return state.validations, key_of


def key_of(resource: Json) -> Key:
    """What a validation is called by."""
    metadata = resource["metadata"]
    group = resource["apiVersion"].split("/", maxsplit=1)[0]
    return Key(group, resource["kind"], metadata.get("namespace", ""), metadata["name"])


def place_of(resource: Json) -> tuple[str, str]:
    """Namespace and name."""
    return resource["metadata"]["namespace"], resource["metadata"]["name"]
