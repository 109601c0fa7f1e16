"""Pods by which somebody would have a model loaded that nobody verified, and how that shows.

The number of a bypass is its group: 1 the verifier's name, 2 order, 3 writers after the verdict, 4
what is seen, 6 namespaces that want models verified (5, updates, is the business of reviews).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.unit.kube.pods import CLAIM, PATH, container, inject, mount, pod, validation
from verifier_cli.kube.names import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]

SIDECAR: Json = {"restartPolicy": "Always"}
EMPTY: Json = {"emptyDir": {}}
# Where the OpenSSL of the verifier's image would look for its configuration, which can load code.
OPENSSL = "/opt/pyca/cryptography/openssl"


@dataclass(frozen=True)
class Bypass:
    """An attack on one injection.

    Attributes:
        shows: says of an injected pod how the attack shows in it, and "" of one where it does not.
        refused: a part of the sentence with which it is refused; "" where it is closed.
    """

    group: int
    pod: Json
    shows: Callable[[Json], str]
    refused: str = ""
    validations: tuple[Validation, ...] = (validation(),)


# How it shows, written without the code that is tested.


def _split(made: Json) -> tuple[list[Json], Json, list[Json]]:
    """What is before the verifier, the verifier, and what is after it."""
    inits = made["spec"]["initContainers"]
    (at,) = [index for index, each in enumerate(inits) if each["name"] == CONTAINER]
    return inits[:at], inits[at], [*inits[at + 1 :], *made["spec"]["containers"]]


def _place(path: str) -> str:
    """A path as a container with the usual links has it."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts[1:] if parts[:2] == ["var", "run"] else parts)


def _seen(container: Json, path: str = PATH) -> list[Json]:
    """The mounts at, above and below a path, without what does not matter to reading."""
    return sorted(
        (
            {"at": _place(m["mountPath"]), "of": m["name"], "part": m.get("subPath")}
            for m in container.get("volumeMounts", [])
            if f"{_place(m['mountPath'])}/".startswith(f"{path}/")
            or f"{path}/".startswith(f"{_place(m['mountPath'])}/")
        ),
        key=str,
    )


def written_later(volume: str) -> Callable[[Json], str]:
    def shows(made: Json) -> str:
        for each in _split(made)[2]:
            for m in each.get("volumeMounts", []):
                if m["name"] == volume and not m.get("readOnly"):
                    return f"{each['name']} can write {volume} after the verifier"
        return ""

    return shows


def written_below(volume: str) -> Callable[[Json], str]:
    def shows(made: Json) -> str:
        for each in _split(made)[2]:
            for m in each.get("volumeMounts", []):
                if m["name"] == volume and m.get("recursiveReadOnly") != "IfPossible":
                    return f"{each['name']} can write what the node mounts below {volume}"
        return ""

    return shows


def before(name: str) -> Callable[[Json], str]:
    def shows(made: Json) -> str:
        early = [each["name"] for each in _split(made)[0]]
        return f"{name} starts before the verifier" if name in early else ""

    return shows


def seen_otherwise(name: str, path: str = PATH) -> Callable[[Json], str]:
    def shows(made: Json) -> str:
        _, verifier, after = _split(made)
        (one,) = [each for each in after if each["name"] == name]
        same = _seen(one, path) == _seen(verifier, path)
        return "" if same else f"{name} sees another volume at {path} than the verifier"

    return shows


def twice(made: Json) -> str:
    for each in _split(made)[2]:
        places = [_place(m["mountPath"]) for m in each["volumeMounts"]]
        if len(set(places)) < len(places):
            return (
                f"{each['name']} mounts two volumes at one place, and the verifier sees the other"
            )
    return ""


def own_file(made: Json) -> str:
    for each in _split(made)[2]:
        paths = [each.get("terminationMessagePath", "")]
        paths += [device["devicePath"] for device in each.get("volumeDevices", [])]
        for path in paths:
            if _place(path).startswith(PATH):
                return f"{each['name']} sees a file at {path} that the verifier did not see"
    return ""


def has_device(made: Json) -> str:
    for each in _split(made)[2]:
        if each.get("volumeDevices"):
            return f"{each['name']} can write below the files after the verifier"
    return ""


def propagated(made: Json) -> str:
    for each in _split(made)[2]:
        if any(m.get("mountPropagation", "None") != "None" for m in each["volumeMounts"]):
            return f"{each['name']} sees what is mounted at the model after the verifier"
    return ""


def expanded(made: Json) -> str:
    parts = [m for m in _split(made)[1]["volumeMounts"] if "subPathExpr" in m]
    return "the verifier resolves the expression by its own variables" if parts else ""


def another_program(made: Json) -> str:
    verifier = _split(made)[1]
    names = {each["name"] for each in verifier.get("env", [])}
    paths = {each["mountPath"] for each in verifier.get("volumeMounts", [])}
    if "LD_PRELOAD" in names or paths & {"/usr/lib", OPENSSL} or "command" in verifier:
        return "what runs as the verifier is another program"
    return "the verifier is somebody else's image" if verifier["image"] == "evil" else ""


