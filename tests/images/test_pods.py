"""Pods whose init container is the verifier, played for real."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack

import pytest
import yaml

from tests.builders import Model, process
from tests.images import containers
from tests.images.containers import ARBITRARY, OWN, Ended, Pod, Podman, errors_said, host_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
TESTDATA = ROOT / "testdata"
PATH = "/data/tensorflow_saved_model"
METHODS = ("key", "certificate", "sigstore")


class More(TypedDict, total=False):
    """Options of `containers.pod`."""

    user: tuple[int, int]
    before: Sequence[Json]
    volumes: Mapping[str, tuple[str, Json]]


class Play(Protocol):
    def __call__(self, manifest: Path, model: Json, **options: Unpack[More]) -> Pod: ...


@pytest.fixture
def play(podman: Podman, verifier: str, workload: str, shared: Path) -> Iterator[Play]:
    """Makes pods, which are removed at the end."""
    made: list[Pod] = []

    def play(manifest: Path, model: Json, **options: Unpack[More]) -> Pod:
        documents = containers.pod(
            verifier,
            workload,
            configmap=rendered(manifest),
            termination=shared / "termination-log",
            model=model,
            path=PATH,
            **options,
        )
        made.append(Pod(podman, shared, documents))
        return made[-1]

    yield play
    for pod in made:
        pod.remove()


def rendered(manifest: Path) -> Json:
    """The ConfigMap that `model-verify render` makes of a ModelValidation."""
    ended = process("render", "-f", manifest)
    assert ended.returncode == 0, ended.stderr
    configmap: Json = yaml.safe_load(ended.stdout)
    return configmap


def policy(name: str) -> Path:
    return TESTDATA / "policies" / f"{name}.yaml"


def copied(case: str, to: Path) -> Path:
    return Path(shutil.copytree(TESTDATA / case, to / "model", symlinks=True))


def key_policy(model: Model, directory: Path, path: str = PATH) -> Path:
    """The ModelValidation of a model that was signed with a key."""
    (signer,) = model.policy().signers
    spec = {
        "model": {"path": path},
        "config": {"publicKeyConfig": {"key": getattr(signer, "public_key").text}},  # noqa: B009
    }
    manifest = directory / "validation.yaml"
    kind = {"apiVersion": "ml.sigstore.dev/v1alpha1", "kind": "ModelValidation"}
    manifest.write_text(json.dumps({**kind, "metadata": {"name": "made"}, "spec": spec}))
    return manifest


def expect_verified(pod: Pod, ended: Ended) -> None:
    assert ended.exit_code == 0, ended
    assert pod.started()
    assert ended.report is not None
    assert ended.report["verdict"] == "TRUSTED"
    (model,) = ended.report["models"]
    assert model["path"] == PATH
    assert ended.log[-1]["event"] == "verify.finished"
    assert ended.termination is not None
    assert (ended.termination["verdict"], ended.termination["exit"]) == ("TRUSTED", 0)
    digest = pod.configmap["metadata"]["annotations"]["validation.ml.sigstore.dev/policy-sha256"]
    assert ended.termination["policy"] == [digest] == [model["policySha256"]]


def expect_refused(pod: Pod, ended: Ended, code: int, reason: str, finding: str) -> None:
    assert ended.exit_code == code, ended
    assert not pod.started()
    assert ended.report is not None
    assert (ended.report["exitCode"], ended.report["reason"]) == (code, reason)
    assert finding in [name for name, _ in ended.errors]
    assert [line["reason"] for line in ended.log if line["event"] == "verify.finished"] == [reason]
    assert ended.termination is not None
    assert (ended.termination["exit"], ended.termination["reason"]) == (code, reason)
    assert ended.termination["finding"].startswith(finding)


@pytest.mark.parametrize("user", [OWN, ARBITRARY], ids=["own-uid", "arbitrary-uid"])
@pytest.mark.parametrize("method", METHODS)
def test_a_good_model_lets_the_workload_start(
    play: Play, method: str, user: tuple[int, int]
) -> None:
    pod = play(policy(method), host_path(TESTDATA / f"savedmodel-{method}"), user=user)
    expect_verified(pod, pod.run())


@pytest.mark.parametrize("method", METHODS)
def test_trust_material_can_be_mounted_beside_the_policy(play: Play, method: str) -> None:
    trust = {"trust": ("/trust", host_path(TESTDATA / "trust"))}
    model = host_path(TESTDATA / f"savedmodel-{method}")
    pod = play(policy(f"{method}-path"), model, volumes=trust)
    ended = pod.run()
    expect_verified(pod, ended)
    assert any(line.get("code") == "MATERIAL_UNPINNED" for line in ended.log)


@pytest.mark.parametrize("case", ["savedmodel-key", "savedmodel-unsigned"])
def test_a_model_that_an_earlier_container_brings_is_verified(
    play: Play, workload: str, case: str
) -> None:
    download = {
        "name": "download",
        "image": workload,
        "command": ["cp", "-r", "/source/.", PATH],
        "volumeMounts": [
            {"name": "source", "mountPath": "/source"},
            {"name": "model", "mountPath": PATH},
        ],
    }
    source = {"source": ("/source", host_path(TESTDATA / case))}
    pod = play(policy("key"), {"emptyDir": {}}, before=[download], volumes=source)
    ended = pod.run()
    if case == "savedmodel-key":
        expect_verified(pod, ended)
    else:
        expect_refused(pod, ended, 13, "SIGNATURE_MISSING", "SIGNATURE_NOT_FOUND")


BAD = {
    ("savedmodel-tampered", "sigstore"): (12, "CONTENT_MISMATCH", "FILE_MODIFIED"),
    ("savedmodel-extra-file", "key"): (12, "CONTENT_MISMATCH", "FILE_UNSIGNED"),
    ("savedmodel-unsigned", "key"): (13, "SIGNATURE_MISSING", "SIGNATURE_NOT_FOUND"),
    ("savedmodel-forged", "key"): (10, "SIGNATURE_INVALID", "SIGNATURE_WRONG"),
    ("savedmodel-other-key", "key"): (11, "SIGNER_UNTRUSTED", "KEY_MISMATCH"),
    ("savedmodel-other-ca", "certificate"): (11, "SIGNER_UNTRUSTED", "CHAIN_UNTRUSTED"),
    ("savedmodel-other-identity", "sigstore"): (11, "SIGNER_UNTRUSTED", "IDENTITY_MISMATCH"),
    ("savedmodel-link", "key"): (14, "POLICY_VIOLATION", "SYMLINK_FORBIDDEN"),
}


@pytest.mark.parametrize(("case", "signer"), BAD)
def test_a_bad_model_never_starts(play: Play, case: str, signer: str) -> None:
    pod = play(policy(signer), host_path(TESTDATA / case))
    expect_refused(pod, pod.run(), *BAD[case, signer])


def test_a_file_that_the_verifier_may_not_read_stops_the_pod(play: Play, shared: Path) -> None:
    model = copied("savedmodel-key", shared)
    (model / "saved_model.pb").chmod(0o600)
    pod = play(policy("key"), host_path(model))
    expect_refused(pod, pod.run(), 20, "MODEL_UNREADABLE", "UNREADABLE")


@pytest.mark.parametrize("name", ["pipe", "saved_model.pb"])
def test_a_fifo_stops_the_pod(play: Play, shared: Path, name: str) -> None:
    model = copied("savedmodel-key", shared)
    (model / name).unlink(missing_ok=True)
    os.mkfifo(model / name, 0o644)
    pod = play(policy("key"), host_path(model))
    expect_refused(pod, pod.run(), 14, "POLICY_VIOLATION", "SPECIAL_FILE")


def test_two_gibibytes_are_verified_in_a_sixteenth_of_that(play: Play, shared: Path) -> None:
    model = Model(shared, {"config.json": b"{}"})
    with (model.path / "weights.bin").open("wb") as weights:
        weights.truncate(2 << 30)
    manifest = key_policy(model.sign_with_key(), shared)
    pod = play(manifest, host_path(model.path))
    ended = pod.run()
    expect_verified(pod, ended)
    assert ended.report is not None
    assert ended.report["models"][0]["bytes"] > 2 << 30


def test_a_stop_during_a_long_verification_ends_it_at_once(play: Play, shared: Path) -> None:
    model = Model(shared, {"weights.bin": b""}).sign_with_key()
    with (model.path / "weights.bin").open("r+b") as weights:
        weights.truncate(1 << 40)  # hours of hashing, and no byte on disk
    pod = play(key_policy(model, shared), host_path(model.path))
    name = f"{pod.name}-model-validation"
    playing = pod.start()
    try:
        wait_for_log(pod.podman, name, "hash.progress")
        # One second of grace: an exit code of 137 would say that it took longer.
        pod.podman("stop", "--time=1", name)
    finally:
        pod.podman("kill", name, check=False)
        playing.communicate(timeout=60)
    assert not pod.started()
    ended = pod.verifier()
    assert ended.exit_code == 143
    assert ended.termination is not None
    assert ended.termination["reason"] == "TERMINATED"


def wait_for_log(podman: Podman, name: str, event: str) -> None:
    """Waits until a container logs an event, at most a minute."""
    for _ in range(600):
        if f'"{event}"' in podman("logs", name, check=False).stderr:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {event} within a minute")


def test_the_example_works_as_it_is_written(
    podman: Podman, verifier: str, workload: str, shared: Path
) -> None:
    example = ROOT / "examples" / "init-container.yaml"
    documents = list(yaml.safe_load_all(example.read_text(encoding="utf-8")))
    configmap, manifest = documents
    assert configmap == rendered(policy("key"))
    spec = manifest["spec"]
    (validation,), (server,) = spec["initContainers"], spec["containers"]
    # What a reader has to fill in: where the images are, and which model server it is.
    assert validation["image"].startswith("registry.example.com/model-verify/verifier@sha256:")
    validation["image"] = verifier
    server.update(image=workload, name="workload", command=["ls", PATH])
    # What podman lacks.
    manifest["metadata"]["annotations"] = containers.KEEP
    spec["restartPolicy"] = "Never"  # a pod that starts again would verify again
    validation["env"] = [each for each in validation["env"] if "value" in each]
    spec["volumes"].append({"name": "termination", **host_path(shared / "termination-log", "File")})
    mount = {"name": "termination", "mountPath": "/dev/termination-log"}
    validation["volumeMounts"].append(mount)
    pod = Pod(podman, shared, documents)
    (claim,) = [each for each in pod.pod["spec"]["volumes"] if "persistentVolumeClaim" in each]
    volume = claim["persistentVolumeClaim"]["claimName"]
    podman("volume", "create", volume)
    try:
        mounted = podman("volume", "inspect", "--format={{.Mountpoint}}", volume).stdout.strip()
        shutil.copytree(TESTDATA / "savedmodel-key", Path(mounted, "tensorflow_saved_model"))
        expect_verified(pod, pod.run())
    finally:
        pod.remove()


def test_the_pod_of_a_policy_that_was_edited_later_never_starts(play: Play) -> None:
    pod = play(policy("key"), host_path(TESTDATA / "savedmodel-other-key"))
    configmap = pod.configmap
    other = (TESTDATA / "trust" / "other-key.pub").read_text(encoding="utf-8")
    edited = json.loads(configmap["data"]["policy.json"])
    edited["signers"] = [{"method": "key", "publicKey": other}]
    configmap["data"]["policy.json"] = json.dumps(edited)
    ended = pod.run()
    assert ended.exit_code == 3
    assert not pod.started()
    assert ended.termination is not None
    assert (ended.termination["reason"], ended.termination["exit"]) == ("CONFIG", 3)
    (message,) = errors_said(ended.log)
    assert "admitted were" in message
