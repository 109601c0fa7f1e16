"""Times what an admission decides: choice, injection and patch of a usual pod, on one CPU.

    python -m benchmarks.inject [--profile]

Prints microseconds for each validation: the median of the rounds, and the quickest. JSON and TLS
are not in it. With `--profile` it says where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier_cli.config import manifest
from verifier_cli.kube.container import Settings
from verifier_cli.kube.review import Admit, Request, decide

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = Settings(f"registry.example.com/model-verify/verifier@sha256:{'0' * 64}")
LABEL = "validation.ml.sigstore.dev/ml"
NAMESPACES = {"serving": {"kubernetes.io/metadata.name": "serving"}}
PROXY_VARIABLES = 20


def validation(model: Json | None) -> Validation:
    """A ModelValidation of the namespace by a key; models are discovered if none is named."""
    key = (ROOT / "testdata/trust/key.pub").read_text(encoding="utf-8")
    spec: Json = {"config": {"publicKeyConfig": {"key": key}}}
    if model is not None:
        spec["model"] = model
    metadata = {"name": "demo", "namespace": "serving"}
    kind = {"apiVersion": "ml.sigstore.dev/v1alpha1", "kind": "ModelValidation"}
    return manifest.decode({**kind, "metadata": metadata, "spec": spec}, "demo")


def pod() -> Json:
    """A server of a downloaded model with a mesh's proxy, as the API server sends it: 4 KB."""
    token = {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/account"}
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
    }

    def container(name: str, *mounts: tuple[str, str], variables: int = 4) -> Json:
        return {
            "name": name,
            "image": f"registry.example.com/serving/{name}:1.2.3",
            "imagePullPolicy": "IfNotPresent",
            "args": ["--port=8080", "--model=/mnt/models"],
            "env": [{"name": f"VARIABLE_{n}", "value": "a value"} for n in range(variables)],
            "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "4Gi"}},
            "securityContext": restricted,
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "volumeMounts": [
                *({"name": volume, "mountPath": path} for volume, path in mounts),
                {**token, "readOnly": True},
            ],
        }

    projected = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    proxy = container("proxy", ("proxy-config", "/etc/proxy"), variables=PROXY_VARIABLES)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "llm-predictor-7d9f8b6c5-",
            "namespace": "serving",
            "labels": {"app": "llm", LABEL: "demo", "pod-template-hash": "7d9f8b6c5"},
            "annotations": {"prometheus.example.com/scrape": "true"},
        },
        "spec": {
            "serviceAccountName": "default",
            "initContainers": [container("storage-initializer", ("models", "/mnt/models"))],
            "containers": [
                container("server", ("models", "/mnt/models"), ("shm", "/dev/shm")),  # noqa: S108
                proxy,
            ],
            "volumes": [
                {"name": "models", "emptyDir": {}},
                {"name": "shm", "emptyDir": {"medium": "Memory"}},
                {"name": "proxy-config", "configMap": {"name": "proxy"}},
                {"name": token["name"], "projected": {"sources": [projected]}},
            ],
        },
    }


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    parser.add_argument("--number", type=int, default=2000, help="calls in a round")
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    made = pod()
    size = len(json.dumps(made, separators=(",", ":")))
    print(f"a pod of {size} bytes; microseconds for one decision: median, quickest")
    cases = {
        "a model path": validation({"path": "/mnt/models"}),
        "discovery": validation(None),
    }
    for name, each in cases.items():
        request = Request("uid", "CREATE", "serving", made, {})

        def once(request: Request = request, each: Validation = each) -> object:
            return decide(request, (each,), NAMESPACES, SETTINGS)

        found = once()
        if not isinstance(found, Admit) or not found.patch:
            raise SystemExit(f"{name}: {found}")
        taken = timeit.repeat(once, number=asked.number, repeat=asked.rounds)
        micros = [seconds / asked.number * 1e6 for seconds in taken]
        print(f"{name:14} {statistics.median(micros):8.1f} {min(micros):8.1f}")
        if asked.profile:
            profile = cProfile.Profile()
            profile.runcall(timeit.timeit, once, number=asked.number)
            pstats.Stats(profile).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()
