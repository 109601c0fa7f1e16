"""What the controller knows of the cluster, kept by the watches. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from verifier_cli.config.manifest import CLUSTER_KIND
from verifier_cli.kube.configmap import stem
from verifier_cli.kube.verdicts import configmaps_of, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier_cli.config.wiring import Wiring
    from verifier_cli.kube.verdicts import PodVerdict

Json = dict[str, Any]


class Key(NamedTuple):
    """What a validation is called by; `namespace` is "" for a cluster validation."""

    group: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Pod:
    """What is kept of a pod with a verifier."""

    uid: str
    namespace: str
    name: str
    configmaps: frozenset[str]
    verdict: PodVerdict

    @property
    def shown(self) -> str:
        """`NAMESPACE/NAME`."""
        return f"{self.namespace}/{self.name}"


def pod_of(resource: Json) -> Pod | None:
    """What is to be kept of a pod; None for one without a verifier."""
    verdict = verdict_of(resource)
    if verdict is None:
        return None
    metadata = resource["metadata"]
    configmaps = frozenset(configmaps_of(resource))
    return Pod(metadata["uid"], metadata["namespace"], metadata["name"], configmaps, verdict)


@dataclass(slots=True)
class State:
    """Everything by name.

    Attributes:
        validations: as the API server has them.
        namespaces: the labels of each.
        pods: those with a verifier, by uid.
        configmaps: those of ours, by namespace and name.
    """

    validations: dict[Key, Json] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    configmaps: dict[tuple[str, str], Json] = field(default_factory=dict)

    def targets(self, key: Key, wiring: Wiring) -> list[str]:
        """The namespaces that a validation's policy goes to."""
        if key.kind != CLUSTER_KIND:
            return [key.namespace]
        selects = wiring.namespace_selector.selects
        return sorted(name for name, labels in self.namespaces.items() if selects(labels))

    def pods_under(self, key: Key) -> Iterator[Pod]:
        """The pods that have a policy of a validation, of whichever of its versions."""
        for pod in self.pods.values():
            if key.namespace in ("", pod.namespace) and self._of(key, pod.configmaps):
                yield pod

    def owners_of(self, pod: Pod) -> list[Key]:
        """The validations that a pod is under."""
        return self._under(pod.namespace, pod.configmaps)

    def _under(self, namespace: str, configmaps: frozenset[str]) -> list[Key]:
        return [
            key
            for key in self.validations
            if key.namespace in ("", namespace) and self._of(key, configmaps)
        ]

    def of_configmap(self, namespace: str, name: str) -> list[Key]:
        """The validations whose policy a ConfigMap of this name would carry."""
        return self._under(namespace, frozenset({name}))

    def unused(self, key: Key, keep: set[tuple[str, str]]) -> list[tuple[str, str]]:
        """The ConfigMaps of a validation that are not to be kept, and that no pod has."""
        uid = self.validations[key]["metadata"]["uid"]
        used = {(pod.namespace, name) for pod in self.pods_under(key) for name in pod.configmaps}
        return [
            place
            for place, found in self.configmaps.items()
            if place not in keep and place not in used and owner_of(found) == uid
        ]

    @staticmethod
    def _of(key: Key, configmaps: frozenset[str]) -> bool:
        wanted = stem(key.group, key.kind, key.name)
        return any(name.rpartition("-")[0] == wanted for name in configmaps)


def owner_of(resource: Json) -> str:
    """The uid of the owner that controls an object; "" if there is none."""
    owners = resource.get("metadata", {}).get("ownerReferences") or []
    return next((str(each.get("uid")) for each in owners if each.get("controller")), "")