# The pods.


def _with_verifier(**changes: Any) -> Json:  # noqa: ANN401
    """A pod that was injected, whose verifier was changed: lists get longer, the rest is set."""
    made = copy.deepcopy(inject(pod()))
    verifier = _split(made)[1]
    for name, value in changes.items():
        verifier[name] = [*verifier.get(name, []), *value] if isinstance(value, list) else value
    return made


def _served(*more: Json, **volumes: Json) -> Json:
    """A pod with the model in a claim, its server, and other containers."""
    return pod(container("server", mount(readOnly=True)), *more, inits=(), **volumes)


def _downloaded(*sidecars: Json, spec: Json | None = None, **volumes: Json) -> Json:
    """A pod whose model is downloaded while sidecars run."""
    inits = (*sidecars, container("download", mount()))
    made = pod(container("server", mount()), inits=inits, **{"models": EMPTY, **volumes})
    made["spec"] |= spec or {}
    return made


def _sidecar(*mounts: Json, **more: object) -> Json:
    return container("proxy", *mounts, **SIDECAR, **more)


def _nfs(path: str, **more: object) -> Json:
    return {"nfs": {"server": "nas", "path": path, **more}}


def _host(path: str) -> Json:
    return {"hostPath": {"path": path}}


def _aliased(model: Json, alias: Json) -> Json:
    """A pod that mounts one storage under two names, the second one for writing."""
    return _served(container("tool", mount("/alias", "alias")), models=model, alias=alias)


DEVICE: Json = {"name": "raw", "devicePath": "/dev/xvda"}
RUN = (validation(model={"path": "/run/model"}),)
CSI: Json = {"csi": {"driver": "nfs.csi.example.com", "volumeAttributes": {"share": "/models"}}}
SAME_CSI: Json = {"csi": {"driver": "nfs.csi.example.com", "volumeAttributes": {"share": "/"}}}
EPHEMERAL: Json = {"ephemeral": {"volumeClaimTemplate": {}}}
OUTSIDE = container("tool", mount("/a", "workspace"))

