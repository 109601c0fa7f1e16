"""What the controller lists and watches, and lists of it in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from verifier_cli.config.manifest import KINDS
from verifier_cli.kube.configmap import MANAGED_BY, OURS
from verifier_cli.kube.crd import PLURALS
from verifier_cli.kube.names import INJECTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from verifier_cli.apiserver.client import Api

Json = dict[str, Any]

# Objects of one answer: what is read at once holds everything else up.
PAGE = 500


class Collection(NamedTuple):
    """All objects of one kind that concern us.

    Attributes:
        group: "" for the core's.
        selector: of labels; "" for all.
    """

    group: str
    version: str
    kind: str
    plural: str
    selector: str = ""

    @property
    def path(self) -> str:
        """Where the API server has it."""
        within = f"/apis/{self.group}" if self.group else "/api"
        return f"{within}/{self.version}/{self.plural}"

    @property
    def resource(self) -> str:
        """As kubectl takes it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def whole(self, entry: Json) -> Json:
        """An entry of a list, which does not say what it is, as an object that does."""
        of = f"{self.group}/{self.version}" if self.group else self.version
        return {"kind": self.kind, "apiVersion": of, **entry}


def collections() -> list[Collection]:
    """In the order in which they are to be listed: pods before the ConfigMaps that they have."""
    found = [Collection("", "v1", "Namespace", "namespaces")]
    for of, kinds in KINDS.items():
        group, version = of.split("/")
        found += [Collection(group, version, kind, PLURALS[kind]) for kind in kinds]
    found.append(Collection("", "v1", "Pod", "pods", f"{INJECTED}=true"))
    found.append(Collection("", "v1", "ConfigMap", "configmaps", f"{MANAGED_BY}={OURS}"))
    return found


async def pages(api: Api, collection: Collection) -> AsyncIterator[list[Json]]:
    """The objects of a collection, at most `PAGE` at a time.

    Raises:
        ApiError: a page could not be read.
    """
    query = {"limit": str(PAGE)}
    if collection.selector:
        query["labelSelector"] = collection.selector
    while True:
        page = await api.get(collection.path, **query)
        yield [collection.whole(each) for each in page.get("items") or []]
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return
        query["continue"] = token
