"""`model-verify inject`: manifests in, manifests with the verifier out."""

from __future__ import annotations

import json
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


def test_a_list_is_unpacked(tmp_path: Path) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [labelled(), labelled()]}
    path = tmp_path / "list.json"
    path.write_text(json.dumps(listed), encoding="utf-8")
    made = injected("-f", path, "-f", POLICY)
    assert [order(each) for each in made] == [[CONTAINER], [CONTAINER]]


def told(*arguments: str | Path, code: int = 0) -> str:
    ended = process("inject", *arguments, "--image", IMAGE)
    assert ended.returncode == code, ended.stderr
    return ended.stderr.decode()


def placed(namespace: str, label: str = "key") -> tuple[Json, Json]:
    """A validation in a namespace, and a pod that names none."""
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    policy["metadata"]["namespace"] = namespace
    return policy, labelled(label)


def test_a_namespace_for_what_names_none(tmp_path: Path) -> None:
    given = write(tmp_path / "all.yaml", *placed("prod"))
    assert order(*injected("-f", given, "-n", "prod")) == [CONTAINER]
    assert "in namespace default" in told("-f", given, code=3)
    assert "in namespace test" in told("-f", given, "--namespace=test", code=3)


def test_a_validation_without_a_namespace_is_where_it_is_put(tmp_path: Path) -> None:
    pod_there = labelled()
    pod_there["metadata"]["namespace"] = "there"
    given = write(tmp_path / "all.yaml", pod_there)
    assert order(*injected("-f", given, "-f", POLICY)) == [CONTAINER]
    assert "in namespace there" in told("-f", given, "-f", POLICY, "-n", "here", code=3)


def test_a_validation_that_is_for_nothing_is_told(tmp_path: Path) -> None:
    elsewhere, one = placed("elsewhere", label="true")
    elsewhere["metadata"]["name"] = "other"
    given = write(tmp_path / "all.yaml", elsewhere, one)
    wanted = (
        "warning: the ModelValidation other of namespace elsewhere is for none of these objects\n"
    )
    assert told("-f", given, "-f", POLICY) == wanted


def test_a_label_that_would_be_passed_by_is_an_error(tmp_path: Path) -> None:
    template = {"spec": {"template": labelled()}, "metadata": {"name": "r"}}
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", **template}
    said = told("-f", write(tmp_path / "x.yaml", rollout), "-f", POLICY, code=3)
    assert "Rollout r: it carries the label" in said


def test_an_object_without_metadata_is_named_by_its_kind(tmp_path: Path) -> None:
    odd: Json = {"kind": "Deployment", "metadata": None, "spec": []}
    said = told("-f", write(tmp_path / "x.yaml", odd), "-f", POLICY, code=3)
    assert "Deployment: spec is not an object" in said
    said = told("-f", write(tmp_path / "x.yaml", {"kind": "List", "items": [1]}), code=3)
    assert "List: items is not a list of objects" in said


@pytest.mark.parametrize("depth", [50, 150, 300, 600, 900])
def test_however_deep_it_nests_it_is_read_or_refused(tmp_path: Path, depth: int) -> None:
    made = labelled()
    made["spec"]["odd"] = "deep"
    path = tmp_path / "deep.yaml"
    text = yaml.safe_dump(made).replace("odd: deep", f"odd: {'[' * depth}{']' * depth}")
    path.write_text(text, encoding="utf-8")
    ended = process("inject", "-f", path, "-f", POLICY, "--image", IMAGE)
    assert ended.returncode in (0, 3), ended.stderr
    assert b"nests too deeply" in ended.stderr or ended.returncode == 0


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
