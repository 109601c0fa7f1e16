"""The verifier in a pod: what it gets, where it stands, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.kube.pods import (
    CLAIM,
    IMAGE,
    PATH,
    container,
    inject,
    mount,
    mounts,
    order,
    pod,
    validation,
    variables,
    verifier,
    warnings,
)
from verifier_cli.kube.configmap import configmap_name
from verifier_cli.kube.container import Settings
from verifier_cli.kube.names import ANNOTATION, CONTAINER, INJECTED, POLICIES, TOKEN, VOLUME
from verifier_cli.kube.shapes import Unfit

Json = dict[str, Any]
SIDECAR = {"restartPolicy": "Always"}
EMPTY: Json = {"emptyDir": {}}
DISCOVERY = validation(model=None)


def refused(made: Json, *validations: Any) -> str:  # noqa: ANN401
    with pytest.raises(Unfit) as caught:
        inject(made, *validations)
    return str(caught.value)


# What it gets.


def test_the_container_is_hardened_and_by_digest() -> None:
    made = verifier(inject(pod()))
    assert made["image"] == IMAGE
    assert made["args"] == ["init"]
    assert "command" not in made
    assert made["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "cpu" not in made["resources"]["limits"]


def test_every_policy_is_mounted_by_itself_and_pinned() -> None:
    one, other = validation("one"), validation("other", mode="warn")
    made = inject(pod(), other, one)
    digests = sorted([one.policy.sha256, other.policy.sha256])
    assert variables(made)["MODEL_VERIFY_POLICY_SHA256"] == ",".join(digests)
    assert variables(made)["MODEL_VERIFY_POLICY"] == POLICIES
    (volume,) = [each for each in made["spec"]["volumes"] if each["name"] == VOLUME]
    names = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
    assert names == sorted([configmap_name(one), configmap_name(other)])
    for source in volume["projected"]["sources"]:
        (item,) = source["configMap"]["items"]
        assert item == {"key": "policy.json", "path": f"{source['configMap']['name']}/policy.json"}
    assert made["metadata"]["labels"][INJECTED] == "true"
    pins = made["metadata"]["annotations"][ANNOTATION]
    assert pins == f"one={one.policy.sha256},other={other.policy.sha256}"


def test_it_sees_the_model_and_the_policies_and_no_token() -> None:
    assert mounts(inject(pod()), CONTAINER) == {
        POLICIES: (VOLUME, True),
        TOKEN: (VOLUME, True),
        "/data": ("models", True),
    }


def test_the_pod_that_was_given_is_not_changed() -> None:
    made = pod()
    before = copy.deepcopy(made)
    inject(made)
    assert made == before


def test_what_a_validation_asks_for() -> None:
    asked = validation(resources={"limits": {"cpu": "2"}}, imagePullPolicy="Always")
    made = verifier(inject(pod(), validation("a"), asked))
    assert made["resources"] == {"limits": {"cpu": "2"}}
    assert made["imagePullPolicy"] == "Always"


def test_a_cluster_may_choose_the_user() -> None:
    made = verifier(inject(pod(), settings=Settings(IMAGE, user=None)))
    assert "runAsUser" not in made["securityContext"]
    assert made["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("image", ["verifier:1", "verifier", "verifier@sha256:0"])
def test_an_image_that_can_be_moved_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="not named by digest"):
        Settings(image)
    assert Settings(image, development=True).image == image


@pytest.mark.parametrize("development", [False, True])
def test_an_image_must_be_named(*, development: bool) -> None:
    with pytest.raises(ValueError, match="no verifier image is named"):
        Settings("", development=development)


def test_trust_material_in_the_pod_is_seen_too() -> None:
    signer = {"certificate": {"trustAnchors": {"path": "/trust/ca.pem"}, "identity": "a@b.c"}}
    trusting = container("server", mount(), mount("/trust", "trust"))
    made = inject(
        pod(trusting, trust={"secret": {"secretName": "t"}}), validation(signers=[signer])
    )
    assert mounts(made, CONTAINER)["/trust"] == ("trust", True)
    # It is read and then of no more use: who mounts it need not be held back.
    assert mounts(made, "server")["/trust"] == ("trust", False)
    assert "/trust/ca.pem" in refused(pod(), validation(signers=[signer]))


def test_a_trust_root_in_the_pod_is_seen_too() -> None:
    keyless = {"identity": "a@b.c", "issuer": "https://i.example.com"}
    signers = [{"sigstore": {**keyless, "trustRoot": {"path": "/trust/root.json"}}}]
    trusting = container("server", mount(), mount("/trust", "trust"))
    made = inject(pod(trusting, trust={"configMap": {"name": "t"}}), validation(signers=signers))
    assert mounts(made, CONTAINER)["/trust"] == ("trust", True)
    assert inject(pod(), validation(signers=[{"sigstore": keyless}]))


def test_a_signature_outside_of_the_model() -> None:
    outside = {"path": PATH, "signaturePath": "/signatures/model.sig"}
    assert "/signatures/model.sig" in refused(pod(), validation(model=outside))


def test_an_identity_that_nobody_named_is_told() -> None:
    anchors = {"certificate": {"trustAnchors": {"inline": "-----BEGIN CERTIFICATE-----"}}}
    (warning,) = warnings(pod(), validation(signers=[anchors]))
    assert "any code-signing certificate" in warning


# Bypass 1: a container that already bears the name.


def test_bypass_1_injecting_again_changes_nothing() -> None:
    once = inject(pod())
    assert inject(once) == once


FORGERIES: dict[str, Json] = {
    "image": {"image": "evil"},
    "command": {"command": ["true"]},
    "args": {"args": ["version"]},
    "env": {"env": []},
    "envFrom": {"envFrom": [{"configMapRef": {"name": "evil"}}]},
    "sidecar": SIDECAR,
    "lifecycle": {"lifecycle": {"postStart": {"exec": {"command": ["true"]}}}},
    "mounts": {"volumeMounts": []},
    "security": {"securityContext": {"privileged": True}},
    "termination": {"terminationMessagePath": "/data/x"},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_bypass_1_a_forged_verifier_is_refused(name: str) -> None:
    made = inject(pod())
    verifier(made).update(FORGERIES[name])
    assert "is not what would be injected" in refused(made)


def test_bypass_1_a_forged_volume_is_refused() -> None:
    made = inject(pod())
    (volume,) = [each for each in made["spec"]["volumes"] if each["name"] == VOLUME]
    volume["projected"]["sources"][0]["configMap"]["name"] = "evil"
    assert "is not what would be injected" in refused(made)


@pytest.mark.parametrize("kind", ["containers", "ephemeralContainers"])
def test_bypass_1_the_name_in_another_place_is_refused(kind: str) -> None:
    made = pod()
    made["spec"].setdefault(kind, []).append(container(CONTAINER))
    assert "are the verifier's" in refused(made)


def test_bypass_1_the_name_twice_is_refused() -> None:
    made = inject(pod())
    made["spec"]["initContainers"].append(copy.deepcopy(verifier(made)))
    assert "are the verifier's" in refused(made)


def test_bypass_1_the_name_without_the_volume_and_the_reverse() -> None:
    assert "are the verifier's" in refused(pod(inits=(container(CONTAINER),)))
    made = pod()
    made["spec"]["volumes"].append({"name": VOLUME, **EMPTY})
    assert "are the verifier's" in refused(made)


def test_bypass_1_what_the_api_server_rewrites_is_still_genuine() -> None:
    made = inject(pod(), settings=Settings(IMAGE, user=None))
    verifier(made)["resources"]["limits"]["memory"] = "134217728"
    verifier(made)["securityContext"]["runAsUser"] = 1000680000
    verifier(made)["imagePullPolicy"] = "Always"
    again = inject(made, settings=Settings(IMAGE, user=None))
    assert order(again) == [CONTAINER]


def test_bypass_1_an_id_that_was_set_cannot_be_changed() -> None:
    made = inject(pod())
    verifier(made)["securityContext"]["runAsUser"] = 1000
    assert "is not what would be injected" in refused(made)


TOKEN_OF_A_CLOUD = mount("/var/run/secrets/eks.amazonaws.com/serviceaccount", "cloud-token")


def test_bypass_1_what_other_webhooks_add_to_it_is_taken_out_and_told() -> None:
    once = inject(pod())
    made = copy.deepcopy(once)
    verifier(made)["env"].insert(0, {"name": "AWS_ROLE_ARN", "value": "x"})
    verifier(made)["volumeMounts"].append(TOKEN_OF_A_CLOUD)
    assert inject(made) == once
    (warning,) = warnings(made)
    assert warning == (
        "model-validation takes nothing from others: AWS_ROLE_ARN, "
        "/var/run/secrets/eks.amazonaws.com/serviceaccount left out"
    )


def test_bypass_1_a_pin_that_is_set_twice_is_set_once() -> None:
    made = inject(pod())
    verifier(made)["env"].append({"name": "MODEL_VERIFY_POLICY_SHA256", "value": ""})
    assert inject(made) == inject(pod())


def test_bypass_1_what_the_cluster_chose_stays_as_it_wrote_it() -> None:
    settings = Settings(IMAGE, user=None)
    made = inject(pod(), settings=settings)
    verifier(made)["resources"] = {"limits": {"cpu": "1", "memory": "134217728"}}
    verifier(made)["imagePullPolicy"] = "Always"
    verifier(made)["securityContext"] |= {"runAsUser": 7, "seLinuxOptions": {"level": "s0:c1,c2"}}
    assert inject(made, settings=settings) == made


def test_bypass_1_what_the_api_server_adds_beside_it_moves_nothing() -> None:
    made = inject(pod())
    made["spec"]["volumes"].append({"name": "kube-api-access-x", "projected": {"sources": []}})
    assert inject(made) == made


@pytest.mark.parametrize(
    "resources",
    [
        {"claims": [{"name": "gpu"}]},
        {"limits": {"example.com/device": "1"}},
        {"requests": {"cpu": "1", "hugepages-2Mi": "2Mi"}},
    ],
)
def test_bypass_1_devices_for_the_verifier_are_refused(resources: Json) -> None:
    made = inject(pod())
    verifier(made)["resources"] = resources
    assert "is not what would be injected" in refused(made)
    asked = validation(resources={"requests": {"hugepages-2Mi": "2Mi"}})
    if "requests" in resources:
        made = inject(pod(), asked)
        verifier(made)["resources"] = resources
        assert inject(made, asked) == made


# Bypass 2: order.


def test_bypass_2_it_stands_first_without_a_downloader() -> None:
    reader = container("reader", mount("/data", readOnly=True))
    assert order(inject(pod(inits=(reader, container("other"))))) == [CONTAINER, "reader", "other"]


def test_bypass_2_it_stands_right_after_the_last_downloader() -> None:
    inits = (container("first", mount("/x")), container("other"), container("last", mount("/y")))
    made = inject(pod(inits=(*inits, container("late"))))
    assert order(made) == ["first", "other", "last", CONTAINER, "late"]
    assert mounts(made, "last") == {"/y": ("models", False)}


def test_bypass_2_a_writer_that_comes_by_reinvocation_moves_it() -> None:
    made = inject(pod())
    made["spec"]["initContainers"].append(container("storage-initializer", mount("/mnt")))
    assert order(inject(made)) == ["storage-initializer", CONTAINER]


def test_bypass_2_a_sidecar_never_counts_as_downloader() -> None:
    made = inject(pod(inits=(container("sidecar", mount(), **SIDECAR),)))
    assert order(made) == [CONTAINER, "sidecar"]
    assert mounts(made, "sidecar") == {"/data": ("models", True)}


def test_bypass_2_a_sidecar_that_would_load_it_early_is_refused() -> None:
    inits = (container("sidecar", mount(), **SIDECAR), container("download", mount()))
    said = refused(pod(inits=inits))
    assert "the sidecar sidecar mounts the model and starts before" in said
    assert "download" in said


def test_bypass_2_who_reads_it_early_is_told() -> None:
    inits = (container("peek", mount(readOnly=True)), container("download", mount()))
    assert warnings(pod(inits=inits)) == ("peek reads the model before its check",)


def test_bypass_2_it_waits_for_the_signature_and_the_anchors_too() -> None:
    outside = validation(model={"path": PATH, "signaturePath": "/signatures/model.sig"})
    server = container("server", mount(), mount("/signatures", "fetched"))
    fetch = container("fetch", mount("/out", "fetched"))
    made = inject(pod(server, inits=(fetch, container("other")), fetched=EMPTY), outside)
    assert order(made) == ["fetch", CONTAINER, "other"]
    assert mounts(made, "server")["/signatures"] == ("fetched", False)
    # Nobody fetches what nobody can write.
    secret = {"secret": {"secretName": "s"}}
    assert order(inject(pod(server, inits=(fetch,), fetched=secret), outside))[0] == CONTAINER


def test_bypass_2_a_sidecar_that_sees_no_processes_may_run_before() -> None:
    proxy = container("proxy", **SIDECAR)
    downloaded = pod(inits=(proxy, container("download", mount())))
    assert order(inject(downloaded)) == ["proxy", "download", CONTAINER]
    shared = pod(inits=(proxy,))
    shared["spec"]["shareProcessNamespace"] = True
    assert order(inject(shared)) == [CONTAINER, "proxy"]


def test_bypass_2_the_same_claim_under_another_name_is_written_too() -> None:
    inits = (container("download", mount("/x", "again")),)
    assert order(inject(pod(inits=inits, again=CLAIM))) == ["download", CONTAINER]


def test_a_sidecar_alone_may_serve_the_model() -> None:
    made = inject(pod(container("proxy"), inits=(container("server", mount(), **SIDECAR),)))
    assert order(made) == [CONTAINER, "server"]
    assert mounts(made, CONTAINER)["/data"] == ("models", True)


# Bypass 3: writers after the verdict.


def test_bypass_3_every_later_mount_is_read_only() -> None:
    made = inject(
        pod(
            container("server", mount(), mount("/scratch", "scratch")),
            container("other", mount("/elsewhere")),
            inits=(container("sidecar", mount("/s", "again"), **SIDECAR),),
            again=CLAIM,
            scratch=EMPTY,
        )
    )
    assert mounts(made, "server") == {"/data": ("models", True), "/scratch": ("scratch", False)}
    assert mounts(made, "other") == {"/elsewhere": ("models", True)}
    assert mounts(made, "sidecar") == {"/s": ("again", True)}


def test_bypass_3_preserving_is_told() -> None:
    made = pod(container("server", mount()), container("reader", mount(readOnly=True)))
    preserve = validation(mounts="Preserve")
    assert warnings(made, preserve) == ("server can change the model at /data after its check",)
    assert mounts(inject(made, preserve), "server") == {"/data": ("models", False)}
    # One of them that does not ask for it is enough.
    assert mounts(inject(made, preserve, validation("b")), "server") == {"/data": ("models", True)}


@pytest.mark.parametrize("path", ["/srv/models", "/srv/models/demo", "/srv", "/", "/srv/./models/"])
def test_bypass_3_an_overlapping_host_path_is_read_only(path: str) -> None:
    server = container("server", mount(), mount("/host", "host"))
    made = pod(
        server, models={"hostPath": {"path": "/srv/models"}}, host={"hostPath": {"path": path}}
    )
    assert mounts(inject(made), "server")["/host"] == ("host", True)


def test_bypass_3_another_host_path_is_not() -> None:
    server = container("server", mount(), mount("/host", "host"))
    other = {"hostPath": {"path": "/srv/models-2"}}
    made = pod(server, models={"hostPath": {"path": "/srv/models"}}, host=other)
    assert mounts(inject(made), "server")["/host"] == ("host", False)


def test_bypass_3_the_same_export_however_it_is_named() -> None:
    server = container("server", mount(), mount("/again", "again"))
    export = {"nfs": {"server": "nas", "path": "/models", "readOnly": True}}
    again = {"nfs": {"path": "/models", "server": "nas"}}
    assert mounts(inject(pod(server, models=export, again=again)), "server")["/again"][1] is True


def test_bypass_3_mounts_on_the_node_are_read_only_as_deep_as_can_be() -> None:
    strict = mount(readOnly=True, recursiveReadOnly="Enabled")
    lax = mount("/other", readOnly=True, recursiveReadOnly="Disabled")
    made = inject(pod(container("server", strict, lax), models={"hostPath": {"path": "/srv"}}))
    (server,) = made["spec"]["containers"]
    assert server["volumeMounts"] == [
        strict,
        {**lax, "recursiveReadOnly": "IfPossible"},
    ]
    # Elsewhere nothing is mounted below, and API servers before 1.30 do not know the field.
    (server,) = inject(pod())["spec"]["containers"]
    assert server["volumeMounts"] == [mount(readOnly=True)]


def test_bypass_3_a_mount_that_may_arrive_later_is_told_if_it_is_preserved() -> None:
    server = container("server", mount(readOnly=True, mountPropagation="HostToContainer"))
    preserve = validation(mounts="Preserve")
    assert warnings(pod(server), preserve) == (
        "server can get another model mounted at /data after its check",
    )
    none = container("server", mount(readOnly=True, mountPropagation="None"))
    assert warnings(pod(none)) == warnings(pod(none), preserve) == ()


# Bypass 4: what is seen.


def test_bypass_4_a_mount_below_the_model_is_seen_too() -> None:
    server = container("server", mount(), mount(f"{PATH}/sub", "cache"))
    made = inject(pod(server, cache=EMPTY))
    assert mounts(made, CONTAINER)[f"{PATH}/sub"] == ("cache", True)
    assert mounts(made, "server") == {"/data": ("models", True), f"{PATH}/sub": ("cache", True)}


def test_bypass_4_who_can_move_what_the_model_is_mounted_in_is_held_back() -> None:
    server = container("server", mount("/data", "workspace"), mount(PATH))
    made = inject(
        pod(server, container("tool", mount("/a", "again")), workspace=EMPTY, again=CLAIM)
    )
    assert mounts(made, "server") == {"/data": ("workspace", True), PATH: ("models", True)}
    outside = pod(server, container("tool", mount("/a", "workspace")), workspace=EMPTY)
    assert mounts(inject(outside), "tool") == {"/a": ("workspace", True)}


def test_bypass_4_where_a_link_in_the_model_could_lead_is_seen() -> None:
    server = container("server", mount(), mount("/data/v3", "other"))
    current = validation(model={"path": "/data/current"})
    made = inject(pod(server, other=EMPTY), current)
    assert mounts(made, CONTAINER)["/data/v3"] == ("other", True)
    assert mounts(made, "server")["/data/v3"] == ("other", True)


def test_bypass_4_a_mount_where_no_token_may_be_is_refused() -> None:
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    anchors = {"trustAnchors": {"path": f"{path}/ca.crt"}, "identity": "a@b.c"}
    made = pod(container("server", mount(), mount(path)))
    assert f"where the verifier has its own {path}" in refused(
        made, validation(signers=[{"certificate": anchors}])
    )


def test_bypass_4_a_part_of_a_volume() -> None:
    made = inject(pod(container("server", mount(PATH, subPath="a/b"))))
    (found,) = [m for m in verifier(made)["volumeMounts"] if m["mountPath"] == PATH]
    assert found == {"name": "models", "mountPath": PATH, "readOnly": True, "subPath": "a/b"}


DIFFERENT = {
    "another volume": (container("a", mount()), container("b", mount("/data", "other"))),
    "another part": (container("a", mount()), container("b", mount("/data", subPath="x"))),
    "a mount below": (container("a", mount()), container("b", mount(), mount(PATH, "other"))),
    "only below": (container("a", mount()), container("b", mount(f"{PATH}/sub", "other"))),
    "higher up": (container("a", mount()), container("b", mount(PATH))),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_bypass_4_containers_that_see_different_things(name: str) -> None:
    assert "see different things at /data/model" in refused(pod(*DIFFERENT[name], other=EMPTY))


def test_bypass_4_a_decoy_that_only_an_init_container_sees() -> None:
    decoy = container("decoy", mount("/data", "decoy", readOnly=True))
    assert "see different things" in refused(pod(inits=(decoy,), decoy=EMPTY))


def test_bypass_4_what_ran_before_may_have_seen_it_elsewhere() -> None:
    unpack = container("unpack", mount("/data", "packed"), mount("/out"))
    assert order(inject(pod(inits=(unpack,), packed=EMPTY))) == ["unpack", CONTAINER]


@pytest.mark.parametrize(
    "path", ["/data/", "data", "//data", "/x/../data", "/./data", "/data/model/../../data"]
)
def test_bypass_4_a_path_is_what_the_runtime_makes_of_it(path: str) -> None:
    made = inject(pod(container("server", mount(path))))
    assert mounts(made, CONTAINER)["/data"] == ("models", True)


@pytest.mark.parametrize("path", ["/data/", "/./data", "data", "/x/../data"])
def test_bypass_4_two_mounts_at_one_place_are_refused(path: str) -> None:
    made = pod(container("server", mount("/data"), mount(path, "other")), other=CLAIM)
    assert refused(made) == "server mounts two volumes at /data"


@pytest.mark.parametrize("path", ["/run/model", "/var/run/model"])
@pytest.mark.parametrize("mounted", ["/run/model", "/var/run/model"])
def test_bypass_4_a_link_that_images_have_leads_to_one_place(path: str, mounted: str) -> None:
    made = inject(pod(container("server", mount(mounted))), validation(model={"path": path}))
    # Spelled as the policy has it: the verifier's image need not have the link.
    assert mounts(made, CONTAINER)[path] == ("models", True)


def test_bypass_4_a_link_leads_to_the_token_too() -> None:
    path = "/run/secrets/kubernetes.io/serviceaccount"
    made = pod(container("server", mount(path)))
    assert "where the verifier has its own" in refused(
        made, validation(model={"path": f"{path}/model"})
    )


@pytest.mark.parametrize("path", ["/dev/termination-log", None, "/data-2/x"])
def test_a_termination_message_elsewhere(path: str | None) -> None:
    assert inject(pod(container("server", mount(), terminationMessagePath=path)))


def test_bypass_4_the_usual_termination_message_in_a_model() -> None:
    made = pod(container("server", mount("/dev")))
    assert "terminationMessagePath" in refused(made, validation(model={"path": "/dev/model"}))


def test_bypass_4_an_init_container_that_runs_later_has_none_either() -> None:
    late = container("late", mount(readOnly=True), terminationMessagePath="/data/model/x")
    assert "late has its terminationMessagePath" in refused(pod(inits=(late,)))


def test_bypass_4_an_expression_is_refused() -> None:
    made = pod(container("server", mount(PATH, subPathExpr="$(POD_NAME)")))
    assert "subPathExpr" in refused(made)


def test_bypass_4_a_block_device_below_the_files_is_refused() -> None:
    devices = [{"name": "raw", "devicePath": "/dev/xvda"}]
    made = pod(container("server", mount()), container("b", volumeDevices=devices), raw=CLAIM)
    assert "has the block device of the model's volume" in refused(made)


def test_bypass_4_a_mount_over_the_policies_is_refused() -> None:
    policies = validation(model={"path": "/etc/model-verify/x"})
    made = pod(container("server", mount("/etc")))
    assert "where the verifier has its own /etc/model-verify" in refused(made, policies)


def test_a_model_that_nobody_mounts() -> None:
    assert "no container mounts a volume at /data/model" in refused(pod(container("a")))
    assert "no container mounts" in refused(pod(container("a", mount("/data/model-2"))))


def test_a_mount_of_no_volume() -> None:
    assert "'ghost', which is no volume" in refused(pod(container("a", mount("/data", "ghost"))))


# Discovery.


def test_models_are_discovered_where_a_volume_can_hold_one() -> None:
    server = container(
        "server",
        mount("/claim"),
        mount("/image", "image"),
        mount("/host", "host"),
        mount("/csi", "csi"),
        mount("/filled", "filled"),
        mount("/scratch", "scratch"),
        mount("/config", "config"),
        mount("/secret", "secret"),
        mount("/projected", "projected"),
        mount("/downward", "downward"),
        mount("/vault", "vault"),
    )
    made = pod(
        server,
        inits=(container("download", mount("/out", "filled")),),
        image={"image": {"reference": "x"}},
        host={"hostPath": {"path": "/m"}},
        csi={"csi": {"driver": "d"}},
        filled=EMPTY,
        scratch=EMPTY,
        config={"configMap": {"name": "c"}},
        secret={"secret": {"secretName": "s"}},
        projected={"projected": {"sources": []}},
        downward={"downwardAPI": {}},
        vault={"csi": {"driver": "secrets-store.csi.k8s.io"}},
    )
    roots = variables(inject(made, DISCOVERY))["MODEL_VERIFY_ROOTS"]
    assert roots == "/claim:/csi:/filled:/host:/image"


def test_what_a_sidecar_could_bring_is_looked_at_and_what_it_keeps_is_not() -> None:
    bring = container("bring", mount("/out", "shared"), mount("/own", "own"), **SIDECAR)
    server = container("server", mount("/in", "shared"))
    made = inject(pod(server, inits=(bring,), shared=EMPTY, own=EMPTY), DISCOVERY)
    assert variables(made)["MODEL_VERIFY_ROOTS"] == "/in:/out"
    assert mounts(made, "bring") == {"/out": ("shared", True), "/own": ("own", False)}
    assert inject(made, DISCOVERY) == made


def test_no_roots_where_every_model_is_named() -> None:
    assert "MODEL_VERIFY_ROOTS" not in variables(inject(pod()))


def test_no_volume_that_can_hold_a_model() -> None:
    made = pod(container("server", mount("/scratch", "scratch")), scratch=EMPTY)
    assert "no volume of the pod can hold a model" in refused(made, DISCOVERY)


@pytest.mark.parametrize("path", ["/a:b", "/m$(MODEL_VERIFY_POLICY)", "/a$$b"])
def test_a_root_that_would_be_read_otherwise(path: str) -> None:
    assert "with a colon or a dollar" in refused(pod(container("a", mount(path))), DISCOVERY)


def test_more_validations_than_the_verifier_takes() -> None:
    many = [validation(f"v{number}", timeoutSeconds=number + 1) for number in range(65)]
    assert len(variables(inject(pod(), *many[:64]))["MODEL_VERIFY_POLICY_SHA256"].split(",")) == 64
    assert "under 65 validations, and 64 are the most" in refused(pod(), *many)


def test_the_order_of_validations_does_not_matter() -> None:
    one = validation("x", namespace="a", resources={"limits": {"cpu": "1"}})
    other = validation("x", imagePullPolicy="Always", mode="warn")
    assert inject(pod(), one, other) == inject(pod(), other, one)


# What is no pod that could run.


MALFORMED: dict[str, Json] = {
    "containers is not a list of objects": {"containers": [1]},
    "the pod has no containers": {"containers": []},
    "volumes is not a list of objects": {"volumes": {}},
    "two volumes have the same name": {"volumes": [{"name": "a", **CLAIM}, {"name": "a", **CLAIM}]},
    "has 2 sources": {"volumes": [{"name": "a", **CLAIM, **EMPTY}]},
    "has 0 sources": {"volumes": [{"name": "a"}]},
    "is for Windows": {"os": {"name": "windows"}},
    "mountPath is not a text": {"containers": [container("a", {"name": "models"})]},
    "name is not a text": {"initContainers": [{"image": "x"}]},
    "hostPID is neither true nor false": {"hostPID": "yes"},
    "capabilities of a are not a list of texts": {
        "containers": [
            container("a", mount(), securityContext={"capabilities": {"add": {"ALL": 1}}})
        ]
    },
    "driver is not a text": {"volumes": [{"name": "a", "csi": {"driver": 1}}]},
    "readOnly is neither true nor false": {"containers": [container("a", mount(readOnly="no"))]},
}


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


DEEP: dict[str, Json] = {
    "name": {"initContainers": [container(deep())]},  # type: ignore[arg-type]
    "capabilities": {
        "containers": [container("a", mount(), securityContext={"capabilities": {"add": deep()}})]
    },
    "sources": {"volumes": [{"name": deep()}]},
    "driver": {"volumes": [{"name": "models", "csi": {"driver": deep()}}]},
}


@pytest.mark.parametrize("name", DEEP)
def test_however_deep_a_pod_nests_it_is_judged(name: str) -> None:
    made = pod()
    made["spec"].update(DEEP[name])
    assert refused(made)


def test_however_deep_it_nests_what_does_not_matter_stays() -> None:
    odd = deep()
    made = pod(container("server", mount(), odd=odd), models={"nfs": {"odd": odd}}, odd={"x": {}})
    made["spec"]["odd"] = odd
    assert inject(made)["spec"]["odd"] is odd
    once = inject(made)
    verifier(once)["args"] = odd
    assert "is not what would be injected" in refused(once)
    once = inject(made)
    verifier(once)["env"].append({"name": odd})
    assert "name is not a text" in refused(once)


@pytest.mark.parametrize("message", MALFORMED)
def test_a_malformed_pod(message: str) -> None:
    made = pod()
    made["spec"].update(MALFORMED[message])
    assert message in refused(made)


@pytest.mark.parametrize(
    "path",
    [
        *("/usr/lib", "/usr", "/opt/model-verify/lib/x", "/opt", "/etc/x"),
        "/opt/pyca/cryptography/openssl",
    ],
)
def test_bypass_4_a_model_over_the_verifiers_own_code_is_refused(path: str) -> None:
    """Discovered, its path is the pod author's choice: what lies there would be run."""
    made = pod(container("server", mount(path)))
    assert "where the verifier has its own" in refused(made, validation(model=None))
    assert inject(pod(container("server", mount("/opt/ml/model"))), validation(model=None))
