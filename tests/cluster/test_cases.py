"""Every case of testdata in a pod of its own: the verdict is that of the command line."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import Model
from tests.cluster.conftest import made_namespace
from tests.cluster.product import (
    ROOT,
    ended,
    example,
    metrics,
    rejections,
    send,
    started,
    stored,
    verdict,
    volume,
    wait_ready,
)
from tests.cluster.test_injected_pods import restricted
from tests.damage import chains
from tests.unit.kube.pods import LABEL, container, mount, pod, resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.node import Node

Json = dict[str, Any]

TESTDATA = ROOT / "testdata"
CASES: list[Json] = json.loads((TESTDATA / "cases.json").read_bytes())
EXPIRED = "expired-ca"
MODEL_SERVER = "localhost/model-verify/models:dev"


def content(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def spec(arguments: list[str]) -> Json:
    """A validation that asks for what the arguments of `model-verify verify` ask for."""
    path, *rest = arguments
    options = dict(zip(rest[::2], rest[1::2], strict=False))
    model: Json = {"path": in_pod(path)}
    for flag, field in (
        ("--allow-symlinks", "allowSymlinks"),
        ("--ignore-unsigned-files", "ignoreUnsignedFiles"),
    ):
        if flag in rest:
            model[field] = True
    if "--signature" in options:
        model["signaturePath"] = in_pod(options["--signature"])
    return {"model": model, "config": config(options)}


def in_pod(path: str) -> str:
    return f"/data/{Path(path).relative_to('testdata')}"


def config(options: dict[str, str]) -> Json:
    if "--public-key" in options:
        return {"publicKeyConfig": {"key": content(options["--public-key"])}}
    if "--certificate-chain" in options:
        anchors, identity = options["--certificate-chain"], options["--certificate-identity"]
        return certified(content(anchors), identity)
    return {
        "clientTrustConfig": {"trustConfig": content(options["--trust-config"])},
        "sigstoreConfig": {
            "certificateIdentity": options["--identity"],
            "certificateOidcIssuer": options["--identity-provider"],
        },
    }


def certified(anchors: str, identity: str) -> Json:
    return {"pkiConfig": {"certificateAuthority": anchors, "certificateIdentity": identity}}


def signed_under_an_expired_authority(directory: Path) -> Json:
    """Signs a model properly under an authority that has ended since; the validation's spec."""
    ended_since = dataclasses.replace(chains.ROOT, end=chains.NOW - chains.DAY / 2)
    chain = chains.chain(root=ended_since)
    Model(directory, name=EXPIRED).sign_with_certificate(chain)
    identity = "release@example.com"
    return {"model": {"path": f"/data/{EXPIRED}"}, "config": certified(chain.anchors(), identity)}


def server(room: str, name: str) -> Json:
    """A pod that serves what is in the claim."""
    command = {"image": MODEL_SERVER, "args": ["-c", "print('serving')"]}
    made = restricted(pod(container("server", mount(), **command)), room)
    made["metadata"] |= {"name": name, "labels": {LABEL: name}}
    made["spec"]["restartPolicy"] = "Never"
    return made


@pytest.fixture(scope="module")
def serving(product: Node) -> Iterator[str]:
    """A namespace with a pod for each case, all of them on their way."""
    for room in made_namespace(product, {"pod-security.kubernetes.io/enforce": "restricted"}):
        product.create(volume(product, room))
        shutil.copytree(TESTDATA, stored(product, room), symlinks=True, dirs_exist_ok=True)
        specs = {each["name"]: spec(each["arguments"]) for each in CASES}
        specs[EXPIRED] = signed_under_an_expired_authority(stored(product, room))
        made = [resource(name, namespace=room, **each) for name, each in specs.items()]
        send(product, [example("prepare.yaml", room)[0], *made])
        for name in specs:
            wait_ready(product, room, name)
        send(product, [server(room, name) for name in specs])
        yield room
        product.kubectl("delete", "persistentvolume", room, "--wait=false")


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_a_pod_comes_to_the_verdict_of_the_command_line(
    product: Node, serving: str, case: Json
) -> None:
    check(product, serving, case["name"], case["exitCode"], case["reason"])


def test_an_expired_authority(product: Node, serving: str) -> None:
    message = check(product, serving, EXPIRED, 11, "SIGNER_UNTRUSTED")
    assert "CN=Root has expired" in message["finding"]


def test_status_events_and_metrics_name_every_reason(product: Node, serving: str) -> None:
    where = f"--namespace={serving}"
    refused = {each["name"]: each["reason"] for each in CASES if each["exitCode"]}
    refused[EXPIRED] = "SIGNER_UNTRUSTED"

    def told(found: Json) -> dict[str, str]:
        last = {e["metadata"]["name"]: e["status"].get("lastRejection") for e in found["items"]}
        return {name: each["reason"] for name, each in last.items() if each}

    product.get_until(
        lambda found: told(found) == refused, "modelvalidations.ml.sigstore.dev", where
    )

    def said(found: Json) -> set[tuple[str, str]]:
        return {
            (each["involvedObject"]["name"], reason)
            for each in rejections(found)
            for reason in refused.values()
            if each["involvedObject"]["kind"] == "Pod" and reason in each["message"]
        }

    product.get_until(lambda found: said(found) == set(refused.items()), "events", where)
    exposed = metrics(product, "model-validation-controller")
    for reason in refused.values():
        assert f'reason="{reason}",verdict="rejected"' in exposed


def check(product: Node, room: str, name: str, code: int, reason: str) -> Json:
    """Holds how the pod ended against what is expected, and returns the verifier's last word."""
    status = ended(product, room, name)
    ended_with, message = verdict(status)
    assert (ended_with, message["reason"]) == (code, reason), message
    assert status["phase"] == ("Failed" if code else "Succeeded")
    assert started(status) is (code == 0)
    return message
