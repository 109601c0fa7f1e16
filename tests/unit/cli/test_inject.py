"""`model-verify inject`: manifests in, manifests with the verifier out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import process
from tests.unit.kube.pods import IMAGE, container, mount, order, pod
from verifier_cli.kube.names import CONTAINER

Json = dict[str, Any]

POLICY = Path(__file__).parents[3] / "testdata/policies/key.yaml"
LABEL = "validation.ml.sigstore.dev/ml"


def write(path: Path, *documents: object) -> Path:
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return path


def labelled(value: str = "key") -> Json:
    made = pod(container("server", mount()))
    made["metadata"]["labels"] = {LABEL: value}
    return made


def injected(*arguments: str | Path) -> list[Json]:
    ended = process("inject", *arguments, "--image", IMAGE)
    assert ended.returncode == 0, ended.stderr
    return list(yaml.safe_load_all(ended.stdout))


def test_pods_and_workloads_get_it_and_the_rest_stays(tmp_path: Path) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    job = {"kind": "Job", "metadata": {"name": "j"}, "spec": {"template": labelled()}}
    plain = pod(container("server", mount()))
    given = write(tmp_path / "all.yaml", labelled(), service, job, plain)
    one, untouched, made, same = injected("-f", given, "-f", POLICY)
    assert order(one) == [CONTAINER]
    assert untouched == service
    assert order(made["spec"]["template"]) == [CONTAINER]
    assert same == plain


def test_the_validation_may_be_in_the_same_file(tmp_path: Path) -> None:
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    (one,) = injected("-f", write(tmp_path / "all.yaml", policy, labelled()))
    assert order(one) == [CONTAINER]


def test_a_cluster_validation_that_is_given_is_meant(tmp_path: Path) -> None:
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    policy["kind"] = "ClusterModelValidation"
    policy["spec"]["namespaceSelector"] = {"matchLabels": {"team": "a"}}
    (one,) = injected("-f", write(tmp_path / "all.yaml", policy, labelled("true")))
    assert order(one) == [CONTAINER]


def test_the_image_may_come_from_the_environment(tmp_path: Path) -> None:
    given = write(tmp_path / "pod.yaml", labelled())
    ended = process("inject", "-f", given, "-f", POLICY, MODEL_VERIFY_IMAGE=IMAGE)
    assert ended.returncode == 0
    assert IMAGE.encode() in ended.stdout


def test_a_warning_goes_to_standard_error(tmp_path: Path) -> None:
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    policy["spec"]["mounts"] = "Preserve"
    given = write(tmp_path / "all.yaml", policy, labelled())
    ended = process("inject", "-f", given, "--image", IMAGE)
    assert ended.stderr == b"warning: server can change the model at /data after its check\n"


@pytest.mark.parametrize(
    ("label", "arguments", "code", "said"),
    [
        ("True", ("--image", IMAGE), 3, "Pod p: its label validation.ml.sigstore.dev/ml='True'"),
        ("key", ("--image", "verifier:1"), 3, "is not named by digest"),
        ("key", (), 2, "Missing option '--image'"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, label: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    given = write(tmp_path / "pod.yaml", labelled(label))
    ended = process("inject", "-f", given, "-f", POLICY, *arguments)
    assert ended.returncode == code
    assert said in ended.stderr.decode()
    assert ended.stdout == b""


def test_a_tag_on_purpose(tmp_path: Path) -> None:
    given = write(tmp_path / "pod.yaml", labelled())
    ended = process("inject", "-f", given, "-f", POLICY, "--image", "verifier:1", "--allow-tag")
    assert ended.returncode == 0


@pytest.mark.parametrize("content", ["- a list\n", "{", "a: &b c\nd: *b\n"])
def test_what_is_no_manifest(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(content)
    ended = process("inject", "-f", path, "--image", IMAGE)
    assert ended.returncode == 3
    assert str(path) in ended.stderr.decode()
