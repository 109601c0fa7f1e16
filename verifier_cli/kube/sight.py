"""What the verifier has to see: the paths of the policies, as every container sees them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from verifier_cli.kube.mounts import normalised, overlap, require_nothing_else, spelled, view
from verifier_cli.kube.names import POLICIES, TOKEN
from verifier_cli.kube.shapes import Unfit
from verifier_cli.kube.storage import can_hold_a_model
from verifier_cli.policy import material_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.mounts import Container, Mount
    from verifier_cli.kube.storage import Stores

# Where nothing of the pod may be mounted in the verifier: its policies, and what it runs
# (manifests/base/guard/verifier.yaml has the same list).
_TAKEN = tuple(
    (path, normalised(path))
    for path in (
        POLICIES,
        TOKEN,
        *("/bin", "/dev", "/etc", "/lib", "/lib64", "/opt/model-verify", "/proc", "/sys"),
        # The home of cryptography's OpenSSL, whose configuration can load any code.
        "/opt/pyca",
        *("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local/lib"),
    )
)


class Sight(NamedTuple):
    """The mounts that decide what is at a path, and the first container that has them."""

    container: str
    mounts: list[Mount]


Sights = dict[str, Sight]


def model_paths(validations: Sequence[Validation]) -> list[str]:
    """The paths of models that the policies name."""
    return sorted({m.path for each in validations for m in each.policy.models if m.path})


def other_paths(validations: Sequence[Validation]) -> list[str]:
    """The paths of signatures and of trust material: read, and of no use once that is done."""
    found = {m.signature_path for each in validations for m in each.policy.models}
    for each in validations:
        given = [material_of(signer)[1] for signer in each.policy.signers]
        found |= {material.path for material in given if material}
    return sorted(path for path in found if path)


def roots_of(
    stores: Stores,
    inits: Sequence[Container],
    serving: Sequence[Container],
    validations: Sequence[Validation],
) -> list[str]:
    """Where models are discovered if a policy names no path: what may hold one is mounted there.

    Args:
        stores: what is behind the volumes of the pod.
        inits: its init containers.
        serving: the containers that go on running, which could load a model.
        validations: that the pod is under.
    """
    if all(model.path for each in validations for model in each.policy.models):
        return []
    fit = able(stores, inits, serving)
    found = sorted({m.path for each in serving for m in each.mounts if m.volume in fit})
    if not found:
        raise Unfit("no volume of the pod can hold a model, and the validation names no model path")
    if any(sign in path for path in found for sign in ":$"):
        raise Unfit("a volume that may hold a model is mounted at a path with a colon or a dollar")
    return found


def able(stores: Stores, inits: Iterable[Container], serving: Sequence[Container]) -> set[str]:
    """The volumes in which the containers that go on running may find a model."""
    # Read-only or not: what comes after the verifier is made read-only, and must count again.
    handed = handed_over(inits, serving)
    return {name for name, store in stores.items() if can_hold_a_model(name, store, handed)}


def handed_over(inits: Iterable[Container], serving: Sequence[Container]) -> set[str]:
    """The volumes that one of `inits` shares with another container, which goes on running."""
    found: set[str] = set()
    for init in inits:
        if given := {mount.volume for mount in init.mounts}:
            others = [each.mounts for each in serving if each.name != init.name]
            found |= {mount.volume for mounts in others for mount in mounts} & given
    return found


def sights(containers: Sequence[Container], paths: Iterable[str], stores: Stores) -> Sights:
    """By path what every container sees there that sees it at all.

    Raises:
        Unfit: none does, two see different things, or the verifier could not mount it as they do.
    """
    found: Sights = {}
    for path in paths:
        for container in containers:
            _add(found, path, container)
        if path not in found:
            raise Unfit(f"no container mounts a volume at {path}, which the validation names")
        for mount in found[path].mounts:
            _check(found[path].container, mount, stores)
    return found


def require_agreement(containers: Sequence[Container], found: Sights) -> None:
    """Refuses containers of which one sees something else than what was found, or of its own."""
    for container in containers:
        for path in found:
            _add(found, path, container)


def _add(found: Sights, path: str, container: Container) -> None:
    outer, mounts = view(container, normalised(path))
    if not mounts:
        return
    require_nothing_else(container, outer)
    known = found.setdefault(path, Sight(container.name, mounts))
    # Whether they are read-only does not matter here: it is the last of a mount's parts.
    if [mount[:-1] for mount in known.mounts] != [mount[:-1] for mount in mounts]:
        raise Unfit(
            f"the containers {known.container} and {container.name} see different things at {path}"
        )


def _check(name: str, mount: Mount, stores: Stores) -> None:
    """Refuses what the verifier could not mount as the container `name` does."""
    if mount.expanded:
        raise Unfit(f"{name} mounts a subPathExpr at {mount.path}: use subPath")
    if mount.volume not in stores:
        raise Unfit(f"{name} mounts {mount.volume!r}, which is no volume of the pod")
    for taken, place in _TAKEN:
        if overlap(mount.path, place):
            raise Unfit(
                f"{name} mounts a volume at {mount.path}, where the verifier has its own {taken}: "
                "mount it elsewhere"
            )


def volumes_of(found: Sights) -> set[str]:
    """The names of the volumes that were found."""
    return {mount.volume for sight in found.values() for mount in sight.mounts}


def mounts_for(found: Mapping[str, Sight]) -> list[Mount]:
    """The mounts by which the verifier sees all that was found, sorted by path."""
    mounts = {
        (place := spelled(mount.path, path)): mount._replace(path=place)
        for path, sight in found.items()
        for mount in sight.mounts
    }
    return [mounts[path] for path in sorted(mounts)]
