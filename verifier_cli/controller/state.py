"""What the controller knows of the cluster, kept by the watches. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections import UserDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from verifier_cli.config.manifest import CLUSTER_KIND, KINDS
from verifier_cli.kube.configmap import stem
from verifier_cli.kube.verdicts import configmaps_of, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a ConfigMap: its policy may be long, and is in many namespaces.

    Attributes:
        owner: uid of the validation that it is of; "" if it is of none.
        content: a digest of all that it says.
    """

    uid: str
    version: str
    owner: str
    content: bytes


def kept_of(resource: Json) -> Kept:
    """What is to be kept of a ConfigMap, or would be of one that is not written yet."""
    metadata = resource["metadata"]
    version = str(metadata.get("resourceVersion", ""))
    return Kept(str(metadata.get("uid", "")), version, owner_of(resource), _content(resource))


def _content(resource: Json) -> bytes:
    said = [resource.get(name) for name in ("data", "binaryData", "immutable")]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


class Pods(UserDict[str, Pod]):
    """Pods by uid, which are also found by the validations that their ConfigMaps are of.

    With thousands of both, looking through all pods for each validation would take all the time.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._stems: dict[str, dict[str, Pod]] = {}
        super().__init__()

    def __setitem__(self, uid: str, pod: Pod) -> None:
        """Takes a pod in, or what has become of it."""
        self._leave(uid)
        super().__setitem__(uid, pod)
        for each in _stems(pod.configmaps):
            self._stems.setdefault(each, {})[uid] = pod

    def __delitem__(self, uid: str) -> None:
        """Forgets a pod."""
        self._leave(uid)
        super().__delitem__(uid)

    def of_stem(self, stem: str) -> Iterable[Pod]:
        """The pods with a ConfigMap whose name is this before its digest."""
        return self._stems.get(stem, {}).values()

    def _leave(self, uid: str) -> None:
        before = self.data.get(uid)
        for each in _stems(before.configmaps) if before is not None else ():
            there = self._stems[each]
            del there[uid]
            if not there:
                del self._stems[each]


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
    pods: Pods = field(default_factory=Pods)
    configmaps: dict[tuple[str, str], Kept] = field(default_factory=dict)

    def targets(self, key: Key, wiring: Wiring) -> list[str]:
        """The namespaces that a validation's policy goes to."""
        if key.kind != CLUSTER_KIND:
            return [key.namespace]
        selects = wiring.namespace_selector.selects
        return sorted(name for name, labels in self.namespaces.items() if selects(labels))

    def pods_under(self, key: Key) -> Iterator[Pod]:
        """The pods that have a policy of a validation, of whichever of its versions."""
        for pod in self.pods.of_stem(stem(key.group, key.kind, key.name)):
            if key.namespace in ("", pod.namespace):
                yield pod

    def owners_of(self, pod: Pod) -> list[Key]:
        """The validations that a pod is under."""
        return self._under(pod.namespace, pod.configmaps)

    def of_configmap(self, namespace: str, name: str) -> list[Key]:
        """The validations whose policy a ConfigMap of this name would carry."""
        return self._under(namespace, (name,))

    def _under(self, namespace: str, configmaps: Iterable[str]) -> list[Key]:
        found = (key for each in _stems(configmaps) for key in _named(each, namespace))
        return [key for key in found if key in self.validations]

    def unused(self, kept: Mapping[Key, set[tuple[str, str]]]) -> set[tuple[str, str]]:
        """The ConfigMaps of these validations that are not to be kept, and that no pod has.

        Args:
            kept: namespace and name of the ConfigMaps in force, of each validation.
        """
        used = {(pod.namespace, name) for pod in self.pods.values() for name in pod.configmaps}
        keep = {self.validations[key]["metadata"]["uid"]: places for key, places in kept.items()}
        return {
            place
            for place, found in self.configmaps.items()
            if place not in used and place not in keep.get(found.owner, {place})
        }


def _stems(configmaps: Iterable[str]) -> set[str]:
    return {name.rpartition("-")[0] for name in configmaps}


def _named(wanted: str, namespace: str) -> Iterator[Key]:
    """The validations whose ConfigMaps in a namespace would be called so: a name can be of two."""
    for version, kinds in KINDS.items():
        group = version.partition("/")[0]
        for kind in kinds:
            start = stem(group, kind, "")
            if wanted.startswith(start):
                within = "" if kind == CLUSTER_KIND else namespace
                yield Key(group, kind, within, wanted.removeprefix(start))


def owner_of(resource: Json) -> str:
    """The uid of the owner that controls an object; "" if there is none."""
    owners = resource.get("metadata", {}).get("ownerReferences") or []
    return next((str(each.get("uid")) for each in owners if each.get("controller")), "")
