"""Pods that the webhook would send on, and attempts to have others let in."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.cluster.guarded import LABEL, THEIRS, model_server
from tests.unit.kube.pods import CLAIM, IMAGE, PATH, container, mount, pod, verifier
from verifier_cli.kube.container import Settings
from verifier_cli.kube.inject import inject
from verifier_cli.kube.names import VOLUME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.guarded import Guarded

Json = dict[str, Any]

SIDECAR = {"restartPolicy": "Always"}
EMPTY: Json = {"emptyDir": {}}


def other_names(made: Json, **labels: str) -> Json:
    made["metadata"]["labels"].update(labels)
    return made


TWICE = {"app": "x", LABEL: "true"}
GENUINE: dict[str, Callable[[Guarded], Json]] = {
    "named": lambda g: g.injected(model_server(), "demo"),
    "named, of the older group": lambda g: g.injected(model_server(), "theirs", label=THEIRS),
    "under all that select it": lambda g: g.injected(
        other_names(model_server(), **TWICE), "demo", "second", "keep", "found"
    ),
    "under two groups": lambda g: other_names(
        g.injected(model_server(), "demo", "theirs"), **{THEIRS: "theirs"}
    ),
    "a path and discovery": lambda g: g.injected(model_server(), "mixed"),
    "discovery, also in what an init container brings": lambda g: g.injected(
        pod(
            container("server", mount(), mount("/cache", "cache"), mount("/work", "work")),
            inits=(container("download", mount("/out", "cache")),),
            cache=EMPTY,
            work=EMPTY,
        ),
        "found",
    ),
    "a downloader, a sidecar that reads, one that has nothing to do with it": lambda g: g.injected(
        model_server(
            container("proxy", **SIDECAR),
            container("download", mount()),
            container("reader", mount("/data/"), **SIDECAR),
            models=EMPTY,
        ),
        "demo",
    ),
    "preserved": lambda g: g.injected(model_server(container("w", mount(), **SIDECAR)), "keep"),
    "parts of volumes": lambda g: g.injected(
        pod(
            container("server", mount("/data/model", subPath="a"), mount("/data/model/x", "sub")),
            container("other", mount("/elsewhere", "logs")),
            sub=EMPTY,
            logs=EMPTY,
        ),
        "demo",
    ),
    "without a uid": lambda g: other_names(
        inject(model_server(), [g.known["demo"]], Settings(IMAGE, user=None)).pod, **{LABEL: "demo"}
    ),
}


# Attempts to get round it. Each changes a genuine pod.


def twin(made: Json) -> Json:
    """The workload gets another way to the model's volume, and writes through it."""
    made["spec"]["volumes"].append({"name": "again", **CLAIM})
    workload(made)["volumeMounts"].append(mount("/again", "again"))
    return made


def workload(made: Json) -> Json:
    found: Json = made["spec"]["containers"][0]
    return found


def env(made: Json, name: str, value: str) -> None:
    variables = verifier(made)["env"]
    variables[:] = [each for each in variables if each["name"] != name]
    variables.append({"name": name, "value": value})


def sources(made: Json) -> list[Json]:
    (volume,) = [each for each in made["spec"]["volumes"] if each["name"] == VOLUME]
    found: list[Json] = volume["projected"]["sources"]
    return found


def in_containers(made: Json) -> None:
    ours = verifier(made)
    made["spec"]["initContainers"] = []
    made["spec"]["containers"].append(ours)


def append_init(made: Json, *mounts: Json, **more: object) -> None:
    made["spec"]["initContainers"].append(container("late", *mounts, **more))


def prepend_init(made: Json, *mounts: Json, **more: object) -> None:
    made["spec"]["initContainers"].insert(0, container("first", *mounts, **more))


def add_mount(made: Json, each: Json, **volume: Json) -> None:
    made["spec"]["volumes"] += [{"name": name, **source} for name, source in volume.items()]
    workload(made)["volumeMounts"].append(each)


def add_everywhere(made: Json, each: Json, **volume: Json) -> None:
    add_mount(made, each, **volume)
    verifier(made)["volumeMounts"].append({**each, "readOnly": True})


