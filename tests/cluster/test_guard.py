"""The guard on a real API server, without a webhook: as if its configuration were gone.

Every attempt is first shown to pass where the guard does not look.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.apiserver import Refused
from tests.cluster.attempts import (
    ANOTHER,
    ATTEMPTS,
    EMPTY,
    GENUINE,
    TWICE,
    add_mount,
    append_init,
    env,
    other_names,
)
from tests.cluster.daemons import daemon
from tests.cluster.guarded import (
    ACTIVE_SECONDS,
    ENFORCE,
    LABEL,
    OWN,
    THEIRS,
    Guarded,
    guard_on,
    model_server,
    nameless,
    until_refused,
)
from tests.unit.kube.pods import (
    CLAIM,
    SETTINGS,
    container,
    mount,
    pod,
    resource,
    validation,
    verifier,
)
from verifier_cli.kube.configmap import MANAGED_BY, OURS
from verifier_cli.kube.inject import inject
from verifier_cli.kube.names import CONTAINER, INJECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

TEAM, ENFORCED = "team", "enforced"


@pytest.fixture(scope="module")
def guarded(installed: ApiServer) -> Iterator[Guarded]:
    with guard_on(installed) as guard:
        guard.namespace(TEAM)
        guard.namespace(ENFORCED, **{ENFORCE: "true", "zone": "strict"})
        guard.validation("demo", TEAM)
        guard.validation("second", TEAM, mode="warn", selector={"matchLabels": {"app": "x"}})
        guard.validation("keep", TEAM, mounts="Preserve", timeoutSeconds=61)
        guard.validation("found", TEAM, model=None)
        some = [{"path": "/data/model"}, {"discover": True}]
        mixed = {"selector": {"matchLabels": {"app": "mixed"}}, "timeoutSeconds": 65}
        guard.validation("mixed", TEAM, model=None, models=some, **mixed)
        guard.validation("theirs", TEAM, group="rhtas.redhat.com", timeoutSeconds=62)
        zones = {"key": "zone", "operator": "In", "values": ["strict"]}
        apps = [
            {"key": "app", "operator": "Exists"},
            {"key": "app", "operator": "NotIn", "values": ["free"]},
            {"key": "own", "operator": "DoesNotExist"},
        ]
        guard.validation(
            "everywhere",
            None,
            kind="ClusterModelValidation",
            timeoutSeconds=63,
            namespaceSelector={"matchExpressions": [zones]},
            selector={"matchExpressions": apps},
        )
        editors = ("editors", "--verb=*", "--resource=configmaps")
        installed.kubectl("create", "clusterrole", *editors)
        binding = ("editors", "--clusterrole=editors", "--group=editors")
        installed.kubectl("create", "clusterrolebinding", *binding)
        _until_in_force(guard)
        yield guard


def _until_in_force(guard: Guarded) -> None:
    bare = model_server()
    bare["metadata"]["labels"][LABEL] = "nobody"
    until_refused("verifier", lambda: guard.send(bare, TEAM), "verifier:")
    bare["metadata"]["labels"] = {}
    until_refused("enforced", lambda: guard.send(bare, ENFORCED), "verifier:")
    for name in guard.known:
        label, namespace = {
            "theirs": ({THEIRS: name}, TEAM),
            "everywhere": ({"app": "x"}, ENFORCED),
        }.get(name, ({LABEL: name}, TEAM))
        sent = functools.partial(guard.send, foreign(label), namespace)
        until_refused(name, sent, f" {name} of ")
    former = inject(model_server(), [validation("demo", timeoutSeconds=98)], SETTINGS).pod
    until_refused("marked", functools.partial(guard.send, former, TEAM), "policy of")
    decoy = foreign({INJECTED: "true"})
    decoy["spec"]["initContainers"][0]["image"] = ANOTHER
    until_refused("marked", functools.partial(guard.send, decoy, TEAM), "verifier image:")
    with created(guard, model_server()) as name:
        until_refused("running", lambda: change(guard, name, labels={LABEL: "demo"}), "labels:")
        until_refused("binding", lambda: bind(guard, name, labels={LABEL: "demo"}), "labels:")
    with created(guard, guard.injected(model_server(), "demo")) as name:
        until_refused("ephemeral", lambda: debug(guard, name, name=CONTAINER), "ephemeral")
    until_refused("policies", lambda: write_policy(guard, TEAM, as_editor=True), "policies:")


def foreign(labels: dict[str, str]) -> Json:
    """A pod whose verifier carries the policy of a validation that is nowhere."""
    made = inject(model_server(), [validation("foreign", timeoutSeconds=99)], SETTINGS).pod
    made["metadata"]["labels"] = labels
    return made


@pytest.mark.parametrize("name", GENUINE)
def test_what_the_webhook_makes_is_let_in(guarded: Guarded, name: str) -> None:
    assert guarded.send(GENUINE[name](guarded), TEAM)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_is_refused(guarded: Guarded, name: str) -> None:
    attempt, said = ATTEMPTS[name]
    made = guarded.injected(model_server(), "demo")
    attempt(made)
    assert guarded.send(made, OWN), "the API server itself refuses it"
    with pytest.raises(Refused, match=said):
        guarded.send(made, TEAM)


def test_under_two_validations_both_digests_are_wanted(guarded: Guarded) -> None:
    made = guarded.injected(other_names(model_server(), **TWICE), "demo", "keep", "found")
    assert guarded.send(made, OWN)
    with pytest.raises(Refused, match="does not pin the policy of ModelValidation second"):
        guarded.send(made, TEAM)


def test_the_other_groups_label(guarded: Guarded) -> None:
    made = other_names(guarded.injected(model_server(), "demo"), **{THEIRS: "theirs"})
    with pytest.raises(Refused, match=r"policy of ModelValidation theirs of rhtas.redhat.com"):
        guarded.send(made, TEAM)


def test_preserve_is_for_what_goes_on_running(guarded: Guarded) -> None:
    """Even there nobody fills the volume between the check and the start."""
    made = guarded.injected(model_server(), "keep")
    append_init(made, mount())
    with pytest.raises(Refused, match="late can change the model"):
        guarded.send(made, TEAM)


@pytest.mark.parametrize("name", ["found", "mixed"])
def test_discovery_looks_wherever_a_model_may_be(guarded: Guarded, name: str) -> None:
    made = guarded.injected(model_server(), name)
    assert guarded.send(made, TEAM)
    unlooked = guarded.injected(model_server(), name)
    variables = verifier(unlooked)["env"]
    variables[:] = [each for each in variables if each["name"] != "MODEL_VERIFY_ROOTS"]
    with pytest.raises(Refused, match="sight: "):
        guarded.send(unlooked, TEAM)
    source = {"persistentVolumeClaim": {"claimName": "other"}}
    add_mount(made, mount("/other", "other", readOnly=True), other=source)
    with pytest.raises(Refused, match="discovery: a volume that may hold a model"):
        guarded.send(made, TEAM)


def test_a_validation_that_is_not_ready(guarded: Guarded) -> None:
    made = resource("early", namespace=TEAM)
    guarded.apply(made)
    labelled = functools.partial(guarded.send, foreign({LABEL: "early"}), TEAM)
    until_refused("early", labelled, "not ready: the status of")
    guarded.server.kubectl("delete", f"--namespace={TEAM}", "mv", "early")


def test_the_last_good_spec_counts_while_a_change_is_not_valid(guarded: Guarded) -> None:
    """Its digest is in the status, and its paths are those that are looked at."""
    guarded.validation("kept", TEAM, timeoutSeconds=64)
    good = resource("kept", namespace=TEAM, timeoutSeconds=64)
    status = {"lastGood": {"generation": 1, "spec": good["spec"]}}
    guarded.status(good, status)
    guarded.apply(resource("kept", namespace=TEAM, timeoutSeconds=64, model={"path": "/other"}))
    made = guarded.injected(model_server(), "kept")
    env(made, "MODEL_VERIFY_POLICY_SHA256", "0" * 64)
    until_refused("kept", lambda: guarded.send(made, TEAM), "ModelValidation kept")
    assert guarded.send(guarded.injected(model_server(), "kept"), TEAM)
    guarded.server.kubectl("delete", f"--namespace={TEAM}", "mv", "kept")


# Namespaces that let models in only verified.


@pytest.mark.parametrize(
    "source",
    [
        CLAIM,
        {"image": {"reference": "registry.example.com/m:1"}},
        {"hostPath": {"path": "/srv"}},
        {"nfs": {"server": "nas", "path": "/"}},
        {"csi": {"driver": "x.example.com"}},
    ],
)
def test_an_enforced_namespace_holds_unverified_models_back(guarded: Guarded, source: Json) -> None:
    made = model_server(models=source)
    assert guarded.send(made, TEAM)
    with pytest.raises(Refused, match=r"verifier: .*enforce"):
        guarded.send(made, ENFORCED)


def test_an_enforced_namespace_lets_in_what_has_nothing_to_verify(guarded: Guarded) -> None:
    settings = {"configMap": {"name": "x"}}
    assert guarded.send(model_server(models=EMPTY, settings=settings), ENFORCED)


@pytest.mark.parametrize(
    ("labels", "under"),
    [
        ({"app": "x"}, True),
        ({"app": "free"}, False),
        ({}, False),
        ({"app": "x", "own": ""}, False),
        ({"app": "x", LABEL: "true"}, True),
    ],
)
def test_a_cluster_validation_picks_its_pods(
    guarded: Guarded, labels: dict[str, str], *, under: bool
) -> None:
    made = guarded.injected(model_server(), "everywhere")
    made["metadata"]["labels"] = labels
    assert guarded.send(made, ENFORCED)
    # Carrying another's policy instead, of which this namespace knows nothing.
    with contextlib.nullcontext() if not under else pytest.raises(Refused, match="everywhere"):
        guarded.send(foreign(labels), ENFORCED)


def test_other_namespaces_are_not_under_it(guarded: Guarded) -> None:
    made = other_names(guarded.injected(model_server(), "demo"), app="x")
    assert guarded.send(made, TEAM)


def test_what_asks_for_nothing_is_not_looked_at(guarded: Guarded) -> None:
    guarded.namespace("kube-system")
    labelled = other_names(model_server(), **{LABEL: "demo"})
    assert guarded.send(labelled, "kube-system")
    decoy = pod(container("server", mount()), inits=(container(CONTAINER),))
    assert guarded.send(decoy, TEAM)


def test_nobody_else_speaks_for_a_verifier(guarded: Guarded) -> None:
    """The controller counts what the verifiers of marked pods say, labelled or not."""
    marked = {INJECTED: "true"}
    made = inject(model_server(), [guarded.known["demo"]], SETTINGS).pod
    assert made["metadata"]["labels"] == marked
    assert guarded.send(made, TEAM)
    decoy = other_names(pod(container("server", mount()), inits=(container(CONTAINER),)), **marked)
    assert guarded.send(decoy, OWN)
    with pytest.raises(Refused, match="verifier"):
        guarded.send(decoy, TEAM)
    # The policy of a version that is not in force, under a validation's name.
    former = inject(model_server(), [validation("demo", timeoutSeconds=98)], SETTINGS).pod
    with pytest.raises(Refused, match="does not pin the policy of ModelValidation demo"):
        guarded.send(former, TEAM)


# Later.


@contextlib.contextmanager
def created(guarded: Guarded, made: Json, namespace: str = TEAM) -> Iterator[str]:
    name = guarded.server.create(nameless(made, namespace))["metadata"]["name"]
    try:
        yield f"--namespace={namespace} {name}"
    finally:
        gone = ("--force", "--grace-period=0", "--wait=false")
        guarded.server.kubectl("delete", "pod", f"--namespace={namespace}", name, *gone)


def _patch(guarded: Guarded, pod_name: str, body: object, *more: str) -> None:
    arguments = ("patch", "pod", *pod_name.split(), *more, f"--patch={json.dumps(body)}")
    ran = guarded.server.kubectl(*arguments, check=False)
    if ran.returncode:
        raise Refused(ran.stderr)


def change(guarded: Guarded, pod_name: str, *more: str, **metadata: object) -> None:
    _patch(guarded, pod_name, {"metadata": metadata}, "--type=merge", *more)


def bind(guarded: Guarded, pod_name: str, *, by: str = "pods/{}/binding", **what: object) -> None:
    namespace, name = pod_name.removeprefix("--namespace=").split()
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, **what},
        "target": {"kind": "Node", "name": "n"},
    }
    where = f"--raw=/api/v1/namespaces/{namespace}/{by.format(name)}"
    ran = guarded.server.kubectl("create", where, "--filename=-", stdin=body, check=False)
    if ran.returncode:
        raise Refused(ran.stderr)


bind_as_of_old = functools.partial(bind, by="bindings")


def debug(guarded: Guarded, pod_name: str, **fields: object) -> None:
    body = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "x", **fields}]}}
    _patch(guarded, pod_name, body, "--subresource=ephemeralcontainers")


def write_policy(
    guarded: Guarded,
    namespace: str,
    *,
    name: str = "x-0123456789",
    as_editor: bool = False,
    how: tuple[str, ...] = ("create", "--dry-run=server"),
) -> None:
    metadata = {"name": name, "namespace": namespace}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    body["data"] = {"policy.json": "{}"}
    editor = ("--as=someone", "--as-group=editors") if as_editor else ()
    ran = guarded.server.kubectl(*how, "--filename=-", *editor, stdin=body, check=False)
    if ran.returncode:
        raise Refused(ran.stderr)


ANNOTATION = "validation.ml.sigstore.dev/policy"
UPDATES: dict[str, tuple[tuple[str, ...], Json, str]] = {
    "the label taken away": ((), {"labels": {LABEL: None}}, "labels:"),
    "the label changed": ((), {"labels": {LABEL: "second"}}, "labels:"),
    "the other label put on": ((), {"labels": {THEIRS: "theirs"}}, "labels:"),
    "an empty label put on": ((), {"labels": {THEIRS: ""}}, "labels:"),
    "by way of the status": (("--subresource=status",), {"labels": {LABEL: None}}, "labels:"),
    "the mark taken away": ((), {"labels": {INJECTED: None}}, "labels:"),
    "the mark changed": ((), {"labels": {INJECTED: "false"}}, "labels:"),
    "the annotation changed": ((), {"annotations": {ANNOTATION: "x"}}, "annotation:"),
    "the annotation taken away": ((), {"annotations": {ANNOTATION: None}}, "annotation:"),
}


@pytest.mark.parametrize("name", UPDATES)
def test_what_was_verified_stays_what_it_was(guarded: Guarded, name: str) -> None:
    how, metadata, said = UPDATES[name]
    made = guarded.injected(model_server(), "demo")
    with created(guarded, made, OWN) as unguarded:
        change(guarded, unguarded, *how, **metadata)
    with created(guarded, made) as running, pytest.raises(Refused, match=said):
        change(guarded, running, *how, **metadata)


def test_the_verifiers_image_cannot_be_changed(guarded: Guarded) -> None:
    made = guarded.injected(model_server(container("download", mount())), "demo")
    ours = {"spec": {"initContainers": [{"name": CONTAINER, "image": ANOTHER}]}}
    theirs = {"spec": {"initContainers": [{"name": "download", "image": ANOTHER}]}}
    with created(guarded, made, OWN) as unguarded:
        _patch(guarded, unguarded, ours)
    with created(guarded, made) as running:
        _patch(guarded, running, theirs)
        with pytest.raises(Refused, match="verifier image"):
            _patch(guarded, running, ours)


@pytest.mark.parametrize("label", [LABEL, INJECTED])
@pytest.mark.parametrize("how", [bind, bind_as_of_old, change])
def test_a_label_put_on_later(guarded: Guarded, how: Callable[..., None], label: str) -> None:
    """By an update, or by a binding to a node: such a pod was never verified."""
    with created(guarded, model_server(), OWN) as unguarded:
        how(guarded, unguarded, labels={label: "true"})
    with created(guarded, model_server()) as running, pytest.raises(Refused, match="labels:"):
        how(guarded, running, labels={label: "true"})


def test_the_life_of_a_pod_goes_on(guarded: Guarded) -> None:
    made = guarded.injected(model_server(), "demo")
    with created(guarded, made) as running:
        change(guarded, running, labels={"a": "b"}, annotations={"c": "d"}, finalizers=["x.y/z"])
        change(guarded, running, finalizers=None)
        bind(guarded, running, labels={"topology.kubernetes.io/zone": "z"})
        status = {"status": {"phase": "Running"}}
        _patch(guarded, running, status, "--subresource=status", "--type=merge")


def test_a_pod_from_before_the_guard_can_be_updated(guarded: Guarded) -> None:
    """Labelled, and without a verifier: nobody asks for one afterwards."""
    binding = "validatingadmissionpolicybinding/model-validation-verifier-labelled"
    kept = guarded.server.get(binding)
    guarded.server.kubectl("delete", binding)
    made = other_names(model_server(), **{LABEL: "unknown"})
    before = _until_let_in(guarded, made)
    kept["metadata"] = {"name": kept["metadata"]["name"]}
    guarded.apply(kept)
    until_refused("verifier", lambda: guarded.send(made, TEAM), "verifier:")
    change(guarded, before, labels={"a": "b"})
    with pytest.raises(Refused, match="labels:"):
        change(guarded, before, labels={LABEL: "demo"})


def _until_let_in(guarded: Guarded, made: Json) -> str:
    sent = nameless(made, TEAM)
    deadline = time.monotonic() + ACTIVE_SECONDS
    while True:
        try:
            return f"--namespace={TEAM} {guarded.server.create(sent)['metadata']['name']}"
        except Refused:
            assert time.monotonic() < deadline, "the policy is still in force"
            time.sleep(0.2)


EPHEMERAL: dict[str, tuple[Json, str]] = {
    "it writes the model": ({"volumeMounts": [mount()]}, "can only be mounted readOnly"),
    "it writes the model by another name": (
        {"volumeMounts": [mount("/x", "again")]},
        "can only be mounted readOnly",
    ),
    "it writes below the files": (
        {"volumeDevices": [{"name": "again", "devicePath": "/dev/model"}]},
        "can only be mounted readOnly",
    ),
    "it looks into the verifier": ({"targetContainerName": CONTAINER}, "aims at the container"),
}


@pytest.mark.parametrize("name", EPHEMERAL)
def test_bypass_5_ephemeral_containers(guarded: Guarded, name: str) -> None:
    fields, said = EPHEMERAL[name]
    made = guarded.injected(model_server(), "demo")
    made["spec"]["volumes"].append({"name": "again", **CLAIM})
    with created(guarded, made, OWN) as unguarded:
        debug(guarded, unguarded, **fields)
    with created(guarded, made) as running, pytest.raises(Refused, match=said):
        debug(guarded, running, **fields)


def test_an_ephemeral_container_that_only_looks(guarded: Guarded) -> None:
    made = guarded.injected(model_server(), "demo")
    with created(guarded, made) as running:
        debug(guarded, running, volumeMounts=[mount(readOnly=True)], targetContainerName="server")
        debug(guarded, running, name="other")
    with created(guarded, model_server()) as unlabelled:
        debug(guarded, unlabelled, volumeMounts=[mount()])


def test_nobody_writes_a_policy_but_the_controller(guarded: Guarded) -> None:
    write_policy(guarded, OWN, as_editor=True)
    write_policy(guarded, TEAM)  # who may do everything may write a status as well
    write_policy(guarded, TEAM, name="settings", as_editor=True)
    with pytest.raises(Refused, match=r"policies: .*written by the controller"):
        write_policy(guarded, TEAM, as_editor=True)


def test_what_an_editor_may_do_to_a_policy(guarded: Guarded) -> None:
    """Label it, say; not write another into it, nor put one where there was none."""
    editor = ("--as=someone", "--as-group=editors", f"--namespace={TEAM}")
    guarded.server.kubectl("create", "configmap", "y-0123456789", "--from-literal=x=", *editor)
    with pytest.raises(Refused, match="policies:"):
        write_policy(guarded, TEAM, name="y-0123456789", how=("replace",), as_editor=True)
    write_policy(guarded, TEAM, name="y-0123456789", how=("replace",))
    guarded.server.kubectl("label", "configmap", "y-0123456789", "a=b", *editor)


def test_nobody_fills_the_controllers_memory_with_configmaps(guarded: Guarded) -> None:
    """By its label it holds all of them."""
    editor = ("--as=someone", "--as-group=editors", f"--namespace={TEAM}")
    metadata = {"name": "big", "labels": {MANAGED_BY: OURS}}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": ""}}
    create = ("create", "--filename=-", "--dry-run=server")
    assert "policies:" in guarded.server.kubectl(*create, *editor, stdin=made, check=False).stderr
    guarded.server.kubectl(*create, f"--namespace={TEAM}", stdin=made)
    guarded.server.kubectl("create", "configmap", "big", "--from-literal=x=", *editor)
    label = ("label", "configmap", "big", f"{MANAGED_BY}={OURS}")
    assert "policies:" in guarded.server.kubectl(*label, *editor, check=False).stderr
    # What bears it stays what it is, whoever wrote it, and can be cleaned up by anybody.
    guarded.server.kubectl(*label, f"--namespace={TEAM}")
    guarded.server.kubectl("annotate", "configmap", "big", "a=b", *editor)
    guarded.server.kubectl("label", "configmap", "big", f"{MANAGED_BY}-", *editor)


# The rules themselves.


def test_the_rules_are_sound_for_kubernetes(guarded: Guarded) -> None:
    """Its own type checker has nothing to say; it does not look at rules for subresources."""
    server = guarded.server
    command = (
        str(server.programs / "kube-controller-manager"),
        f"--kubeconfig={server.kubeconfig}",
        "--controllers=validatingadmissionpolicy-status-controller",
        "--leader-elect=false",
        "--secure-port=0",
    )
    with daemon(server.directory / "controllers.log", *command):
        server.kubectl(
            "wait",
            "validatingadmissionpolicy",
            "--all",
            "--for=jsonpath={.status.observedGeneration}=1",
            "--timeout=60s",
        )
    found = server.get("validatingadmissionpolicy")["items"]
    assert len(found) == 9
    for each in found:
        warnings = each["status"].get("typeChecking", {}).get("expressionWarnings", [])
        assert not warnings, each["metadata"]["name"]


def test_a_large_pod_is_within_what_the_rules_may_cost(guarded: Guarded) -> None:
    volumes: Json = {f"v{i}": EMPTY for i in range(40)}
    many = [mount(f"/mnt/{i}", f"v{i}") for i in range(40)]
    containers = [container(f"c{i}", mount(), *many) for i in range(20)]
    made = guarded.injected(pod(*containers, inits=(), **volumes), "demo")
    assert guarded.send(made, TEAM)
