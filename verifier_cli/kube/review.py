"""Answers to admission reviews of pods: decode, decide, encode (admission.k8s.io/v1). Pure.

Whatever arrives: yes is said only to a pod that asks for nothing, or with the verifier in it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.errors import ModelVerifyError
from verifier_cli.kube.choice import Namespace, validations_for
from verifier_cli.kube.inject import inject
from verifier_cli.kube.names import CONTAINER, LABELS
from verifier_cli.kube.patch import patch
from verifier_cli.kube.shapes import Unfit, child, flag, objects, text, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.container import Settings
    from verifier_cli.kube.inforce import Unready

Json = dict[str, Any]

VERSION = "admission.k8s.io/v1"


class MalformedReviewError(Exception):
    """What arrived is no admission review of a pod; the message is for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Admit:
    """The pod may be created, changed as `patch` says (RFC 6902); an empty one changes nothing.

    Attributes:
        policies: what it was wired for, as in its annotation; None if nobody asks for any.
    """

    patch: tuple[Json, ...] = ()
    warnings: tuple[str, ...] = ()
    policies: str | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """The pod may not be created; `reason` is a sentence for its author."""

    reason: str


Decision = Admit | Deny


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an admission webhook for pods.

    Attributes:
        pod: as it would be.
        old: the pod before an update.
        user: who asks; empty if nobody is named.
    """

    uid: str
    operation: str
    namespace: str
    pod: Json
    old: Json
    user: str = ""
    dry_run: bool = False


def decode(review: object) -> Request:
    """Reads an AdmissionReview.

    Raises:
        MalformedReviewError: it is none, or not of a pod.
    """
    try:
        if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
            raise MalformedReviewError("the body is not an AdmissionReview")
        if review.get("apiVersion") != VERSION:
            raise MalformedReviewError(f"the review is not of {VERSION}")
        asked = child(review, "request")
        if child(asked, "resource").get("resource") != "pods" or asked.get("subResource"):
            raise MalformedReviewError("the review is not about a pod")
        return Request(
            uid=text(asked, "uid"),
            operation=text(asked, "operation"),
            namespace=text(asked, "namespace"),
            pod=child(asked, "object"),
            old=child(asked, "oldObject"),
            user=text(child(asked, "userInfo"), "username", default=""),
            dry_run=flag(asked, "dryRun"),
        )
    except Unfit as error:
        raise MalformedReviewError(f"the review is malformed: {error}") from None


def decide(
    request: Request,
    known: Iterable[Validation | Unready],
    namespaces: Mapping[str, Mapping[str, str]],
    settings: Settings,
) -> Decision:
    """Decides about one request; never raises.

    Args:
        request: to create or update a pod.
        known: the validations of all namespaces.
        namespaces: the labels of every namespace, by name.
        settings: of this installation.
    """
    labels = namespaces.get(request.namespace)
    if labels is None:
        return Deny(_sentence(request, "its namespace is not known to the webhook yet: try again"))
    try:
        return _decide(request, Namespace(request.namespace, labels), known, settings)
    except Unfit as error:
        return Deny(_sentence(request, str(error)))
    except (ModelVerifyError, RecursionError) as error:
        return Deny(_sentence(request, f"it cannot be judged: {error}"))


def _decide(
    request: Request,
    namespace: Namespace,
    known: Iterable[Validation | Unready],
    settings: Settings,
) -> Decision:
    if request.operation == "UPDATE":
        return _update(request)
    found = validations_for(request.pod, namespace, known) if request.operation == "CREATE" else []
    if not found:
        return Admit()
    injected = inject(request.pod, found, settings)
    operations = tuple(patch(request.pod, injected.pod))
    return Admit(operations, injected.warnings, injected.policies)


def _update(request: Request) -> Decision:
    """A label that is put on later says what never happened; the rest is the guard's business."""
    before = texts(child(request.old, "metadata"), "labels")
    after = texts(child(request.pod, "metadata"), "labels")
    for label in LABELS.values():
        if after.get(label) != before.get(label):
            raise Unfit(
                f"the label {label} cannot be put on, changed or taken away on a running pod, "
                "whose model was verified at its start or not at all: create it anew"
            )
    if _verifier_image(request.pod) != _verifier_image(request.old):
        raise Unfit(f"the image of the container {CONTAINER} cannot be changed: create it anew")
    return Admit()


def _verifier_image(pod: Json) -> list[object]:
    containers = objects(child(pod, "spec"), "initContainers")
    return [each.get("image") for each in containers if each.get("name") == CONTAINER]


def _sentence(request: Request, reason: str) -> str:
    metadata = request.pod.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    name, generated = known.get("name"), known.get("generateName")
    # What is no text could be too deep to be shown.
    if not isinstance(name, str) or not name:
        name = f"{generated if isinstance(generated, str) else ''}…"
    return f"pod {request.namespace}/{name} is not let in: {reason}"


def _dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def encode(request: Request, decision: Decision, dumps: Callable[[object], bytes] = _dumps) -> Json:
    """The AdmissionReview that answers a request; `dumps` writes the patch as JSON."""
    response: Json = {"uid": request.uid, "allowed": isinstance(decision, Admit)}
    if isinstance(decision, Deny):
        response["status"] = {"code": 403, "reason": "Forbidden", "message": decision.reason}
    else:
        if decision.patch:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(dumps(decision.patch)).decode()
        if decision.warnings:
            response["warnings"] = list(decision.warnings)
    return {"apiVersion": VERSION, "kind": "AdmissionReview", "response": response}
