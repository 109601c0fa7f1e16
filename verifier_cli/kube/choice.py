"""Which validations a pod is under, by its labels and its namespace. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.config.manifest import CLUSTER_KIND
from verifier_cli.kube.inforce import Unready
from verifier_cli.kube.mounts import read
from verifier_cli.kube.names import ENFORCE, LABELS
from verifier_cli.kube.shapes import Unfit, child, objects, texts
from verifier_cli.kube.sight import handed_over
from verifier_cli.kube.storage import can_hold_a_model, storages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]

ALL = "true"


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where a pod is to be created."""

    name: str
    labels: Mapping[str, str]

    @property
    def enforced(self) -> bool:
        """Whether pods without the label are held back here."""
        return self.labels.get(ENFORCE) == "true"


def validations_for(
    pod: Json, namespace: Namespace, known: Iterable[Validation | Unready]
) -> list[Validation]:
    """The validations that must all hold for a pod; none if nobody asks for any.

    Args:
        pod: of the API's version v1, as an object.
        known: of every namespace.

    Raises:
        Unfit: a label asks for what is not there or not ready, or the namespace wants what nobody
            names.
    """
    found: list[Validation] = []
    for each in _asked_for(pod, namespace, known):
        if isinstance(each, Unready):
            raise Unfit(f"the {each.kind} {each.name} of {each.group} {each.reason}")
        found.append(each)
    return found


def _asked_for(
    pod: Json, namespace: Namespace, known: Iterable[Validation | Unready]
) -> list[Validation | Unready]:
    labels = texts(child(pod, "metadata"), "labels")
    here = [each for each in known if _reaches(each, namespace)]
    over = [e for e in here if e.kind == CLUSTER_KIND and e.wiring.selector.selects(labels)]
    asked = {group: labels[label] for group, label in LABELS.items() if label in labels}
    if not asked:
        return over if namespace.enforced and (over or _holds_back(pod, namespace)) else []
    found = list(over)
    for group, value in asked.items():
        local = [each for each in here if each.kind != CLUSTER_KIND and each.group == group]
        if value == ALL:
            found += [each for each in local if each.wiring.selector.selects(labels)]
        elif named := [each for each in local if each.name == value]:
            found += named
        else:
            raise Unfit(
                f"its label {LABELS[group]}={value!r} names no ModelValidation of {group} in "
                f"namespace {namespace.name}: create it, or name one that is there"
            )
    if not found:
        raise Unfit(
            f"its label asks for every ModelValidation of namespace {namespace.name} that selects "
            "it, and there is none: create one, or take the label away"
        )
    return found


def _reaches(validation: Validation | Unready, namespace: Namespace) -> bool:
    """Whether a validation is of this namespace, or selects it."""
    if validation.kind == CLUSTER_KIND:
        return validation.wiring.namespace_selector.selects(namespace.labels)
    return validation.namespace in (None, namespace.name)


def _holds_back(pod: Json, namespace: Namespace) -> bool:
    """Refuses a pod with a volume that can hold a model unasked; False for one without.

    An emptyDir can, once an init container that ends has filled it for others. What a container
    fetches itself, for itself or beside others, no look at a pod can tell from scratch space.
    """
    spec = child(pod, "spec")
    inits = [read(each, init=True) for each in objects(spec, "initContainers")]
    workloads = [read(each, init=False) for each in objects(spec, "containers")]
    sidecars = [each for each in inits if each.sidecar]
    handed = handed_over([e for e in inits if not e.sidecar], [*sidecars, *workloads])
    for name, store in storages(spec).items():
        if can_hold_a_model(name, store, handed):
            raise Unfit(
                f"it mounts the volume {name!r}, and namespace {namespace.name} "
                f"lets models in only verified: label the pod {LABELS['ml.sigstore.dev']}=NAME"
            )
    return False
