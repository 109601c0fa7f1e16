"""`verify`: what it refuses to run, what it takes from where, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.schemas import check_log_lines, check_report
from tests.unit.config.test_document import SMALLEST
from tests.unit.config.test_manifest import DEMO, KEY_CONFIG, validation
from tests.unit.conftest import REPOSITORY, SCRIPT
from tests.unit.signing import Signer, leaf, resources, root, statement

if TYPE_CHECKING:
    from tests.unit.conftest import Result, Run

TESTDATA = REPOSITORY / "testdata"
KEY = TESTDATA / "trust/key.pub"
MODEL = TESTDATA / "savedmodel-key"
SIGNER = Signer()
FILES = {"a": b"1", "d/b": b"22"}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_bytes(SIGNER.pem)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    SIGNER.sign_tree(path, FILES)
    return path


def report(result: Result) -> dict[str, Any]:
    return check_report(result.out)


K = ("--public-key", "k")
IDENTITY = ("--identity", "a")
PROVIDER = ("--identity-provider", "https://x")
USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "no model": (K, "Missing argument 'MODEL'"),
    "nothing at all": ((), "Missing argument 'MODEL'"),
    "two models": (("m", "n", *K), "unexpected extra argument (n)"),
    "model empty": (("", *K), "MODEL is empty"),
    "model blank": ((" ", *K), "MODEL is empty"),
    "no signer": (("m",), "Whom do you trust? Give --public-key"),
    "two methods": (("m", *K, *IDENTITY, *PROVIDER), "Options of several methods: key, sigstore"),
    "three methods": (
        ("m", *K, *IDENTITY, *PROVIDER, "--certificate-chain", "c"),
        "Options of several methods: key, certificate, sigstore",
    ),
    "policy and signer": (("m", "--policy", "p", *K), "--policy names the signers"),
    "policy and identity": (("--policy", "p", *IDENTITY), "--policy names the signers"),
    "policy and staging": (("--policy", "p", "--use-staging"), "--policy names the signers"),
    "policy empty": (("m", "--policy", ""), "--policy is empty"),
    "key empty": (("m", "--public-key", ""), "--public-key is empty"),
    "one key of two empty": (("m", *K, "--public-key", ""), "--public-key is empty"),
    "chain empty": (("m", "--certificate-chain", ""), "--certificate-chain is empty"),
    "signature empty": (("m", *K, "--signature", ""), "--signature is empty"),
    "identity empty": (("m", "--identity", "", *PROVIDER), "--identity is empty"),
    "identity blank": (("m", "--identity", " ", *PROVIDER), "--identity is empty"),
    "expression empty": (("m", "--identity-regexp", "", *PROVIDER), "--identity-regexp is empty"),
    "provider empty": (("m", *IDENTITY, "--identity-provider", ""), "--identity-provider is empty"),
    "trust config empty": (
        ("m", *IDENTITY, *PROVIDER, "--trust-config", ""),
        "--trust-config is empty",
    ),
    "certificate identity empty": (
        ("m", "--certificate-chain", "c", "--certificate-identity", ""),
        "--certificate-identity is empty",
    ),
    "output file empty": (("m", *K, "--output-file", ""), "--output-file is empty"),
    "identity without provider": (("m", *IDENTITY), "--identity needs --identity-provider"),
    "provider without identity": (("m", *PROVIDER), "Give exactly one of --identity and"),
    "identity twice": (
        ("m", *IDENTITY, "--identity-regexp", "b", *PROVIDER),
        "Give exactly one of --identity and --identity-regexp",
    ),
    "trust config without identity": (("m", "--trust-config", "t"), "Give exactly one of"),
    "provider no URL": (
        ("m", *IDENTITY, "--identity-provider", "http://x"),
        "--identity-provider is not one exact https URL",
    ),
    "expression broken": (
        ("m", "--identity-regexp", "(", *PROVIDER),
        "--identity-regexp is not an expression",
    ),
    "expression for everybody": (
        ("m", "--identity-regexp", ".*", *PROVIDER),
        "--identity-regexp matches every identity",
    ),
    "staging and trust config": (
        ("m", *IDENTITY, *PROVIDER, "--use-staging", "--trust-config", "t"),
        "Give --trust-config or --use-staging, not both",
    ),
    "online and trust config": (
        ("m", *IDENTITY, *PROVIDER, "--online", "--trust-config", "t"),
        "--online refreshes sigstore's own root",
    ),
    "online by another engine": (
        ("m", *IDENTITY, *PROVIDER, "--online", "--engine", "both"),
        "--online goes with --engine native only",
    ),
    "certificate identity without chain": (
        ("m", "--certificate-identity", "a"),
        "--certificate-identity needs --certificate-chain",
    ),
    "unknown engine": (("m", *K, "--engine", "go"), "'go' is not one of"),
    "unknown mode": (("m", *K, "--mode", "audit"), "'audit' is not one of"),
    "unknown output": (("m", *K, "--output", "xml"), "'xml' is not one of"),
    "unknown level": (("m", *K, "--log-level", "trace"), "'trace' is not one of"),
    "unknown log format": (("m", *K, "--log-format", "xml"), "'xml' is not one of"),
    "no workers": (("m", *K, "--workers", "0"), "0 is not in the range"),
    "too many workers": (("m", *K, "--workers", "257"), "257 is not in the range"),
    "workers no number": (("m", *K, "--workers", "two"), "'two' is not a valid integer"),
    "no time": (("m", *K, "--timeout", "0"), "0 is not in the range"),
    "too much time": (("m", *K, "--timeout", "86401"), "86401 is not in the range"),
    "unknown option": (("m", *K, "--nonsense"), "No such option"),
    "option without value": (("m", "--public-key"), "requires an argument"),
}


@pytest.mark.parametrize("name", USAGE)
def test_a_wrong_call_ends_with_2_and_one_sentence(cli: Run, name: str) -> None:
    arguments, said = USAGE[name]
    result = cli("verify", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.sentence
    assert result.err.splitlines()[-1].endswith(result.sentence)


def test_a_wrong_call_as_a_process(process: Run) -> None:
    result = process("verify")
    assert (result.code, result.out) == (2, "")
    assert "Missing argument 'MODEL'" in result.sentence


CONFIG: dict[str, tuple[str, ...]] = {
    "key absent": ("m", "--public-key", "absent"),
    "key a directory": ("m", "--public-key", "/"),
    "key no key": ("m", "--public-key", "no.pem"),
    "chain absent": ("m", "--certificate-chain", "absent"),
    "second chain absent": ("m", "--certificate-chain", "ca.pem", "--certificate-chain", "absent"),
    "second chain no PEM": ("m", "--certificate-chain", "ca.pem", "--certificate-chain", "bytes"),
    "chain no chain": ("m", "--certificate-chain", "no.pem"),
    "trust config absent": ("m", *IDENTITY, *PROVIDER, "--trust-config", "absent"),
    "trust config none": ("m", *IDENTITY, *PROVIDER, "--trust-config", "no.pem"),
    "policy absent": ("--policy", "absent"),
    "policy none": ("--policy", "no.pem"),
    "ignored path a glob": ("m", "--public-key", "key.pub", "--ignore-paths", "*.tmp"),
    "ignored path leads out": ("m", "--public-key", "key.pub", "--ignore-paths", "../x"),
    "ignored path is all": ("m", "--public-key", "key.pub", "--ignore-paths", "m/"),
    "output file": ("m", "--public-key", "key.pub", "--output-file", "absent/report"),
}


@pytest.mark.parametrize("name", CONFIG)
def test_a_file_that_cannot_be_used_ends_with_3_and_a_sentence(
    cli: Run, model: Path, key: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    Path("no.pem").write_text("text")
    Path("ca.pem").write_bytes(root().pem)
    Path("bytes").write_bytes(b"\xff")
    assert key.exists()
    result = cli("verify", *CONFIG[name], "--output=json")
    assert result.code == 3
    if name == "output file":
        assert "--output-file: absent/report cannot be written" in result.sentence
        assert "The verdict was TRUSTED (VERIFIED)" in result.sentence
        return
    found = report(result)
    assert (found["reason"], found["exitCode"], found["models"]) == ("CONFIG", 3, [])
    named = CONFIG[name][-1] if name != "ignored path is all" else "--ignore-paths"
    assert named in found["error"]
    last = check_log_lines(result.err)
    assert [line["event"] for line in last] == ["error", "verify.finished"]


@pytest.mark.parametrize("spelling", ["--public_key", "--public-key"])
def test_underscores_are_hyphens(cli: Run, spelling: str) -> None:
    result = cli("verify", MODEL, spelling, KEY, "--ignore_git_paths", "--log_level=error")
    assert result.code == 0
    assert cli("verify", MODEL, spelling, KEY, "--no_ignore_git_paths").code == 0


ENVIRONMENT = {
    "PUBLIC_KEY": str(KEY),
    "OUTPUT": "json",
    "MODE": "warn",
    "TIMEOUT": "60",
    "WORKERS": "2",
    "ENGINE": "native",
    "LOG_LEVEL": "error",
    "IGNORE_UNSIGNED_FILES": "true",
    "ALLOW_SYMLINKS": "1",
    "IGNORE_GIT_PATHS": "false",
}


def test_every_option_can_come_from_the_environment(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(f"MODEL_VERIFY_{name}", value)
    result = cli("verify", MODEL)
    assert result.code == 0
    found = report(result)
    assert (found["mode"], found["engine"], found["verdict"]) == ("warn", "native", "TRUSTED")
    assert result.err == ""
    # Who reads the report is told what the caller did not write.
    notes = {f["detail"].split("MODEL_VERIFY_")[1] for f in found["findings"]}
    assert {f["code"] for f in found["findings"]} == {"FROM_ENVIRONMENT"}
    assert notes == set(ENVIRONMENT)


def test_the_command_line_outweighs_the_environment(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_VERIFY_OUTPUT", "text")
    monkeypatch.setenv("MODEL_VERIFY_MODE", "warn")
    result = cli("verify", MODEL, "--public-key", KEY, "--output=json", "--mode=enforce")
    found = report(result)
    assert (found["mode"], found["findings"]) == ("enforce", [])


def test_a_wrong_value_in_the_environment(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_VERIFY_WORKERS", "many")
    result = cli("verify", MODEL, "--public-key", KEY)
    assert result.code == 2
    assert "MODEL_VERIFY_WORKERS" in result.err or "--workers" in result.sentence


def test_spaces_separate_values_in_the_environment(
    cli: Run, model: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.pub").write_bytes(Signer().pem)
    monkeypatch.setenv("MODEL_VERIFY_PUBLIC_KEY", f"{tmp_path}/other.pub {key}")
    assert cli("verify", model).code == 0


def test_several_keys_of_which_one_signed(cli: Run, model: Path, key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pub"
    other.write_bytes(Signer().pem)
    keys = ("--public-key", other, "--public-key", key)
    assert cli("verify", model, *keys).code == 0
    assert cli("verify", model, *keys[:2]).code == 11


def test_several_certificate_files(cli: Run, model: Path, tmp_path: Path) -> None:
    from tests.unit.signing import chain_material, issue, key_usage

    authority = root()
    middle = issue("Middle", authority, ca=True, extensions=[key_usage("key_cert_sign")])
    signed_by = leaf(middle)
    chain = chain_material(signed_by.certificate)
    document = Signer(signed_by.key).bundle(statement(resources(FILES)), **chain)
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "root.pem").write_bytes(authority.pem)
    (tmp_path / "middle.pem").write_bytes(middle.pem)
    anchors = ("--certificate-chain", tmp_path / "root.pem")
    both = (*anchors, "--certificate-chain", tmp_path / "middle.pem")
    result = cli("verify", model, *both, "--output=json")
    assert result.code == 0
    codes = [finding["code"] for finding in report(result)["models"][0]["findings"]]
    assert codes == ["SIGNER_UNNAMED"]
    assert cli("verify", model, *anchors).code == 11
    named = cli("verify", model, *both, "--certificate-identity", "other@example.com")
    assert named.code == 11


def test_an_expression_for_the_identity(cli: Run) -> None:
    arguments = (
        TESTDATA / "savedmodel-sigstore",
        "--trust-config",
        TESTDATA / "trust/trust-config.json",
        "--identity-provider",
        "https://idp.example.com",
    )
    assert cli("verify", *arguments, "--identity-regexp", r"release@example\.\w+").code == 0
    assert cli("verify", *arguments, "--identity-regexp", r"release@").code == 11


@pytest.mark.parametrize("option", [(), ("--use-staging",)])
def test_the_public_instance_does_not_know_a_private_signer(
    cli: Run, option: tuple[str, ...]
) -> None:
    arguments = (*IDENTITY, *PROVIDER, *option)
    assert cli("verify", TESTDATA / "savedmodel-sigstore", *arguments).code == 11


def test_online_without_a_network(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    model = TESTDATA / "savedmodel-sigstore"
    arguments = ("verify", model, *IDENTITY, *PROVIDER, "--online", "--output=json")
    result = cli(*arguments)
    assert result.code == 21
    assert report(result)["reason"] == "TRUST_UNAVAILABLE"
    assert "leave out --online" in report(result)["error"]
    warned = cli(*arguments, "--mode=warn")
    assert (warned.code, report(warned)["verdict"]) == (0, "UNDETERMINED")


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_report_in_a_file(cli: Run, model: Path, key: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / "report"
    arguments = ("--public-key", key, "--output", form, "--output-file", path)
    result = cli("verify", model, *arguments)
    assert (result.code, result.out) == (0, "")
    if form == "json":
        assert check_report(path.read_bytes())["verdict"] == "TRUSTED"
    else:
        assert path.read_text(encoding="utf-8").startswith("TRUSTED")
    (model / "a").unlink()
    assert cli("verify", model, *arguments).code == 12


def test_warn_ends_with_0_and_says_rejected(cli: Run, model: Path, key: Path) -> None:
    (model / "a").unlink()
    result = cli("verify", model, "--public-key", key, "--mode=warn", "--output=json")
    assert result.code == 0
    found = report(result)
    assert (found["verdict"], found["reason"], found["exitCode"], found["mode"]) == (
        "REJECTED",
        "CONTENT_MISMATCH",
        0,
        "warn",
    )
    assert "enforced it would be 12" in cli("verify", model, "--public-key", key, "--mode=warn").out


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), 4),
        (("--log-level=debug",), 4),
        (("--log-level=error",), 0),
        (("--log-format=json",), 4),
    ],
)
def test_the_log_as_json(
    cli: Run, model: Path, key: Path, options: tuple[str, ...], lines: int
) -> None:
    result = cli("verify", model, "--public-key", key, *options)
    assert len(check_log_lines(result.err)) == lines


def test_the_log_for_people(cli: Run, model: Path, key: Path) -> None:
    result = cli("verify", model, "--public-key", key, "--log-format=console")
    assert len(result.err.splitlines()) == 4
    assert result.err.startswith("info: verifying the model")


@pytest.mark.parametrize("engine", ["reference", "both"])
def test_other_engines(cli: Run, model: Path, key: Path, engine: str) -> None:
    arguments = ("verify", model, "--public-key", key, "--engine", engine, "--output=json")
    result = cli(*arguments)
    assert (result.code, report(result)["engine"]) == (0, engine)
    (model / "a").write_bytes(b"x")
    assert cli(*arguments).code == 12


def test_engines_that_disagree(cli: Run, model: Path, key: Path) -> None:
    document = SIGNER.bundle(statement(resources(FILES)[::-1]))
    (model / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    result = cli("verify", model, "--public-key", key, "--engine=both", "--output=json")
    assert (result.code, report(result)["reason"]) == (23, "ENGINES_DISAGREE")


def test_options_about_the_tree(cli: Run, model: Path, key: Path) -> None:
    def code(*options: str | Path) -> int:
        return cli("verify", model, "--public-key", key, *options).code

    (model / "extra").mkdir()
    (model / "extra/x").touch()
    assert code() == 12
    assert code("--ignore-unsigned-files") == 0
    # As upstream takes it: also with the model's path in front.
    for path in ("extra", "extra/x", "./extra", "extra/", model / "extra"):
        assert code("--ignore-paths", path) == 0, path
    assert code("--ignore-paths", "extra", "--ignore-paths", "other") == 0
    assert code("--ignore-paths", "d") == 12
    shutil.rmtree(model / "extra")
    (model / ".gitignore").touch()
    assert code() == 0
    assert code("--no-ignore-git-paths") == 12
    (model / "l").symlink_to("a")
    assert code() == 14
    assert code("--allow-symlinks") == 12
    assert code("--allow-symlinks", "--ignore-unsigned-files") == 0


@pytest.mark.parametrize("spelling", ["m", "./m", "m/", "../{parent}/m"])
def test_ignore_paths_with_the_models_path_in_front(
    cli: Run, model: Path, key: Path, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    (model / "extra").touch()
    name = spelling.format(parent=model.parent.name)
    for path in (f"{name.rstrip('/')}/extra", "extra"):
        assert cli("verify", name, "--public-key", key, "--ignore-paths", path).code == 0, path


def test_the_current_directory_is_a_model(
    cli: Run, model: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model)
    assert cli("verify", ".", "--public-key", key).code == 0
    (model / "model.sig").rename(model.parent / "m.sig")
    assert cli("verify", ".", "--public-key", key).code == 0
    monkeypatch.chdir(model / "d")
    assert cli("verify", "..", "--public-key", key).code == 0


def test_names_that_are_not_utf8(process: Run, model: Path, key: Path) -> None:
    parent = os.fsencode(model.parent)
    odd_model, odd_key = parent + b"/m\xff", parent + b"/k\xff.pub"
    os.rename(model, odd_model)  # noqa: PTH104
    os.rename(key, odd_key)  # noqa: PTH104
    result = process("verify", odd_model, "--public-key", odd_key, "--output=json")
    assert result.code == 0
    assert report(result)["models"][0]["path"].endswith("m\\bff")


def test_a_model_that_is_not_there(cli: Run, key: Path, tmp_path: Path) -> None:
    result = cli("verify", tmp_path / "absent", "--public-key", key, "--output=json")
    assert (result.code, report(result)["reason"]) == (20, "MODEL_UNREADABLE")


def test_a_deadline(cli: Run, model: Path, key: Path) -> None:
    os.truncate(model / "a", 1 << 40)
    arguments = ("verify", model, "--public-key", key, "--timeout=1", "--output=json")
    for mode in ("enforce", "warn"):
        result = cli(*arguments, "--mode", mode)
        assert (result.code, report(result)["reason"]) == (124, "DEADLINE")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal(model: Path, key: Path, number: signal.Signals, code: int) -> None:
    os.truncate(model / "a", 1 << 40)
    started = subprocess.Popen(
        [SCRIPT, "verify", model, "--public-key", key, "--output=json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stderr is not None
    while b"tree.scanned" not in (line := started.stderr.readline()):
        assert line
    started.send_signal(number)
    out, _ = started.communicate(timeout=60)
    assert started.returncode == code
    assert check_report(out)["exitCode"] == code


def manifest(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return validation({"config": {"publicKeyConfig": {"key": SIGNER.pem.decode()}}} | spec)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def write(policy: Path, *documents: object) -> Path:
    policy.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return policy


def test_a_policy_says_where_its_models_are(cli: Run, model: Path, policy: Path) -> None:
    write(policy, manifest(models=[{"path": str(model)}]))
    result = cli("verify", "--policy", policy, "--output=json")
    assert result.code == 0
    found = report(result)
    assert found["policy"]["source"] == str(policy)
    assert found["models"][0]["path"] == str(model)


def test_a_policy_applies_to_another_model(cli: Run, model: Path, policy: Path) -> None:
    inside = {"path": "/data/m", "signaturePath": "/data/m/sub/x.sig", "ignorePaths": ["x"]}
    write(policy, manifest(model=inside))
    (model / "sub").mkdir()
    (model / "model.sig").rename(model / "sub/x.sig")
    (model / "x").touch()
    result = cli("verify", model, "--policy", policy, "--output=json")
    assert result.code == 0
    (found,) = report(result)["models"]
    assert found["path"] == str(model)
    assert found["signature"]["path"] == f"{model}/sub/x.sig"
    assert found["ignored"] == ["x"]
    # The digest is of what was really held against the model.
    assert (
        report(result)["policy"]["sha256"]
        != report(cli("verify", f"{model}/", "--policy", policy, "--output=json"))["policy"][
            "sha256"
        ]
    )


def test_a_signature_elsewhere_stays_where_the_policy_says(
    cli: Run, model: Path, policy: Path
) -> None:
    moved = (model / "model.sig").rename(model.parent / "elsewhere.sig")
    write(policy, manifest(model={"path": "/data/m", "signaturePath": str(moved)}))
    assert cli("verify", model, "--policy", policy).code == 0
    option = ("--signature", model.parent / "absent")
    assert cli("verify", model, "--policy", policy, *option).code == 13


def test_a_policy_without_path_needs_a_model(cli: Run, model: Path, policy: Path) -> None:
    write(policy, manifest())
    assert cli("verify", model, "--policy", policy).code == 0
    result = cli("verify", "--policy", policy, "--output=json")
    assert result.code == 3
    assert "Say which model is meant" in report(result)["error"]


def test_a_policy_of_several_models(cli: Run, model: Path, policy: Path) -> None:
    other = model.parent / "other"
    shutil.copytree(model, other)
    (other / "extra").touch()
    rules = [{"path": str(model)}, {"path": str(other), "ignorePaths": ["extra"]}]
    write(policy, manifest(models=rules))
    assert cli("verify", "--policy", policy).code == 0
    assert cli("verify", other, "--policy", policy).code == 0
    for arguments in ((model.parent / "third",), ("--signature", "x")):
        result = cli("verify", *arguments, "--policy", policy, "--output=json")
        assert result.code == 3
        assert report(result)["error"]


def test_options_only_add_to_a_policy(cli: Run, model: Path, policy: Path) -> None:
    (model / "x").touch()
    (model / "y").touch()
    write(policy, manifest(model={"path": str(model), "ignorePaths": ["x"], "allowSymlinks": True}))
    assert cli("verify", "--policy", policy).code == 12
    result = cli("verify", "--policy", policy, "--ignore-paths", "y", "--output=json")
    assert result.code == 0
    assert report(result)["models"][0]["ignored"] == ["x", "y"]


def test_the_mode_of_a_policy_and_of_the_call(cli: Run, model: Path, policy: Path) -> None:
    (model / "a").unlink()
    write(policy, manifest(model={"path": str(model)}, mode="warn"))
    assert cli("verify", "--policy", policy).code == 0
    assert cli("verify", "--policy", policy, "--mode=enforce").code == 12


def test_the_manifest_of_the_issue_and_another_model(cli: Run, policy: Path) -> None:
    policy.write_bytes(DEMO)
    result = cli("verify", TESTDATA / "savedmodel-sigstore", "--policy", policy)
    assert result.code == 11


@pytest.mark.parametrize("method", ["key", "certificate", "sigstore"])
def test_the_manifests_of_the_test_data(cli: Run, method: str) -> None:
    policies = TESTDATA / "policies"
    model = TESTDATA / f"savedmodel-{method}"
    assert cli("verify", model, "--policy", policies / f"{method}.yaml").code == 0
    other = "key" if method != "key" else "certificate"
    assert cli("verify", model, "--policy", policies / f"{other}.yaml").code == 11
    # These are for a pod: there is no /trust here.
    assert cli("verify", model, "--policy", policies / f"{method}-path.yaml").code == 3


def test_a_file_in_the_pod_that_nothing_pins_is_warned_about(
    cli: Run, model: Path, key: Path, policy: Path
) -> None:
    config = {"publicKeyConfig": {"keyPath": str(key)}}
    write(policy, validation({"config": config, "model": {"path": str(model)}}))
    result = cli("verify", "--policy", policy, "--output=json")
    assert result.code == 0
    codes = [finding["code"] for finding in report(result)["models"][0]["findings"]]
    assert codes == ["MATERIAL_UNPINNED"]


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ((), "holds no policy"),
        ((manifest(), manifest()), "holds 2 policies where one is wanted"),
        ((SMALLEST | {"x": 1},), "x: is not a known field"),
        ((validation({"config": KEY_CONFIG, "model": {"path": "/m"}}),), "signers[0].publicKey"),
    ],
)
def test_a_policy_that_cannot_be_used(
    cli: Run, policy: Path, documents: tuple[object, ...], said: str
) -> None:
    write(policy, *documents)
    result = cli("verify", "--policy", policy, "--output=json")
    assert result.code == 3
    assert said in report(result)["error"]


def test_hostile_names_reach_no_output_raw(cli: Run, model: Path, key: Path) -> None:
    for name in ("\x1b[2J\n{}", "\u202etxt", "::error::x", "\x9b"):
        (model / name).touch()
    with open(os.fsencode(model) + b"/\xff", "wb"):  # noqa: PTH123
        pass
    for options in (("--output=json",), ("--output=text",), ("--log-format=console",)):
        result = cli("verify", model, "--public-key", key, *options)
        assert result.code == 12
        for line in (result.out + result.err).split("\n"):
            assert line.isprintable(), ascii(line)
            assert not line.startswith("::")
