"""What the verifier has to see: the paths of the policies, as every container sees them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier_cli.kube.mounts import Mount, can_hold_a_model, covers, mounts_of, view
from verifier_cli.kube.names import POLICIES, TOKEN
from verifier_cli.kube.shapes import Unfit, objects, text
from verifier_cli.policy import Certificate, Key, Material

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.mounts import Stores
    from verifier_cli.policy import Signer

Json = dict[str, Any]


def model_paths(validations: Sequence[Validation]) -> list[str]:
    """The paths of models that the policies name."""
    return sorted({m.path for each in validations for m in each.policy.models if m.path})


def other_paths(validations: Sequence[Validation]) -> list[str]:
    """The paths of signatures and of trust material: read, and of no use once that is done."""
    found = {m.signature_path for each in validations for m in each.policy.models}
    found |= {_material(s).path for each in validations for s in each.policy.signers}
    return sorted(path for path in found if path)


def _material(signer: Signer) -> Material:
    if isinstance(signer, Key):
        return signer.public_key
    if isinstance(signer, Certificate):
        return signer.trust_anchors
    return signer.trust_root or Material()


def roots_of(spec: Json, serving: Sequence[Json], validations: Sequence[Validation]) -> list[str]:
    """Where models are discovered if a policy names no path: what may hold one is mounted there.

    Args:
        spec: of the pod.
        serving: the containers that go on running, which could load a model.
    """
    if all(model.path for each in validations for model in each.policy.models):
        return []
    # Read-only or not: what comes after the verifier is made read-only, and must count again.
    handed = {
        mount.volume
        for init in objects(spec, "initContainers")
        for mount in mounts_of(init)
        if any(
            text(each, "name") != text(init, "name") and _mounts(each, mount.volume)
            for each in serving
        )
    }
    fit = {text(v, "name") for v in objects(spec, "volumes") if can_hold_a_model(v, handed)}
    found = sorted({m.path for each in serving for m in mounts_of(each) if m.volume in fit})
    if not found:
        raise Unfit("no volume of the pod can hold a model, and the validation names no model path")
    if any(sign in path for path in found for sign in ":$"):
        raise Unfit("a volume that may hold a model is mounted at a path with a colon or a dollar")
    return found


def _mounts(container: Json, volume: str) -> bool:
    return any(mount.volume == volume for mount in mounts_of(container))


def shared_mounts(containers: Sequence[Json], paths: Sequence[str], stores: Stores) -> list[Mount]:
    """The mounts that show every path as each container sees it that sees it at all."""
    found: dict[str, Mount] = {}
    for path in paths:
        views: dict[tuple[object, ...], tuple[str, tuple[Mount, ...]]] = {}
        for container in containers:
            mounts = view(container, path)
            if mounts:
                key = tuple((m.path, m.volume, m.sub_path, m.expanded) for m in mounts)
                views.setdefault(key, (text(container, "name"), mounts))
        if not views:
            raise Unfit(f"no container mounts a volume at {path}, which the validation names")
        if len(views) > 1:
            names = " and ".join(name for name, _ in list(views.values())[:2])
            raise Unfit(f"the containers {names} see different things at {path}")
        ((name, mounts),) = views.values()
        for mount in mounts:
            _check(name, mount, stores)
            found[mount.path] = mount
    return [found[path] for path in sorted(found)]


def _check(name: str, mount: Mount, stores: Stores) -> None:
    """Refuses what the verifier could not mount as the container `name` does."""
    if mount.expanded:
        raise Unfit(f"{name} mounts a subPathExpr at {mount.path}: use subPath")
    if mount.volume not in stores:
        raise Unfit(f"{name} mounts {mount.volume!r}, which is no volume of the pod")
    for taken in (POLICIES, TOKEN):
        if covers(mount.path, taken) or covers(taken, mount.path):
            raise Unfit(f"{name} mounts a volume at {mount.path}, where {taken} has to be")
