"""Wires the verifier into a pod. Pure: a pod and validations in, a pod out.

What must hold afterwards: the verifier runs before every workload container, it sees at every path
of its policies what each of them sees there, and nothing that runs later can write there. A pod
of which that cannot be said is not let in (`Unfit`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.kube.container import container, is_genuine, volume
from verifier_cli.kube.mounts import storages
from verifier_cli.kube.names import ANNOTATION, CONTAINER, VOLUME
from verifier_cli.kube.shapes import Unfit, child, objects, text, texts
from verifier_cli.kube.sight import model_paths, other_paths, roots_of, shared_mounts
from verifier_cli.kube.writers import close, early_readers, is_sidecar, place
from verifier_cli.policy import MAX_POLICIES, Certificate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.container import Settings

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Injection:
    """A pod with the verifier in it, and what its author should know."""

    pod: Json
    warnings: tuple[str, ...] = ()


def inject(pod: Json, validations: Sequence[Validation], settings: Settings) -> Injection:
    """Wires one verifier for all validations into a pod; a genuine one is replaced by itself.

    Args:
        pod: of the API's version v1, as an object; it is not changed.
        validations: at least one; their order does not matter.

    Raises:
        Unfit: the pod cannot be let in with a verifier that means something.
    """
    ordered = sorted(validations, key=_order)
    bare, found = _without_ours(pod)
    made = _inject(bare, ordered, settings)
    if found is not None and not is_genuine(found, _ours(made.pod)):
        raise Unfit(
            f"a container or volume has the name of the verifier's ({CONTAINER}, {VOLUME}) and is "
            "not what would be injected: leave it out, it is added on admission"
        )
    return made


def _order(validation: Validation) -> tuple[str, ...]:
    namespace, digest = validation.namespace or "", validation.policy.sha256
    return (validation.kind, validation.group, validation.name, namespace, digest)


def _inject(pod: Json, validations: Sequence[Validation], settings: Settings) -> Injection:
    """As `inject`, into the very pod that is given; it has no verifier yet."""
    spec = child(pod, "spec")
    if child(spec, "os").get("name") == "windows":
        raise Unfit("the pod is for Windows, where the verifier does not run")
    inits, workloads = objects(spec, "initContainers"), objects(spec, "containers")
    if not workloads:
        raise Unfit("the pod has no containers")
    for each in [*inits, *workloads]:
        text(each, "name")
    if len(validations) > MAX_POLICIES:
        raise Unfit(f"it is under {len(validations)} validations, and {MAX_POLICIES} are the most")
    stores = storages(spec)
    serving = [*(each for each in inits if is_sidecar(each)), *workloads]
    roots = roots_of(spec, serving, validations)
    models = [*roots, *model_paths(validations)]
    paths = [*models, *other_paths(validations)]
    held = {stores[mount.volume] for mount in shared_mounts(serving, models, stores)}
    mounts = shared_mounts(serving, paths, stores)
    at = place(inits, stores, held)
    shared_mounts([*inits[at:], *serving], paths, stores)
    warnings = [
        f"{name} reads the model before its check"
        for name in early_readers(inits[:at], stores, held)
    ]
    warnings += _anybody(validations)
    keep = all(each.wiring.mounts == "Preserve" for each in validations)
    for each in [*inits[at:], *workloads]:
        warnings += close(each, stores, held, keep=keep)
    verifier = container(validations, settings, mounts, roots)
    spec["initContainers"] = [*inits[:at], verifier, *inits[at:]]
    spec["volumes"] = [*objects(spec, "volumes"), volume(validations)]
    pins = ",".join(f"{each.name}={each.policy.sha256}" for each in validations)
    metadata = child(pod, "metadata")
    annotations = {**texts(metadata, "annotations"), ANNOTATION: pins}
    pod["metadata"] = {**metadata, "annotations": annotations}
    return Injection(pod, tuple(warnings))


def _anybody(validations: Sequence[Validation]) -> list[str]:
    return [
        f"{each.name} names no identity: any code-signing certificate under its anchors will do"
        for each in validations
        if any(isinstance(s, Certificate) and s.identity is None for s in each.policy.signers)
    ]


# What is in the pod already.


def _without_ours(pod: Json) -> tuple[Json, tuple[Json, Json] | None]:
    """The pod before an earlier injection, and what that had put in; None if there was none."""
    bare = copy.deepcopy(pod)
    spec = child(bare, "spec")
    named = [
        (kind, each)
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for each in objects(spec, kind)
        if each.get("name") == CONTAINER
    ]
    volumes = [each for each in objects(spec, "volumes") if each.get("name") == VOLUME]
    if not named and not volumes:
        return bare, None
    if [kind for kind, _ in named] != ["initContainers"] or len(volumes) != 1:
        raise Unfit(
            f"the names {CONTAINER} (of one init container) and {VOLUME} (of one volume) are the "
            "verifier's: choose others"
        )
    for kind, name in (("initContainers", CONTAINER), ("volumes", VOLUME)):
        spec[kind] = [each for each in spec[kind] if each.get("name") != name]
    return bare, (named[0][1], volumes[0])


def _ours(pod: Json) -> tuple[Json, Json]:
    (container,) = [each for each in pod["spec"]["initContainers"] if each["name"] == CONTAINER]
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == VOLUME]
    return container, volume
