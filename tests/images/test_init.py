"""`init` in a container whose surroundings are broken: one clear line, and the contract's code."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import Model
from tests.images.containers import FLAGS, Ended, Podman, errors_said, init

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "/data/model"
SIGSTORE = Path(__file__).parents[2] / "testdata" / "savedmodel-sigstore"


@pytest.fixture
def model(shared: Path) -> Model:
    """A good model, and the policy that names it as the container sees it."""
    return Model(shared).sign_with_key().allow(path=MODEL)


def mounted(model: Model, policy: Path) -> tuple[str, ...]:
    return f"--volume={model.path}:{MODEL}:ro", f"--volume={policy}:/etc/model-verify:ro"


@pytest.fixture
def policy(model: Model, shared: Path) -> Path:
    directory = shared / "policy"
    model.policy_file(directory / "policy.json")
    return directory


def expect_config_error(ended: Ended, *words: str) -> None:
    assert ended.exit_code == 3, ended
    (message,) = errors_said(ended.log)
    for word in words:
        assert word in message
    assert ended.report is not None
    assert (ended.report["reason"], ended.report["models"]) == ("CONFIG", [])


def test_with_all_in_place_it_verifies(
    podman: Podman, verifier: str, model: Model, policy: Path
) -> None:
    ended = init(podman, verifier, *mounted(model, policy))
    assert ended.exit_code == 0
    assert errors_said(ended.log) == []


def test_no_policy_is_mounted(podman: Podman, verifier: str) -> None:
    ended = init(podman, verifier)
    expect_config_error(ended, "/etc/model-verify/policy.json", "no such file or directory")


def test_the_mount_holds_something_else(
    podman: Podman, verifier: str, model: Model, shared: Path
) -> None:
    foreign = shared / "foreign"
    foreign.mkdir()
    (foreign / "app.properties").write_text("debug=true")
    ended = init(podman, verifier, *mounted(model, foreign))
    expect_config_error(ended, "/etc/model-verify/policy.json", "no such file or directory")


@pytest.mark.parametrize(
    "content", [b"{}", b"not JSON", b"", b"\xff\xfe"], ids=["object", "text", "empty", "binary"]
)
def test_the_policy_is_something_else(
    podman: Podman, verifier: str, model: Model, policy: Path, content: bytes
) -> None:
    (policy / "policy.json").write_bytes(content)
    ended = init(podman, verifier, *mounted(model, policy))
    expect_config_error(ended, "/etc/model-verify/policy.json: ")


def test_the_policy_is_a_directory(
    podman: Podman, verifier: str, model: Model, policy: Path
) -> None:
    (policy / "policy.json").unlink()
    (policy / "policy.json").mkdir()
    expect_config_error(init(podman, verifier, *mounted(model, policy)), "holds 0 policies")


def test_the_policy_is_not_the_one_that_is_pinned(
    podman: Podman, verifier: str, model: Model, policy: Path
) -> None:
    pin = "0" * 64
    pinned = f"--env=MODEL_VERIFY_POLICY_SHA256={pin}"
    ended = init(podman, verifier, *mounted(model, policy), pinned)
    expect_config_error(ended, "the mounted policies have SHA-256", f"admitted were {pin}")


def test_the_policy_cannot_be_read(
    podman: Podman, verifier: str, model: Model, policy: Path
) -> None:
    (policy / "policy.json").chmod(0o600)
    expect_config_error(init(podman, verifier, *mounted(model, policy)), "permission denied")


def test_the_mount_of_the_policy_cannot_be_read(
    podman: Podman, verifier: str, model: Model, policy: Path
) -> None:
    policy.chmod(0o700)
    expect_config_error(init(podman, verifier, *mounted(model, policy)), "permission denied")


def test_the_model_is_not_mounted(podman: Podman, verifier: str, policy: Path) -> None:
    ended = init(podman, verifier, f"--volume={policy}:/etc/model-verify:ro")
    assert ended.exit_code == 20
    assert [code for code, _ in ended.errors] == ["MODEL_NOT_FOUND"]


def test_the_mount_of_the_model_cannot_be_read(
    podman: Podman, verifier: str, model: Model, policy: Path
) -> None:
    model.path.chmod(0o700)
    ended = init(podman, verifier, *mounted(model, policy))
    assert ended.exit_code == 20
    assert ended.report is not None
    assert ended.report["reason"] == "MODEL_UNREADABLE"


@pytest.fixture
def full(shared: Path) -> Iterator[Path]:
    """An empty file on a file system without a free byte."""
    directory = shared / "full"
    directory.mkdir()
    options = ("-t", "tmpfs", "-o", "size=4k", "tmpfs", str(directory))
    subprocess.run(("mount", *options), check=True)
    try:
        log = directory / "log"
        log.touch()
        log.chmod(0o666)
        (directory / "rest").write_bytes(bytes(4096))
        yield log
    finally:
        subprocess.run(("umount", str(directory)), check=True)


def test_a_full_termination_log_does_not_change_the_verdict(
    podman: Podman, verifier: str, model: Model, policy: Path, full: Path
) -> None:
    log = f"--volume={full}:/dev/termination-log"
    ended = init(podman, verifier, *mounted(model, policy), log)
    assert ended.exit_code == 0
    (warning,) = [line for line in ended.log if line["event"] == "termination.unwritten"]
    assert "no space left on device" in warning["msg"]
    (model.path / "added").touch()
    assert init(podman, verifier, *mounted(model, policy), log).exit_code == 12


def test_a_termination_log_that_is_read_only_does_not_change_the_verdict(
    podman: Podman, verifier: str, model: Model, policy: Path, shared: Path
) -> None:
    log = shared / "log"
    log.touch()
    volume = f"--volume={log}:/dev/termination-log:ro"
    ended = init(podman, verifier, *mounted(model, policy), volume)
    assert ended.exit_code == 0
    (warning,) = [line for line in ended.log if line["event"] == "termination.unwritten"]
    assert "/dev/termination-log" in warning["msg"]


@pytest.mark.parametrize("home", ["", "/nonexistent"], ids=["empty", "absent"])
def test_it_needs_no_home_and_no_user_name(
    podman: Podman, verifier: str, model: Model, policy: Path, home: str
) -> None:
    options = (f"--env=HOME={home}", "--user=1000680000:0")
    assert init(podman, verifier, *mounted(model, policy), *options).exit_code == 0


def test_the_public_trust_root_is_in_the_image(podman: Podman, verifier: str, policy: Path) -> None:
    """No network, and none asked for: who is not of the public instance is refused by its root."""
    issuer, identity = "https://idp.example.com", "release@example.com"
    sigstore = {"method": "sigstore", "identity": identity, "issuer": issuer}
    document = json.loads((policy / "policy.json").read_bytes())
    (policy / "policy.json").write_text(json.dumps({**document, "signers": [sigstore]}))
    mounts = (f"--volume={SIGSTORE}:{MODEL}:ro", f"--volume={policy}:/etc/model-verify:ro")
    ended = init(podman, verifier, *mounts)
    assert ended.exit_code == 11
    assert [code for code, _ in ended.errors] == ["CHAIN_UNTRUSTED"]
    # Without the root in the image there is nothing to hold the chain against.
    store = "/opt/model-verify/lib/python3.13/site-packages/sigstore/_store"
    empty = init(podman, verifier, *mounts, f"--volume={policy}:{store}:ro")
    assert empty.exit_code not in (0, 11)


PLANTED = {
    "PATH": "/planted:/usr/bin",
    "PYTHONPATH": "/planted",
    "PYTHONSTARTUP": "/planted/json.py",
    "PYTHONHOME": "/planted",
    "OPENSSL_CONF": "/planted/openssl.cnf",
}


@pytest.mark.parametrize(("name", "value"), PLANTED.items(), ids=PLANTED)
def test_the_environment_of_a_pod_adds_no_code(  # noqa: PLR0913
    *,
    podman: Podman,
    verifier: str,
    model: Model,
    policy: Path,
    shared: Path,
    name: str,
    value: str,
) -> None:
    """Code that would say yes to anything lies where the variable leads."""
    planted = shared / "planted"
    planted.mkdir()
    for program in ("model-verify", "python", "json.py", "sitecustomize.py"):
        (planted / program).write_text("#!/usr/bin/python3\nraise SystemExit(0)\n")
        (planted / program).chmod(0o755)
    # Whoever opens it waits for ever: code of its own need not be compiled to see that.
    os.mkfifo(planted / "openssl.cnf", 0o644)
    (model.path / "added").touch()
    volume = f"--volume={planted}:/planted:ro"
    options = (volume, "--workdir=/planted", f"--env={name}={value}", "--timeout=20")
    assert init(podman, verifier, *mounted(model, policy), *options).exit_code == 12


def test_a_configuration_where_openssl_was_built_to_look_is_not_read(
    podman: Podman, verifier: str, model: Model, policy: Path, shared: Path
) -> None:
    planted = shared / "planted"
    planted.mkdir()
    # Whoever opens it waits for ever.
    os.mkfifo(planted / "openssl.cnf", 0o644)
    (model.path / "added").touch()
    volume = f"--volume={planted}:/opt/pyca/cryptography/openssl:ro"
    options = (*mounted(model, policy), volume, "--timeout=20")
    assert init(podman, verifier, *options).exit_code == 12


def test_a_trust_root_from_the_network_is_not_to_be_had(podman: Podman, verifier: str) -> None:
    command = ("run", "--rm", *FLAGS, f"--volume={SIGSTORE}:{MODEL}:ro", verifier, "verify", MODEL)
    signer = ("--identity=a@example.com", "--identity-provider=https://example.com", "--online")
    ran = podman(*command, *signer, "--output=json", check=False)
    assert ran.returncode == 21, ran.stderr
    assert "Traceback" not in ran.stderr
