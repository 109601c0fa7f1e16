"""Runs containers and pods of the built images as a cluster would, and reads what they leave.

podman plays the manifests. What it lacks (4.3) the tests make up for: the termination log is a file
mounted at `/dev/termination-log`, as the kubelet does it, and an annotation keeps init containers
that have ended.
"""

from __future__ import annotations

import copy
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import yaml

from tests import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]

# One of the two ids that a verifier runs as: its own, and one that OpenShift would choose.
OWN, ARBITRARY = (65532, 65532), (1_000_680_000, 0)
# As a cluster's strictest policy has it; nothing can be written anywhere.
FLAGS = (
    "--network=none",
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--memory=128m",
)
KEEP = {"io.podman.annotations.init.container.type": "always"}


@dataclass(frozen=True)
class Podman:
    """podman with the settings and the storage of the tests."""

    environment: Mapping[str, str]

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(
            ("podman", *arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=tempfile.gettempdir(),  # where an out-of-memory kill leaves a file
        )
        if check and ran.returncode:
            raise AssertionError(f"podman {' '.join(arguments)}\n{ran.stdout}{ran.stderr}")
        return ran

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ("podman", *arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True)
class Ended:
    """What a verifier left: exit code, report and log, each held against its schema."""

    exit_code: int
    report: Json | None
    log: list[Json]
    termination: Json | None = None

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Code and path of every error finding of the report."""
        assert self.report is not None
        return [
            (finding["code"], finding["path"])
            for model in self.report["models"]
            for finding in model["findings"]
            if finding["severity"] == "error"
        ]


def ended(exit_code: int, stdout: str, stderr: str, termination: Path | None = None) -> Ended:
    assert "Traceback" not in stdout + stderr
    message = termination.read_bytes() if termination else b""
    return Ended(
        exit_code,
        schemas.check_report(stdout) if stdout else None,
        schemas.check_log_lines(stderr),
        schemas.check_termination(message) if message else None,
    )


def init(podman: Podman, image: str, *options: str) -> Ended:
    """Runs `model-verify init` in a container of its own with the strictest flags."""
    ran = podman("run", "--rm", f"--user={OWN[0]}:{OWN[1]}", *FLAGS, *options, image, check=False)
    return ended(ran.returncode, ran.stdout, ran.stderr)


class Pod:
    """A pod whose init container is the verifier, and whose workload says that it started.

    Pod, ConfigMap and claim get names of their own: neither what a broken run has left nor
    another run at the same time is in the way.
    """

    def __init__(self, podman: Podman, directory: Path, documents: Sequence[Json]) -> None:
        self.podman = podman
        self.directory = directory
        self.configmap, self.pod = documents = copy.deepcopy(list(documents))
        self.volumes: dict[str, str] = {}
        for metadata in (document["metadata"] for document in documents):
            metadata["name"] = self._own(metadata["name"])
        for volume in self.pod["spec"]["volumes"]:
            for source, key in (("configMap", "name"), ("persistentVolumeClaim", "claimName")):
                if source in volume:
                    volume[source][key] = self._own(volume[source][key])
        self.name = str(self.pod["metadata"]["name"])
        self.termination = directory / "termination-log"

    def _own(self, name: str) -> str:
        return self.volumes.setdefault(name, f"{name}-{uuid4().hex[:8]}")

    def start(self) -> subprocess.Popen[str]:
        """Plays the manifest; podman returns once the pod runs, or an init container failed."""
        manifest = self.directory / "pod.yaml"
        text = yaml.safe_dump_all([self.configmap, self.pod])
        manifest.write_text(text, encoding="utf-8")
        self.termination.touch()
        self.termination.chmod(0o666)
        return self.podman.start("play", "kube", "--network=none", str(manifest))

    def run(self) -> Ended:
        """Plays the manifest to its end and returns what the verifier left."""
        playing = self.start()
        _, said = playing.communicate(timeout=300)
        ended = self.verifier()
        assert bool(playing.returncode) is bool(ended.exit_code), said
        return ended

    def verifier(self) -> Ended:
        name = f"{self.name}-model-validation"
        self._check_rights(name)
        code = self._inspect(name, "State.ExitCode")
        logs = self.podman("logs", name)
        return ended(code, logs.stdout, logs.stderr, self.termination)

    def started(self) -> bool:
        """Whether the workload ever ran: by what it printed, and by podman's word."""
        name = f"{self.name}-workload"
        self.podman("wait", "--condition=exited", "--condition=created", name)
        since = self._inspect(name, "State.StartedAt")
        printed = self.podman("logs", name).stdout
        assert bool(printed) is not since.startswith("0001-01-01"), (printed, since)
        return bool(printed)

    def remove(self) -> None:
        self.podman("pod", "rm", "--force", "--time=0", self.name, check=False)
        self.podman("volume", "rm", "--force", *self.volumes.values(), check=False)

    def _inspect(self, container: str, field: str) -> Any:  # noqa: ANN401  (JSON)
        shown = self.podman("inspect", f"--format={{{{json .{field}}}}}", container).stdout
        return json.loads(shown)

    def _check_rights(self, container: str) -> None:
        """The manifest's restrictions reached the kernel: a typo in it would go unseen."""
        (asked,) = [
            each["securityContext"]
            for each in self.pod["spec"]["initContainers"]
            if each["name"] == "model-validation"
        ]
        given = json.loads(Path(self._inspect(container, "OCIConfigPath")).read_bytes())
        process, linux = given["process"], given["linux"]
        assert process["user"]["uid"] == asked["runAsUser"]
        assert process["user"]["gid"] == asked.get("runAsGroup", OWN[1])
        assert process["noNewPrivileges"] is True
        assert not any(process["capabilities"].values())
        assert given["root"]["readonly"] is True
        assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
        assert linux["resources"]["memory"]["limit"] == 128 << 20
        mounts = self._inspect(container, "Mounts")
        assert [each["Destination"] for each in mounts if each["RW"]] == ["/dev/termination-log"]


def pod(  # noqa: PLR0913
    image: str,
    workload: str,
    *,
    configmap: Json,
    termination: Path,
    model: Json,
    path: str,
    user: tuple[int, int] = OWN,
    before: Sequence[Json] = (),
    volumes: Mapping[str, tuple[str, Json]] | None = None,
) -> list[Json]:
    """ConfigMap and Pod: the verifier in front of a workload that reads the same model.

    `before` are init containers that run earlier; `volumes` are further ones of the verifier, by
    name: the place where it is mounted, and its source.
    """
    more = volumes or {}
    policy = configmap["metadata"]
    digest = policy["annotations"]["validation.ml.sigstore.dev/policy-sha256"]
    verifier = {
        "name": "model-validation",
        "image": image,
        "args": ["init"],
        "env": [{"name": "MODEL_VERIFY_POLICY_SHA256", "value": digest}],
        "resources": {"limits": {"memory": "128Mi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user[0],
            "runAsGroup": user[1],
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "policy", "mountPath": "/etc/model-verify", "readOnly": True},
            {"name": "model", "mountPath": path, "readOnly": True},
            {"name": "termination", "mountPath": "/dev/termination-log"},
            *({"name": n, "mountPath": at, "readOnly": True} for n, (at, _) in more.items()),
        ],
    }
    served = {
        "name": "workload",
        "image": workload,
        "command": ["ls", path],
        "volumeMounts": [{"name": "model", "mountPath": path, "readOnly": True}],
    }
    sources = {
        "policy": {"configMap": {"name": policy["name"]}},
        "model": model,
        "termination": host_path(termination, "File"),
        **{name: source for name, (_, source) in more.items()},
    }
    spec = {
        "restartPolicy": "Never",
        "volumes": [{"name": name, **source} for name, source in sources.items()],
        "initContainers": [*before, verifier],
        "containers": [served],
    }
    metadata = {"name": policy["name"], "annotations": KEEP}
    return [configmap, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}]


def host_path(path: Path, kind: str = "Directory") -> Json:
    """A hostPath volume's source."""
    return {"hostPath": {"path": str(path), "type": kind}}


def errors_said(log: Sequence[Json]) -> list[str]:
    """What the log says of errors that left nothing to decide."""
    return [line["msg"] for line in log if line["event"] == "error"]
