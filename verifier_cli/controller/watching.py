"""What kopf's watches and our own listings tell: into the state, and on to the queue.

A watch can miss a deletion while it is not connected, so everything is listed anew now and then;
what is listed is what counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.config.manifest import CLUSTER_KIND, KINDS
from verifier_cli.controller.metrics import LISTED, VERDICTS
from verifier_cli.controller.state import Key, pod_of
from verifier_cli.kube.configmap import MANAGED_BY, OURS
from verifier_cli.kube.crd import PLURALS, VERSION
from verifier_cli.kube.names import INJECTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier_cli.apiserver.client import Api
    from verifier_cli.controller.queue import Queue
    from verifier_cli.controller.state import Pod, State

Json = dict[str, Any]

# Objects of one answer: what is read at once holds everything else up.
PAGE = 500
# By kopf's name of a resource: which of its objects concern us.
SELECTORS = {"pods": f"{INJECTED}=true", "configmaps": f"{MANAGED_BY}={OURS}"}


class Watching:
    """Keeps the state, and marks the validations that a change concerns."""

    def __init__(self, state: State, queue: Queue, rejected: Callable[[Pod], None]) -> None:
        """Will call `rejected` for each end of a verifier that is no yes."""
        self._state = state
        self._queue = queue
        self._rejected = rejected

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
        metadata = resource["metadata"]
        place = (metadata["namespace"], metadata["name"])
        before = self._state.configmaps.get(place)
        if gone:
            self._state.configmaps.pop(place, None)
        else:
            self._state.configmaps[place] = resource
            known = (before or {}).get("metadata", {})
            if known.get("resourceVersion") == metadata["resourceVersion"]:
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

        Raises:
            ApiError: something could not be listed; what was known of it stays.
        """
        for path, kind, selector in _collections():
            found = await _list(api, path, selector)
            for each in found:
                # Entries of a list do not say what they are.
                self.seen({"kind": kind[1], "apiVersion": kind[0], **each}, gone=False)
            self._forget(kind, {each["metadata"]["uid"] for each in found}, found)
        LISTED.set_to_current_time()
        for key in self._state.validations:
            self._queue.mark(key)

    def _forget(self, kind: tuple[str, str], uids: set[str], found: list[Json]) -> None:
        if kind[1] == "Pod":
            for uid in self._state.pods.keys() - uids:
                del self._state.pods[uid]
            return
        if kind[1] == "Namespace":
            names = {each["metadata"]["name"] for each in found}
            for name in self._state.namespaces.keys() - names:
                del self._state.namespaces[name]
            return
        if kind[1] == "ConfigMap":
            places = {(e["metadata"]["namespace"], e["metadata"]["name"]) for e in found}
            for place in self._state.configmaps.keys() - places:
                del self._state.configmaps[place]
            return
        keys = {key_of({"kind": kind[1], "apiVersion": kind[0], **each}) for each in found}
        for key in [*self._state.validations]:
            if (key.kind, f"{key.group}/{VERSION}") == (kind[1], kind[0]) and key not in keys:
                del self._state.validations[key]


def key_of(resource: Json) -> Key:
    """What a validation is called by."""
    metadata = resource["metadata"]
    group = resource["apiVersion"].split("/", maxsplit=1)[0]
    return Key(group, resource["kind"], metadata.get("namespace", ""), metadata["name"])


def _collections() -> list[tuple[str, tuple[str, str], str]]:
    """Path, apiVersion with kind, and label selector of what is listed; pods before ConfigMaps."""
    found = [("/api/v1/namespaces", ("v1", "Namespace"), "")]
    for version, kinds in KINDS.items():
        found += [(f"/apis/{version}/{PLURALS[kind]}", (version, kind), "") for kind in kinds]
    found.append(("/api/v1/pods", ("v1", "Pod"), SELECTORS["pods"]))
    found.append(("/api/v1/configmaps", ("v1", "ConfigMap"), SELECTORS["configmaps"]))
    return found


async def _list(api: Api, path: str, selector: str) -> list[Json]:
    query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
    found: list[Json] = []
    while True:
        page = await api.get(path, **query)
        found += page.get("items") or []
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return found
        query["continue"] = token
