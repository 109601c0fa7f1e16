"""The verifier's container and its volume. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.config.reader import POLICY_KEY
from verifier_cli.kube.configmap import configmap_name
from verifier_cli.kube.names import CONTAINER, POLICIES, TOKEN, VOLUME
from verifier_cli.kube.shapes import child, objects, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.config.manifest import Validation
    from verifier_cli.kube.mounts import Mount

Json = dict[str, Any]

_BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the installation decides, not a validation.

    Attributes:
        image: the verifier's, by digest.
        development: lets the image be named by a tag.
        user: the uid that the verifier runs as; None leaves it to the cluster (OpenShift).
    """

    image: str
    development: bool = False
    user: int | None = 65532

    def __post_init__(self) -> None:
        """Refuses an image that somebody could move, or none."""
        if not self.image:
            raise ValueError("no verifier image is named")
        if not self.development and _BY_DIGEST.fullmatch(self.image) is None:
            raise ValueError(f"the verifier image {self.image!r} is not named by digest")


def container(
    validations: Sequence[Validation],
    settings: Settings,
    mounts: Sequence[Mount],
    roots: Sequence[str],
) -> Json:
    """The verifier's container, with every default written out that the API server would add."""
    pins = sorted({each.policy.sha256 for each in validations})
    env: list[Json] = [
        {"name": "MODEL_VERIFY_POLICY", "value": POLICIES},
        {"name": "MODEL_VERIFY_POLICY_SHA256", "value": ",".join(pins)},
        *([{"name": "MODEL_VERIFY_ROOTS", "value": ":".join(roots)}] if roots else []),
        _from_field("POD_NAME", "metadata.name"),
        _from_field("POD_NAMESPACE", "metadata.namespace"),
    ]
    pulls = [each.wiring.image_pull_policy for each in validations]
    user = {} if settings.user is None else {"runAsUser": settings.user}
    return {
        "name": CONTAINER,
        "image": settings.image,
        "imagePullPolicy": next((pull for pull in pulls if pull), "IfNotPresent"),
        "args": ["init"],
        "env": env,
        "resources": _resources(validations),
        "securityContext": {
            "runAsNonRoot": True,
            **user,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": VOLUME, "mountPath": POLICIES, "readOnly": True},
            # Where the API's token would be mounted: the verifier needs none, and gets none.
            {"name": VOLUME, "mountPath": TOKEN, "readOnly": True},
            *(_mount(mount) for mount in mounts),
        ],
    }


def _from_field(name: str, path: str) -> Json:
    field_ref = {"apiVersion": "v1", "fieldPath": path}
    return {"name": name, "valueFrom": {"fieldRef": field_ref}}


def _mount(mount: Mount) -> Json:
    part = {"subPath": mount.sub_path} if mount.sub_path else {}
    return {"name": mount.volume, "mountPath": mount.path, "readOnly": True, **part}


def _resources(validations: Sequence[Validation]) -> Json:
    """What the first validation asks for that asks at all."""
    for each in validations:
        if each.wiring.resources:
            return each.wiring.resources
    return {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}


def volume(validations: Sequence[Validation]) -> Json:
    """Every policy in a directory of its own, named by its ConfigMap."""
    names = sorted({configmap_name(each) for each in validations})
    sources = [
        {
            "configMap": {
                "name": name,
                "items": [{"key": POLICY_KEY, "path": f"{name}/{POLICY_KEY}"}],
            }
        }
        for name in names
    ]
    return {"name": VOLUME, "projected": {"defaultMode": 0o644, "sources": sources}}


# Ids that a cluster (OpenShift) chooses for every pod.
_CHOSEN = ("runAsUser", "runAsGroup", "seLinuxOptions")
_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})


def renewed(there: Json, made: Json) -> Json | None:
    """The verifier that is there, without what others added to it; None if it is another's.

    What the API server and its plugins write into every container stays as they wrote it, so that
    an injected pod is injected again without a change: resources, when the image is pulled, ids of
    the cluster's choice. Variables and mounts that another webhook added are left out: one variable
    of the dynamic linker's, and one mount, make another program of the verifier. All else must
    be what would be injected.
    """
    rest = {
        **there,
        **{name: made[name] for name in ("env", "volumeMounts", "resources", "imagePullPolicy")},
        "securityContext": _without_choice(there, made),
    }
    if rest != made or not _are_plain(child(there, "resources"), made["resources"]):
        return None
    for part in ("env", "volumeMounts"):
        found = objects(there, part)
        if not all(each in found for each in made[part]):
            return None
    return {**there, "env": made["env"], "volumeMounts": made["volumeMounts"]}


def additions(there: Json, made: Json) -> list[str]:
    """The variables and mounts that others added to the verifier, for people to read."""
    return [
        text(each, "name" if part == "env" else "mountPath")
        for part in ("env", "volumeMounts")
        for each in objects(there, part)
        if each not in made[part]
    ]


def _without_choice(there: Json, made: Json) -> Json:
    ours = child(made, "securityContext")
    context = child(there, "securityContext")
    return {key: value for key, value in context.items() if key in ours or key not in _CHOSEN}


def _are_plain(resources: Json, ours: Json) -> bool:
    """Whether resources are amounts of what any node has: devices bring files of their own."""
    known = _RESOURCES.union(*(child(ours, part) for part in ours))
    return all(
        part in ("requests", "limits") and known.issuperset(child(resources, part))
        for part in resources
    )
