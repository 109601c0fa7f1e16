"""A cluster with the guard in force, and validations in it."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from tests.cluster.apiserver import Refused
from tests.cluster.installed import in_force, manifests
from tests.unit.kube.pods import IMAGE, container, inject, mount, pod, resource
from verifier_cli.config import manifest
from verifier_cli.kube.configmap import configmap_name
from verifier_cli.kube.names import IMAGE as ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.apiserver import ApiServer
    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]

LABEL, THEIRS = "validation.ml.sigstore.dev/ml", "validation.rhtas.redhat.com/ml"
ENFORCE = "validation.ml.sigstore.dev/enforce"
# What the guard leaves alone: what passes there is refused elsewhere by the guard and nothing else.
OWN = "kube-system"
ACTIVE_SECONDS = 60


@dataclass
class Guarded:
    """A running API server with the guard.

    Attributes:
        known: the validations that are there, by name.
    """

    server: ApiServer
    known: dict[str, Validation] = field(default_factory=dict)

    def namespace(self, name: str, **labels: str) -> None:
        metadata = {"name": name, "labels": labels}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        account = {"name": "default", "namespace": name}
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})

    def apply(self, document: Json) -> None:
        self.server.kubectl("apply", "--server-side", "--filename=-", stdin=document)

    def validation(self, name: str, namespace: str | None, **what: object) -> None:
        """Creates one and writes its status, as the controller does."""
        made = resource(name, namespace=namespace, **cast("Any", what))
        found = manifest.decode(made, "")
        self.apply(made)
        self.status(made, {"policySha256": found.policy.sha256, "configMap": configmap_name(found)})
        self.known[name] = found

    def status(self, made: Json, status: object) -> None:
        group = made["apiVersion"].split("/")[0]
        patch = json.dumps({"status": status})
        where = [f"{made['kind'].lower()}s.{group}", made["metadata"]["name"]]
        if "namespace" in made["metadata"]:
            where.append(f"--namespace={made['metadata']['namespace']}")
        self.server.kubectl(
            "patch", *where, "--subresource=status", "--type=merge", f"--patch={patch}"
        )

    def injected(self, made: Json, *names: str, label: str = LABEL) -> Json:
        """The pod as the webhook would send it on, labelled with the first name."""
        result = inject(made, *(self.known[name] for name in names))
        result["metadata"]["labels"].setdefault(label, names[0])
        return result

    def send(self, made: Json, namespace: str) -> Json:
        """What would come of a pod in a namespace, which is not created.

        Raises:
            Refused: the server does not take it.
        """
        sent = nameless(made, namespace)
        ran = self.server.kubectl(
            "create", "--dry-run=server", "--output=json", "--filename=-", stdin=sent, check=False
        )
        if ran.returncode:
            raise Refused(ran.stderr)
        taken: Json = json.loads(ran.stdout)
        return taken


def nameless(made: Json, namespace: str) -> Json:
    """A pod that gets its name from the server."""
    metadata = {**made["metadata"], "namespace": namespace, "generateName": "p-"}
    del metadata["name"]
    return {**made, "metadata": metadata}


def until_refused(what: str, attempt: Callable[[], object], said: str) -> None:
    """Waits for a policy or a validation to reach the server's memory."""
    deadline = time.monotonic() + ACTIVE_SECONDS
    last = "nothing was refused"
    while time.monotonic() < deadline:
        try:
            attempt()
        except Refused as refused:
            last = str(refused)
            if said in last:
                return
        time.sleep(0.2)
    raise AssertionError(f"{what} is not in force: {last}")


@contextlib.contextmanager
def guard_on(installed: ApiServer) -> Iterator[Guarded]:
    """Puts the guard in force, for the image that the tests' pods have, and takes it away."""
    guarded = Guarded(installed)
    guarded.namespace(OWN)
    objects = manifests(installed)
    (own,) = [each for each in objects if each["kind"] == "Namespace"]
    guarded.apply({**own, "metadata": {**own["metadata"], "annotations": {ANNOTATION: IMAGE}}})
    with in_force(installed, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        yield guarded


def model_server(*inits: Json, **volumes: Json) -> Json:
    """A pod that serves the model of `PATH`."""
    return pod(container("server", mount()), inits=inits, **volumes)
