"""The part of the cluster that decisions rest on: four watches that feed one store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from verifier_cli.config.manifest import CLUSTER_KIND, GROUP, PREDECESSOR_GROUP
from verifier_cli.webhook.store import Namespaces, Store, Validations
from verifier_cli.webhook.watch import Collection, Watch

if TYPE_CHECKING:
    from verifier_cli.apiserver.client import Api
    from verifier_cli.host.logs import Log

# Group, version, kind and plural of what is watched.
VALIDATIONS = (
    (GROUP, "v1alpha1", "ModelValidation", "modelvalidations"),
    (GROUP, "v1alpha1", CLUSTER_KIND, "clustermodelvalidations"),
    (PREDECESSOR_GROUP, "v1alpha1", "ModelValidation", "modelvalidations"),
)


class Cluster:
    """Keeps the store up to date while `run` runs.

    Attributes:
        store: what is known.
        watches: what it comes from.
    """

    def __init__(self, api: Api, namespaces: Namespaces, log: Log) -> None:
        """Starts with nothing known."""
        self.watches = [Watch(api, Collection("namespaces", "/api/v1/namespaces"), namespaces, log)]
        collections = []
        for group, version, kind, plural in VALIDATIONS:
            validations = Validations(f"{group}/{version}", kind, log)
            path = f"/apis/{group}/{version}/{plural}"
            watched = Collection(f"{plural}.{group}", path)
            self.watches.append(Watch(api, watched, validations, log))
            collections.append(validations)
        self.store = Store(collections, namespaces)

    def fault(self) -> str | None:
        """Why nothing can be decided by what is known; None if it can."""
        for watch in self.watches:
            if (fault := watch.fault()) is not None:
                return fault
        return None

    async def run(self) -> None:
        """Follows the API server, forever."""
        async with asyncio.TaskGroup() as tasks:
            for watch in self.watches:
                tasks.create_task(watch.run())
