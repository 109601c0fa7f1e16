"""Many validations and pods at once, for a test and a benchmark of the controller."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cluster.test_injected_pods import restricted
from tests.unit.kube.pods import KEY, inject, pod, resource
from verifier_cli.config import manifest
from verifier_cli.kube.crd import PLURALS

if TYPE_CHECKING:
    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

OURS, THEIRS = "ml.sigstore.dev", "rhtas.redhat.com"
RESOURCES = tuple(
    f"{PLURALS[kind]}.{version.split('/')[0]}"
    for version, kinds in manifest.KINDS.items()
    for kind in kinds
)
MANAGED = "--selector=app.kubernetes.io/managed-by=model-verify"
LONG_SECONDS = 300


@dataclass
class Crowd:
    """Namespaces with five validations each, and four cluster validations over all of them.

    Attributes:
        name: what all names begin with.
        count: of namespaces.
    """

    server: ApiServer
    name: str
    count: int
    validations: list[Json] = field(default_factory=list)

    @property
    def namespaces(self) -> list[str]:
        """Their names."""
        return [f"{self.name}-{index}" for index in range(self.count)]

    def settle(self) -> None:
        """Makes the namespaces, in which pods can be made."""
        labels = {"crowd": self.name}
        made = [_namespace(each, labels) for each in self.namespaces]
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        made += [
            {**account, "metadata": {"name": "default", "namespace": each}}
            for each in self.namespaces
        ]
        self.send("apply", made)

    def validate(self) -> None:
        """Makes the validations, each with a policy of its own."""
        for namespace in self.namespaces:
            self.validations += [_validation(namespace, number) for number in range(5)]
        for number in range(4):
            made = resource(f"{self.name}-{number}", kind=manifest.CLUSTER_KIND)
            made["spec"]["namespaceSelector"] = {"matchLabels": {"crowd": self.name}}
            made["spec"]["model"] = {"path": f"/data/{self.name}-{number}"}
            self.validations.append(made)
        self.send("create", self.validations)

    def change(self, chosen: list[Json]) -> None:
        """Gives each of these a policy of another content."""
        for each in chosen:
            each["spec"]["mode"] = "warn"
        self.send("apply", chosen, "--server-side", "--force-conflicts")

    def found(self) -> dict[tuple[str, str, str, str], Json]:
        """The validations as the API server has them, by `mark`."""
        every = [each for name in RESOURCES for each in self._list(name)]
        return {mark(each): each for each in every if self._is_mine(each)}

    def ready(self) -> bool:
        """Whether each is ready with the policy that it should have.

        Raises:
            AssertionError: one of them is not.
        """
        found = self.found()
        for each in self.validations:
            now, policy = found[mark(each)], manifest.decode(each, "").policy
            status = now.get("status", {})
            assert status.get("observedGeneration") == now["metadata"]["generation"], mark(each)
            assert status["policySha256"] == policy.sha256, mark(each)
            assert status["conditions"][0]["status"] == "True", mark(each)
        return True

    def configmaps(self) -> set[tuple[str, str]]:
        """Namespace and name of what carries policies."""
        places = [(e["metadata"]["namespace"], e["metadata"]["name"]) for e in self._list("cm")]
        return {place for place in places if place[0] in set(self.namespaces)}

    def wanted(self) -> set[tuple[str, str]]:
        """The ConfigMaps that the validations say are in force."""
        places = set()
        for each in self.found().values():
            within = each["metadata"].get("namespace")
            name = each["status"]["configMap"]
            places |= {(place, name) for place in ([within] if within else self.namespaces)}
        return places

    def run(self, chosen: list[Json], terminated: list[Json]) -> None:
        """One pod under each of these, whose verifier ended as its counterpart says."""
        pods = [_pod(each, name=f"p-{n}") for n, each in enumerate(chosen)]
        self.send("create", pods)
        for made, ended in zip(pods, terminated, strict=True):
            made["status"] = {"initContainerStatuses": [_ended(ended)]}
        self.send("replace", pods, "--subresource=status")

    def send(self, verb: str, objects: list[Json], *options: str) -> None:
        """Sends many at once."""
        together = {"apiVersion": "v1", "kind": "List", "items": objects}
        arguments = (verb, *options, "--filename=-")
        self.server.kubectl(*arguments, stdin=together, seconds=LONG_SECONDS)

    def leave(self) -> None:
        """Takes away what a garbage collector would not: there may be none."""
        made = [*self.validations, *(_namespace(each, {}) for each in self.namespaces)]
        self.send("delete", made, "--wait=false", "--ignore-not-found")

    def _list(self, name: str) -> list[Json]:
        options = [MANAGED] if name == "cm" else []
        found: list[Json] = self.server.get(name, "--all-namespaces", *options)["items"]
        return found

    def _is_mine(self, made: Json) -> bool:
        return mark(made) in {mark(each) for each in self.validations}


def mark(made: Json) -> tuple[str, str, str, str]:
    """What a validation is called by."""
    metadata = made["metadata"]
    group = made["apiVersion"].split("/")[0]
    return group, made["kind"], metadata.get("namespace", ""), metadata["name"]


def _namespace(name: str, labels: Json) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _validation(namespace: str, number: int) -> Json:
    group = THEIRS if number == 3 else OURS
    made = resource(f"v-{number}", group=group, namespace=namespace)
    made["spec"]["model"] = {"path": f"/data/{namespace}-{number}"}
    if number == 1:
        del made["spec"]["config"]
        made["spec"]["signers"] = [{"key": {"publicKey": {"inline": KEY}}}]
    return made


def _pod(made: Json, name: str) -> Json:
    validation = manifest.decode(made, "")
    injected = restricted(inject(pod(), validation), made["metadata"]["namespace"])
    metadata = {**injected["metadata"], "name": name}
    metadata["labels"] = {"validation.ml.sigstore.dev/injected": "true"}
    return {**injected, "metadata": metadata}


def _ended(terminated: Json) -> Json:
    name = {"name": "model-validation", "image": "x", "imageID": "x"}
    return {**name, "ready": False, "restartCount": 0, "state": {"terminated": terminated}}


def said(code: int) -> Json:
    """How a verifier ends: with a yes for 0, else with a no."""
    verdict = ("TRUSTED", "VERIFIED") if code == 0 else ("REJECTED", "CONTENT_MISMATCH")
    message = {"v": 1, "verdict": verdict[0], "reason": verdict[1], "finding": ""}
    times = dict.fromkeys(("startedAt", "finishedAt"), "2026-01-01T00:00:00Z")
    return {"exitCode": code, "message": json.dumps(message), **times}
