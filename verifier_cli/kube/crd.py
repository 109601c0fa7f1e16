"""The CustomResourceDefinitions, made from the types that read the resources. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.config import resource
from verifier_cli.config.declared import schema
from verifier_cli.config.manifest import CLUSTER_KIND, GROUP, PREDECESSOR_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

VERSION = "v1alpha1"
KIND = "ModelValidation"
# `kubectl get` shows all three kinds by it: a short name is of one group only.
CATEGORY = "model-verify"
PLURALS = {KIND: "modelvalidations", CLUSTER_KIND: "clustermodelvalidations"}


def _described(description: str, kind: str = "string", **more: object) -> Json:
    return {"type": kind, "description": description, **more}


def _time(description: str) -> Json:
    return _described(description, format="date-time")


def _count(description: str) -> Json:
    return _described(description, "integer", format="int32", minimum=0)


def _generation(description: str) -> Json:
    return _described(description, "integer", format="int64", minimum=0)


# As Kubernetes has it (meta/v1 Condition).
_CONDITION = {
    "type": "object",
    "description": "One aspect of the validation.",
    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
    "properties": {
        "type": _described("Ready.", maxLength=316),
        "status": _described("Whether it is so.", enum=["True", "False", "Unknown"]),
        "observedGeneration": _generation("The generation that this is about."),
        "lastTransitionTime": _time("When the status last changed."),
        "reason": _described("One word.", minLength=1, maxLength=1024),
        "message": _described("For people.", maxLength=32768),
    },
}
_LAST_GOOD = {
    "generation": _generation("Of that spec."),
    "spec": _described("The spec.", "object", **{"x-kubernetes-preserve-unknown-fields": True}),
}
_VERDICTS = {
    "verified": _count("Their models are what was signed."),
    "rejected": _count("Their models are not; the reason is in the pod's status."),
    "undetermined": _count("Their verifiers could not tell."),
    "pending": _count("Their verifiers have not ended yet."),
}
_LAST_REJECTION = {
    "pod": _described("NAMESPACE/NAME."),
    "reason": _described("As of the exit code."),
    "finding": _described("What was found."),
    "time": _time("When its verifier ended."),
}
# Written by the controller alone.
STATUS: Json = {
    "type": "object",
    "description": "What the controller made of the validation, and what the verifiers said.",
    "properties": {
        "observedGeneration": _generation("The generation that the rest is about."),
        "conditions": {
            "type": "array",
            "description": "Ready: the policy is rendered and in force.",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": _CONDITION,
        },
        "policySha256": _described("Digest of the policy in force."),
        "configMap": _described("The ConfigMap that holds it."),
        "method": _described("How the models must be signed."),
        "lastGood": _described(
            "The last valid spec: it stays in force while a change to it is not valid.",
            "object",
            properties=_LAST_GOOD,
        ),
        "verdicts": _described(
            "Pods under the validation, by what their verifiers said.",
            "object",
            properties=_VERDICTS,
        ),
        "lastRejection": _described(
            "The latest pod whose model was not verified.", "object", properties=_LAST_REJECTION
        ),
    },
}
_COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
    ("Method", "string", ".status.method"),
    ("Verified", "integer", ".status.verdicts.verified"),
    ("Rejected", "integer", ".status.verdicts.rejected"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
# With `--output wide` only.
_WIDE = (
    ("Undetermined", "integer", ".status.verdicts.undetermined"),
    ("Pending", "integer", ".status.verdicts.pending"),
    ("Mode", "string", ".spec.mode"),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message'),
)


def definitions() -> Iterator[Json]:
    """The three definitions: ours, the cluster's, and the predecessor's."""
    yield _definition(GROUP, KIND, ["mv"])
    yield _definition(GROUP, CLUSTER_KIND, ["cmv"])
    yield _definition(PREDECESSOR_GROUP, KIND, [])


def _definition(group: str, kind: str, short: list[str]) -> Json:
    cluster = kind == CLUSTER_KIND
    plural = PLURALS[kind]
    spec = schema(resource.ClusterSpec if cluster else resource.Spec)
    whole = {
        "type": "object",
        "description": f"{kind}: the models of pods, and who must have signed them.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": STATUS,
        },
    }
    columns: list[Json] = [{"name": n, "type": t, "jsonPath": path} for n, t, path in _COLUMNS]
    columns += [{"name": n, "type": t, "jsonPath": path, "priority": 1} for n, t, path in _WIDE]
    names: Json = {"kind": kind, "listKind": f"{kind}List", "plural": plural}
    names |= {"singular": kind.lower(), "categories": [CATEGORY]}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": whole},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster" if cluster else "Namespaced",
            "names": {**names, **({"shortNames": short} if short else {})},
            "versions": [version],
        },
    }