def host_paths(made: Json) -> None:
    made["spec"]["volumes"][1] = {"name": "models", "hostPath": {"path": "/srv/models"}}
    add_mount(made, mount("/all", "above"), above={"hostPath": {"path": "/srv//"}})


def network_volumes(made: Json) -> None:
    source = {"nfs": {"server": "nas", "path": "/m", "readOnly": True}}
    made["spec"]["volumes"][1] = {"name": "models", **source}
    source = {"nfs": {"server": "nas", "path": "/m"}}
    add_mount(made, mount("/all", "again"), again=source)


def block_device(made: Json) -> None:
    made["spec"]["volumes"].append({"name": "raw", **CLAIM})
    workload(made)["volumeDevices"] = [{"name": "raw", "devicePath": "/dev/model"}]


def other_volume(made: Json) -> None:
    """The verifier is shown a good model, the workload another."""
    made["spec"]["volumes"].append({"name": "good", "persistentVolumeClaim": {"claimName": "g"}})
    (theirs,) = [each for each in verifier(made)["volumeMounts"] if each["name"] == "models"]
    theirs["name"] = "good"


def no_label_value(made: Json) -> None:
    made["metadata"]["labels"][LABEL] = "nobody"
    workload(made)["volumeMounts"][0]["readOnly"] = False


def stale(made: Json) -> None:
    """The label names nothing, and the policy is what a validation said once."""
    made["metadata"]["labels"][LABEL] = "nobody"
    old = f"demo-{'0' * 10}"
    sources(made)[0]["configMap"] = {
        "name": old,
        "items": [{"key": "policy.json", "path": f"{old}/policy.json"}],
    }
    env(made, "MODEL_VERIFY_POLICY_SHA256", "0" * 64)


def change_verifier(**fields: object) -> Callable[[Json], object]:
    return lambda made: verifier(made).update(copy.deepcopy(fields))


def change_security(**fields: object) -> Callable[[Json], object]:
    return lambda made: verifier(made)["securityContext"].update(fields)


