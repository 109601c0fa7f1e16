"""An API server in memory: objects by path, resource versions, conflicts."""

from __future__ import annotations

import copy
from typing import Any
from uuid import uuid4

from verifier_cli.apiserver.client import ApiError

Json = dict[str, Any]


class FakeApi:
    """The interface of `verifier_cli.apiserver.client.Api`, as the controller uses it."""

    def __init__(self, *objects: tuple[str, Json]) -> None:
        self.objects: dict[str, Json] = {}
        self.lists: dict[str, list[Json]] = {}
        self.asked: list[tuple[str, str]] = []
        # Paths that fail, with the status: 0 for no answer.
        self.failing: dict[str, int] = {}
        self._version = 0
        for path, made in objects:
            self._put(path, made)

    async def get(self, path: str, **query: str) -> Json:
        self._ask("GET", path)
        if path in self.lists:
            items, start = self.lists[path], int(query.get("continue", "0"))
            end = start + int(query["limit"])
            token = {"continue": str(end)} if end < len(items) else {}
            return {"items": copy.deepcopy(items[start:end]), "metadata": token}
        return copy.deepcopy(self._at(path))

    async def create(self, path: str, body: Json) -> Json:
        self._ask("POST", path)
        target = f"{path}/{body['metadata']['name']}"
        if target in self.objects:
            raise ApiError(409, "AlreadyExists", f"{target} already exists")
        return self._put(target, body)

    async def replace(self, path: str, body: Json) -> Json:
        self._ask("PUT", path)
        now = self._at(path)["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion") not in (None, now):
            raise ApiError(409, "Conflict", f"{path} was changed")
        return self._put(path, body)

    async def patch(self, path: str, operations: list[Json]) -> Json:
        self._ask("PATCH", path)
        target = path.removesuffix("/status")
        changed = copy.deepcopy(self._at(target))
        for operation in operations:
            *way, last = operation["path"].split("/")[1:]
            parent: Any = changed
            for step in way:
                parent = parent[int(step) if isinstance(parent, list) else step]
            if operation["op"] == "test" and parent[last] != operation["value"]:
                raise ApiError(422, "Invalid", "a test of the patch failed")
            if operation["op"] == "add":
                parent[last] = operation["value"]
        return self._put(target, changed)

    async def delete(self, path: str, body: Json | None = None) -> Json:
        self._ask("DELETE", path)
        uid = (body or {}).get("preconditions", {}).get("uid")
        if uid is not None and uid != self._at(path)["metadata"]["uid"]:
            raise ApiError(409, "Conflict", f"{path} is another")
        return self.objects.pop(path)

    def _ask(self, verb: str, path: str) -> None:
        self.asked.append((verb, path))
        status = self.failing.get(path)
        if status is not None:
            raise ApiError(status, "", f"{verb} {path} fails")

    def _at(self, path: str) -> Json:
        if path not in self.objects:
            raise ApiError(404, "NotFound", f"{path} not found")
        return self.objects[path]

    def _put(self, path: str, made: Json) -> Json:
        self._version += 1
        metadata = {"uid": uuid4().hex, **made.get("metadata", {})}
        metadata["resourceVersion"] = str(self._version)
        self.objects[path] = copy.deepcopy({**made, "metadata": metadata})
        return copy.deepcopy(self.objects[path])
