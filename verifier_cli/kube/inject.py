"""Wires the verifier into a pod. Pure: a pod and validations in, a pod out.

What must hold afterwards: the verifier runs before every workload container, it sees at every path
of its policies what each of them sees there, and nothing that runs later can write there. A pod
of which that cannot be said is not let in (`Unfit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.kube import caution
from verifier_cli.kube.container import additions, container, renewed, volume
from verifier_cli.kube.mounts import read
from verifier_cli.kube.names import ANNOTATION, CONTAINER, INJECTED, VOLUME
from verifier_cli.kube.shapes import Unfit, child, flag, objects, texts
from verifier_cli.kube.sight import (
    able,
    model_paths,
    mounts_for,
    other_paths,
    require_agreement,
    roots_of,
    sights,
    volumes_of,
)
from verifier_cli.kube.storage import holding, storages
from verifier_cli.kube.writers import closed, early_readers, place
from verifier_cli.policy import MAX_POLICIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.container import Settings

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Injection:
    """A pod with the verifier in it, and what its author should know.

    Attributes:
        policies: `NAME=SHA256,…`, as in the annotation that people read.
    """

    pod: Json
    policies: str
    warnings: tuple[str, ...] = ()


def inject(pod: Json, validations: Sequence[Validation], settings: Settings) -> Injection:
    """Wires one verifier for all validations into a pod; one that is there is renewed.

    Args:
        pod: of the API's version v1, as an object; it is not changed, and what stays as it is, is
            shared with the result.
        validations: at least one; their order does not matter.

    Raises:
        Unfit: the pod cannot be let in with a verifier that means something.
    """
    ordered = sorted(validations, key=_order)
    bare, found = _without_ours(pod)
    _require_possible(bare, ordered)
    return _inject(bare, ordered, settings, found)


def _order(validation: Validation) -> tuple[str, ...]:
    namespace, digest = validation.namespace or "", validation.policy.sha256
    return (validation.kind, validation.group, validation.name, namespace, digest)


def _require_possible(pod: Json, validations: Sequence[Validation]) -> None:
    spec = child(pod, "spec")
    if child(spec, "os").get("name") == "windows":
        raise Unfit("the pod is for Windows, where the verifier does not run")
    if not objects(spec, "containers"):
        raise Unfit("the pod has no containers")
    if len(validations) > MAX_POLICIES:
        raise Unfit(f"it is under {len(validations)} validations, and {MAX_POLICIES} are the most")


def _inject(
    pod: Json,
    validations: Sequence[Validation],
    settings: Settings,
    found: tuple[Json, Json] | None,
) -> Injection:
    """As `inject`, into a pod without a verifier; `found` is the one that it had."""
    spec = child(pod, "spec")
    inits = [read(each, init=True) for each in objects(spec, "initContainers")]
    workloads = [read(each, init=False) for each in objects(spec, "containers")]
    serving = [*(each for each in inits if each.sidecar), *workloads]
    stores = storages(spec)

    roots = roots_of(stores, inits, serving, validations)
    modelled, beside = [*roots, *model_paths(validations)], other_paths(validations)
    models, others = sights(serving, modelled, stores), sights(serving, beside, stores)
    held, fetched = holding(stores, volumes_of(models)), holding(stores, volumes_of(others))
    shared = flag(spec, "shareProcessNamespace") or flag(spec, "hostPID")
    at = place(inits, held, fetched, shared_processes=shared)
    require_agreement(inits[at:], {**others, **models})
    keep = all(each.wiring.mounts == "Preserve" for each in validations)
    after = [closed(each, held, stores, keep=keep) for each in [*inits[at:], *workloads]]

    mounts = mounts_for({**others, **models})
    ours = container(validations, settings, mounts, roots), volume(validations)
    verifier, warnings = (ours[0], []) if found is None else _renewed(found, ours)
    warnings += early_readers(inits[:at], held)
    warnings += caution.of_policies(validations)
    warnings += caution.of_might([*inits, *workloads], host_processes=flag(spec, "hostPID"))
    warnings += caution.of_images(stores, held)
    warnings += caution.of_decoys(workloads, held)
    may_hold = able(stores, inits, serving)
    warnings += caution.of_unseen(serving, [*modelled, *beside], may_hold, stores)
    warnings += [warning for _, each in after for warning in each]

    raws = [raw for raw, _ in after]
    late = len(inits) - at
    changed = {
        **spec,
        "initContainers": [*(each.raw for each in inits[:at]), verifier, *raws[:late]],
        "containers": raws[late:],
        # First, since the API server adds the token's last: injected again, it stays in its place.
        "volumes": [ours[1], *objects(spec, "volumes")],
    }
    pins = ",".join([f"{each.name}={each.policy.sha256}" for each in validations])
    whole = {**pod, "metadata": _marked(pod, pins), "spec": changed}
    return Injection(whole, pins, tuple(warnings))


def _marked(pod: Json, pins: str) -> Json:
    """The metadata with what people read, and what the controller looks for pods by."""
    metadata = child(pod, "metadata")
    return {
        **metadata,
        "annotations": {**texts(metadata, "annotations"), ANNOTATION: pins},
        "labels": {**texts(metadata, "labels"), INJECTED: "true"},
    }


# What is in the pod already.


def _renewed(found: tuple[Json, Json], made: tuple[Json, Json]) -> tuple[Json, list[str]]:
    """The container that goes in where one is already; what others added to it is told."""
    ours = renewed(found[0], made[0]) if found[1] == made[1] else None
    if ours is None:
        raise Unfit(
            f"a container or volume has the name of the verifier's ({CONTAINER}, {VOLUME}) and is "
            "not what would be injected: leave it out, it is added on admission"
        )
    added = ", ".join(additions(found[0], made[0]))
    return ours, [f"{CONTAINER} takes nothing from others: {added} left out"] if added else []


def _without_ours(pod: Json) -> tuple[Json, tuple[Json, Json] | None]:
    """The pod before an earlier injection, and what that had put in; None if there was none."""
    spec = child(pod, "spec")
    named = [
        (kind, each)
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for each in objects(spec, kind)
        if each.get("name") == CONTAINER
    ]
    volumes = [each for each in objects(spec, "volumes") if each.get("name") == VOLUME]
    if not named and not volumes:
        return pod, None
    if [kind for kind, _ in named] != ["initContainers"] or len(volumes) != 1:
        raise Unfit(
            f"the names {CONTAINER} (of one init container) and {VOLUME} (of one volume) are the "
            "verifier's: choose others"
        )
    bare = {
        **spec,
        "initContainers": [e for e in spec["initContainers"] if e.get("name") != CONTAINER],
        "volumes": [each for each in spec["volumes"] if each.get("name") != VOLUME],
    }
    return {**pod, "spec": bare}, (named[0][1], volumes[0])