ANOTHER = f"registry.example.com/other@sha256:{'0' * 64}"
NEVER = {"exec": {"command": ["true"]}}
# Refused by two policies, of which the API server tells one.
MISSING = "(verifier|digest): "
ATTEMPTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "no verifier": (lambda p: p["spec"].update(initContainers=[]), MISSING),
    "the verifier beside the workload": (in_containers, MISSING),
    "a second one beside the workload": (
        lambda p: (
            p["spec"]["containers"].append(container("x", mount("/x", "models")))
            or p["spec"]["containers"][-1].update(name="model-validation")
            or p["spec"]["initContainers"][0].update(name="model-validation2")
        ),
        MISSING,
    ),
    "another image": (change_verifier(image=ANOTHER), f"must run {IMAGE}"),
    "other arguments": (change_verifier(args=["version"]), "verifier command"),
    "a command": (change_verifier(command=["/bin/true"]), "verifier command"),
    "a sidecar nobody waits for": (change_verifier(restartPolicy="Always"), "verifier command"),
    "another working directory": (change_verifier(workingDir="/data"), "verifier command"),
    "a message of somebody else's": (
        change_verifier(terminationMessagePath="/data/said"),
        "verifier command",
    ),
    "variables from elsewhere": (
        change_verifier(envFrom=[{"configMapRef": {"name": "x"}}]),
        "verifier command",
    ),
    "a library to load": (lambda p: env(p, "LD_PRELOAD", "/data/x.so"), "verifier environment"),
    "policies from elsewhere": (
        lambda p: env(p, "MODEL_VERIFY_POLICY", "/data"),
        "verifier environment",
    ),
    "a variable given twice": (
        lambda p: verifier(p)["env"].append(
            {"name": "MODEL_VERIFY_POLICY_SHA256", "value": "0" * 64}
        ),
        "verifier environment",
    ),
    "nothing pinned": (
        lambda p: env(p, "MODEL_VERIFY_POLICY_SHA256", ""),
        "(verifier environment|digest): ",
    ),
    "as root": (change_security(runAsNonRoot=False), "verifier security context"),
    "a capability": (
        change_security(capabilities={"drop": ["ALL"], "add": ["SYS_PTRACE"]}),
        "verifier security context",
    ),
    "no security context": (change_verifier(securityContext={}), "verifier security context"),
    "its code replaced": (
        lambda p: add_everywhere(p, mount("/opt/model-verify/lib", "x"), x=EMPTY),
        "verifier mounts",
    ),
    "a configuration for its OpenSSL": (
        lambda p: add_everywhere(p, mount("/opt/pyca/cryptography/openssl", "x"), x=EMPTY),
        "verifier mounts",
    ),
    "its code replaced from above": (
        lambda p: add_everywhere(p, mount("/usr", "x"), x=EMPTY),
        "verifier mounts",
    ),
    "two volumes at one path": (
        lambda p: add_everywhere(p, mount("/data/", "x", readOnly=True), x=EMPTY),
        "verifier mounts",
    ),
    "something mounted into the policies": (
        lambda p: add_everywhere(p, mount("/etc/model-verify/x", "x"), x=EMPTY),
        "verifier mounts",
    ),
    "a mount of its that can be written": (
        lambda p: verifier(p)["volumeMounts"].append(mount("/w", "models")),
        "verifier mounts",
    ),
    "the token": (lambda p: verifier(p)["volumeMounts"].pop(1), "verifier mounts"),
    "a policy from a secret": (
        lambda p: sources(p).append({"secret": {"name": "x"}}),
        "verifier policies",
    ),
    "a ConfigMap that anybody may write": (
        lambda p: sources(p)[0]["configMap"].update(name="mine"),
        "verifier policies",
    ),
    "a key that anybody may write": (
        lambda p: sources(p)[0]["configMap"]["items"][0].update(key="x"),
        "verifier policies",
    ),
    "a foreign digest": (
        lambda p: env(p, "MODEL_VERIFY_POLICY_SHA256", "0" * 64),
        "does not pin the policy of ModelValidation demo of ml.sigstore.dev",
    ),
    "a label that names nothing": (
        no_label_value,
        "server can change the model of ModelValidation",
    ),
    "a policy of yesterday": (stale, "does not pin the policy of ModelValidation demo"),
    "another volume": (other_volume, "sight:"),
    "the model elsewhere": (
        lambda p: workload(p)["volumeMounts"][0].update(subPath="b"),
        "sight:",
    ),
    "part of it by an expression": (
        lambda p: workload(p)["volumeMounts"][0].update(subPathExpr="b"),
        "sight:",
    ),
    "something in it": (lambda p: add_mount(p, mount(f"{PATH}/x", "x"), x=EMPTY), "sight:"),
    "something over it": (lambda p: add_mount(p, mount("/data/./", "x"), x=EMPTY), "sight:"),
    "something over it, by a detour": (
        lambda p: add_mount(p, mount("/x/../data/model", "x"), x=EMPTY),
        "mount paths",
    ),
    "the workload writes": (
        lambda p: workload(p)["volumeMounts"][0].update(readOnly=False),
        "server can change the model",
    ),
    "the workload writes elsewhere": (
        lambda p: add_mount(p, mount("/again", "models", subPath="model")),
        "server can change the model",
    ),
    "the workload writes by another name": (twin, "server can change the model"),
    "the workload writes by a directory above": (host_paths, "server can change the model"),
    "the workload writes over the network": (network_volumes, "server can change the model"),
    "the workload writes below the files": (block_device, "server can change the model"),
    "an init container writes last": (
        lambda p: append_init(p, mount()),
        "late can change the model",
    ),
    "a sidecar writes": (
        lambda p: append_init(p, mount(), **SIDECAR),
        "late can change the model",
    ),
    "a sidecar that is there before": (
        lambda p: prepend_init(p, mount(readOnly=True), **SIDECAR),
        "a sidecar mounts the model",
    ),
}
