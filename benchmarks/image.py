"""The rows about the verifier image: from the start of `init` to its verdict, by each method.

Both programs run in a container of the image, where model_signing is installed too; what podman
needs to start a container is not part of it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from images import tools

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
IMAGE = "localhost/model-verify/verifier:dev"
ARCHIVE = ROOT / "build" / "images" / "verifier.oci.tar"
PYTHON = "/opt/model-verify/bin/python"
MODEL = "/data/tensorflow_saved_model"
THEIRS = {
    "key": ("--public_key", "/trust/key.pub"),
    "certificate": ("--certificate_chain", "/trust/ca.pem"),
    "sigstore": (
        *("--trust_config", "/trust/trust-config.json"),
        *("--identity", "release@example.com", "--identity_provider", "https://idp.example.com"),
    ),
}


def measure(runs: int) -> list[list[str]]:
    """One row a method, in the form of the other rows.

    Raises:
        UnavailableError: containers cannot be run here.
    """
    environment = tools.ready()
    load = ("podman", "load", "--quiet", "--input", str(ARCHIVE))
    subprocess.run(load, env=environment, check=True, stdout=subprocess.DEVNULL)
    return [row(method, runs, environment) for method in THEIRS]


def row(method: str, runs: int, environment: dict[str, str]) -> list[str]:
    """Measures one method in one container."""
    manifest = f"testdata/policies/{method}.yaml"
    with tempfile.TemporaryDirectory() as policy:
        render = (str(BIN / "model-verify"), "render", "-f", manifest)
        shown = subprocess.run(render, check=True, capture_output=True, cwd=ROOT).stdout
        Path(policy).chmod(0o755)
        text = yaml.safe_load(shown)["data"]["policy.json"]
        Path(policy, "policy.json").write_text(text, encoding="utf-8")
        volumes = {
            f"{ROOT}/testdata/savedmodel-{method}": MODEL,
            f"{ROOT}/testdata/trust": "/trust",
            str(ROOT / "benchmarks"): "/benchmarks",
            policy: "/etc/model-verify",
        }
        podman = ("podman", "run", "--rm", "--interactive", "--network=none", "--read-only")
        mounts = [f"--volume={source}:{target}:ro" for source, target in volumes.items()]
        signature = ("--signature", f"{MODEL}/model.sig")
        theirs = [PYTHON, "-m", "model_signing", "verify", method, MODEL, *signature]
        pair = (["model-verify", "init"], [*theirs, *THEIRS[method]])
        ran = subprocess.run(
            (*podman, *mounts, f"--entrypoint={PYTHON}", IMAGE, "/benchmarks/start.py"),
            input=json.dumps({"runs": runs, "pairs": [pair]}),
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    ((ours, reference),) = json.loads(ran.stdout)
    mine, its = statistics.median(ours), statistics.median(reference)
    return [
        f"start in the image, {method}",
        f"{mine:.3f} s",
        f"{its:.3f} s (model_signing)",
        f"{mine / its:.2f} x wall",
        "-",
        "-",
        str(runs),
    ]