BYPASSES: dict[str, Bypass] = {
    "an image of one's own under the verifier's name": Bypass(
        1,
        pod(inits=(container(CONTAINER, image="evil"),)),
        another_program,
        "are the verifier's",
    ),
    "another command in an injected verifier": Bypass(
        1, _with_verifier(command="true"), another_program, "is not what would be injected"
    ),
    "a library for the dynamic linker, by a variable": Bypass(
        1, _with_verifier(env=[{"name": "LD_PRELOAD", "value": "/data/x.so"}]), another_program
    ),
    "libraries mounted over the verifier's own": Bypass(
        1, _with_verifier(volumeMounts=[mount("/usr/lib")]), another_program
    ),
    "a model where the verifier's OpenSSL would load code": Bypass(
        1,
        pod(container("server", mount(OPENSSL))),
        another_program,
        "where the verifier has its own /opt/pyca",
        (validation(model=None),),
    ),
    "an init container that loads the model before its check": Bypass(
        2, pod(inits=(container("warm-up", mount(readOnly=True)),)), before("warm-up")
    ),
    "a sidecar that loads the model before its check": Bypass(
        2, pod(inits=(_sidecar(mount()),)), before("proxy")
    ),
    "a sidecar that waits for the download": Bypass(
        2, _downloaded(_sidecar(mount())), before("proxy"), "mounts the model and starts before"
    ),
    "a sidecar that only reads, and has the block device": Bypass(
        2,
        pod(
            inits=(_sidecar(volumeDevices=[DEVICE]), container("download", mount())),
            raw=CLAIM,
        ),
        before("proxy"),
        "mounts the model and starts before",
    ),
    "a sidecar that sees the downloader's processes": Bypass(
        2,
        _downloaded(_sidecar(), spec={"shareProcessNamespace": True}),
        before("proxy"),
        "take shareProcessNamespace and hostPID away",
    ),
    "a sidecar that sees all processes of the node": Bypass(
        2,
        _downloaded(_sidecar(), spec={"hostPID": True}),
        before("proxy"),
        "take shareProcessNamespace and hostPID away",
    ),
    "a sidecar with the kubelet's directory": Bypass(
        2,
        _downloaded(_sidecar(mount("/k", "node")), node=_host("/var/lib/kubelet/pods")),
        before("proxy"),
        "mounts the model and starts before",
    ),
    "a sidecar with the node's /proc": Bypass(
        2,
        _downloaded(_sidecar(mount("/k", "node", readOnly=True)), node=_host("/proc/")),
        before("proxy"),
        "mounts the model and starts before",
    ),
    "the server itself": Bypass(3, pod(container("server", mount())), written_later("models")),
    "a sidecar after the check": Bypass(
        3,
        pod(
            container("server", mount()),
            inits=(container("a"), _sidecar(mount("/x", "again"))),
            again=CLAIM,
        ),
        lambda made: written_later("again")(made) or before("proxy")(made),
    ),
    "the claim under another name": Bypass(3, _aliased(CLAIM, CLAIM), written_later("alias")),
    "a directory above in an NFS export": Bypass(
        3, _aliased(_nfs("/models"), _nfs("/")), written_later("alias")
    ),
    "an NFS export with a slash at its end": Bypass(
        3, _aliased(_nfs("/models", readOnly=True), _nfs("/models/")), written_later("alias")
    ),
    "a CSI volume with other attributes": Bypass(
        3, _aliased(CSI, SAME_CSI), written_later("alias")
    ),
    "a disk with other options": Bypass(
        3,
        _aliased(
            {"iscsi": {"targetPortal": "10.0.0.1", "iqn": "i", "lun": 0}},
            {"iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "i", "lun": 0}},
        ),
        written_later("alias"),
    ),
    "a directory above on the node": Bypass(
        3, _aliased(_host("/srv/models"), _host("/srv/")), written_later("alias")
    ),
    "a directory below on the node, by a link": Bypass(
        3, _aliased(_host("/run/models"), _host("/var/run/models/a")), written_later("alias")
    ),
    "the kubelet's directory": Bypass(
        3, _aliased(CLAIM, _host("/var/lib/kubelet")), written_later("alias")
    ),
    "the whole node": Bypass(3, _aliased(CLAIM, _host("/")), written_later("alias")),
    "what the node has mounted below the model": Bypass(
        3,
        pod(container("server", mount(readOnly=True)), models=_host("/srv")),
        written_below("models"),
    ),
    "the block device below the files": Bypass(
        3,
        _served(container("tool", volumeDevices=[DEVICE]), raw=CLAIM),
        has_device,
        "has the block device of the model's volume",
    ),
    "a mount that arrives later": Bypass(
        3,
        pod(container("server", mount(mountPropagation="HostToContainer"))),
        propagated,
        "with mountPropagation",
    ),
    "the directory that the model is mounted in": Bypass(
        3,
        pod(
            container("server", mount("/data", "workspace"), mount(PATH)),
            OUTSIDE,
            workspace=EMPTY,
        ),
        written_later("workspace"),
    ),
    "a decoy before the server": Bypass(
        4,
        pod(container("decoy", mount("/data", "decoy")), container("server", mount()), decoy=EMPTY),
        seen_otherwise("server"),
        "see different things",
    ),
    "a mount below the model in one of them": Bypass(
        4,
        _served(container("tool", mount(), mount(f"{PATH}/sub", "other")), other=EMPTY),
        seen_otherwise("tool"),
        "see different things",
    ),
    "another part of the volume": Bypass(
        4,
        _served(container("tool", mount("/data", subPath="old"))),
        seen_otherwise("tool"),
        "see different things",
    ),
    "a part that a variable names": Bypass(
        4,
        pod(container("server", mount(PATH, subPathExpr="$(PART)"))),
        expanded,
        "subPathExpr",
    ),
    "two volumes at one place": Bypass(
        4,
        pod(container("server", mount("/data"), mount("/data/", "other")), other=EMPTY),
        twice,
        "mounts two volumes at /data",
    ),
    "two volumes at one place, by a link that images have": Bypass(
        4,
        pod(
            container("server", mount("/run/model"), mount("/var/run/model", "other")), other=EMPTY
        ),
        twice,
        "mounts two volumes at /run/model",
        RUN,
    ),
    "another volume, by a link that images have": Bypass(
        4,
        pod(
            container("decoy", mount("/run/model")),
            container("server", mount("/var/run/model", "other")),
            other=EMPTY,
        ),
        seen_otherwise("server", "/run/model"),
        "see different things",
        RUN,
    ),
    "the termination message in the model": Bypass(
        4,
        pod(container("server", mount(), terminationMessagePath=f"{PATH}/config.json")),
        own_file,
        "has its terminationMessagePath /data/model/config.json",
    ),
    "a block device in the model": Bypass(
        4,
        pod(
            container(
                "server", mount(), volumeDevices=[{"name": "b", "devicePath": f"{PATH}/weights"}]
            ),
            b={"persistentVolumeClaim": {"claimName": "other"}},
        ),
        own_file,
        "has its devicePath /data/model/weights",
    ),
}

# Pods that nobody labelled, in a namespace that lets models in only verified.
UNASKED: dict[str, Json] = {
    "a claim": pod(),
    "an image volume": pod(models={"image": {"reference": "x"}}),
    "a directory of the node": pod(models=_host("/srv")),
    "an NFS export": pod(models=_nfs("/models")),
    "a CSI volume": pod(models=CSI),
    "an ephemeral volume": pod(models=EPHEMERAL),
    "a volume that an init container fills": _downloaded(),
    "a volume that an init container fills for a sidecar": pod(
        container("proxy"), inits=(container("download", mount()), _sidecar(mount())), models=EMPTY
    ),
}
