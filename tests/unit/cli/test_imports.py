"""Which modules each way to a verdict loads, by name: a start is mostly imports.

A module that is new here costs every pod's start. If it has to be, `python -m` this file writes
imports.json anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LISTED = Path(__file__).with_name("imports.json")
# Of the standard library, which differs from release to release: big, and of no use to a verdict.
IDLE = {"asyncio", "ctypes", "email", "http", "multiprocessing", "ssl", "subprocess", "traceback"}
MEASURING = {"a1_coverage", "coverage", "tomllib"}
KEYLESS = (
    *("--trust-config", "testdata/trust/trust-config.json"),
    *("--identity", "release@example.com", "--identity-provider", "https://idp.example.com"),
)
AUTHORITY = (
    *("--certificate-chain", "testdata/trust/ca.pem"),
    *("--certificate-identity", "release@example.com"),
)
OPTIONS = {
    "key": ("--public-key", "testdata/trust/key.pub"),
    "certificate": AUTHORITY,
    "sigstore": KEYLESS,
}
WAYS = [f"{command} by {method}" for command in ("verify", "init") for method in OPTIONS]
RUN = """
import json, os, sys
before = set(sys.modules)
from verifier_cli.cli.main import run
code = run(json.loads(sys.argv[1]))
after = sorted(set(sys.modules) - before)
sys.stderr.write("\\n" + json.dumps([code, after, sorted(sys.stdlib_module_names)]))
"""


def loaded(way: str) -> list[str]:
    """What a new interpreter loads: our modules, others' packages, and idle ones."""
    command, _, method = way.split()
    model = f"testdata/savedmodel-{method}"
    with tempfile.TemporaryDirectory() as directory:
        environment = dict(os.environ)
        arguments = ["verify", model, *OPTIONS[method]]
        if command == "init":
            policy = Path(directory, "policy.json")
            policy.write_bytes(rendered(method, str(ROOT / model)))
            log = f"{directory}/termination-log"
            variables = {"MODEL_VERIFY_POLICY": str(policy), "MODEL_VERIFY_TERMINATION_LOG": log}
            environment, arguments = {**environment, **variables}, ["init"]
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(arguments)],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env=environment,
        )
    code, modules, standard = json.loads(done.stderr.decode().splitlines()[-1])
    assert code == 0, done.stderr.decode()
    names = [name for name in modules if name.split(".")[0] == "verifier_cli"]
    packages = {name.split(".")[0] for name in modules} - {"verifier_cli", *MEASURING}
    idle = packages & IDLE
    others = {name for name in packages if name not in standard and not name.startswith("_")}
    return sorted([*names, *others, *idle])


def rendered(method: str, model: str) -> bytes:
    """The policy of a pod about the model."""
    from verifier_cli.config import document, manifest
    from verifier_cli.config.strictyaml import load_all

    text = (ROOT / f"testdata/policies/{method}.yaml").read_text("utf-8")
    (resource,) = load_all(text.replace("/data/tensorflow_saved_model", model).encode())
    return document.encode(manifest.decode(resource, "here").policy)


@pytest.mark.parametrize("way", WAYS)
def test_a_verdict_loads_what_is_listed(way: str) -> None:
    listed = json.loads(LISTED.read_bytes())[way]
    found = loaded(way)
    assert [name for name in found if name not in listed] == [], "loaded, but not listed"
    # What measures coverage has loaded some idle ones before.
    missing = [name for name in listed if name not in found and name not in IDLE]
    assert missing == [], "listed, but not loaded"


@pytest.mark.parametrize("way", ["init by key", "init by certificate"])
def test_a_pod_needs_little(way: str) -> None:
    """No command line library, no sigstore, no YAML, nothing idle."""
    packages = {name.split(".")[0] for name in loaded(way)}
    # email is cryptography's: it names the kinds of a certificate's subjects.
    assert packages - {"verifier_cli", "cryptography", "OpenSSL", "email", "typing_extensions"} == (
        set()
    )


if __name__ == "__main__":
    LISTED.write_text(json.dumps({way: loaded(way) for way in WAYS}, indent=1) + "\n", "utf-8")
