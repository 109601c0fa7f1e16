"""This project's own adapter: `--engine reference` and `--engine both`."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from tests.differential.workshop import (
    DAY,
    IDENTITY,
    ISSUER,
    METHODS,
    Bench,
    Json,
    KeyPair,
    Silent,
    b64,
    encode,
    issue,
    keyless,
    new_hashing,
    plant,
    report,
    resources_of,
    seal_by,
    statement,
    statement_v02,
)
from verifier_cli import runs
from verifier_cli.errors import ConfigError
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Certificate, Keyless, Material, ModelRules, Policy
from verifier_cli.signature import reference
from verifier_cli.signature.bundle import Bundle, parse_bundle
from verifier_cli.verdict import Code, Evidence, Finding, ModelReport, Reason, Verdict

# model-signing logs by a deprecated method.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")

FILES = {"config.json": b"{}", "weights": bytes(range(256)) * 10, "sub/x": b"x"}
RESOURCES = resources_of(FILES)
ENGINES: tuple[Literal["reference", "both"], ...] = ("reference", "both")
MODEL_VERIFY = Path(sys.executable).parent / "model-verify"


def _signed(work: Path) -> tuple[Path, Path, KeyPair]:
    """A model with its signature by a key."""
    model, key = plant(work / "model", FILES), KeyPair(work / "keys")
    signature = work / "model.sig"
    key.sign(model, signature)
    return model, signature, key


def _said(answer: ModelReport) -> list[str]:
    return [f.detail for f in answer.findings if f.code is Code.OUTCOME_OF_ENGINE]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", METHODS)
def test_accepts_a_sound_model(
    bench: Bench, tmp_path: Path, method: str, engine: Literal["reference", "both"]
) -> None:
    how, model = bench[method], plant(tmp_path / "model", FILES)
    signature = tmp_path / "model.sig"
    how.sign(model, signature, None)
    answer = report(model, signature, how.signer, engine=engine)
    assert answer.reason is Reason.VERIFIED, answer.findings
    assert answer.files == len(FILES)
    assert answer.signer is not None
    assert answer.signer.method == how.signer.method
    warned = Code.ENGINE_REFERENCE in {finding.code for finding in answer.findings}
    assert warned is (engine == "reference")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["key-p256", "certificate-p256", "sigstore"])
def test_refuses_another_signer(
    bench: Bench, tmp_path: Path, method: str, engine: Literal["reference", "both"]
) -> None:
    how, model = bench[method], plant(tmp_path / "model", FILES)
    signature = tmp_path / "model.sig"
    how.sign(model, signature, None)
    answer = report(model, signature, how.other, engine=engine)
    assert answer.reason is Reason.SIGNER_UNTRUSTED, answer.findings
    assert answer.signer is None


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", ["key-p256", "certificate-p256", "sigstore"])
def test_any_one_signer_suffices(
    bench: Bench, tmp_path: Path, method: str, engine: Literal["reference", "both"]
) -> None:
    how, model = bench[method], plant(tmp_path / "model", FILES)
    signature = tmp_path / "model.sig"
    how.sign(model, signature, None)
    nobody = KeyPair(tmp_path / "nobody").signer
    answer = report(model, signature, nobody, how.other, how.signer, engine=engine)
    assert answer.reason is Reason.VERIFIED, answer.findings


@pytest.mark.parametrize("engine", ENGINES)
def test_says_that_the_method_is_another_one(
    bench: Bench, tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    model, signature, _ = _signed(tmp_path)
    answer = report(model, signature, bench["certificate-p256"].signer, engine=engine)
    assert answer.reason is Reason.SIGNER_UNTRUSTED
    assert Code.METHOD_MISMATCH in {finding.code for finding in answer.findings}


def _modify(model: Path) -> None:
    (model / "weights").write_bytes(b"changed")


def _add(model: Path) -> None:
    (model / "planted").write_bytes(b"x")


def _remove(model: Path) -> None:
    (model / "sub" / "x").unlink()


def _link(model: Path) -> None:
    (model / "link").symlink_to("weights")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_modify, Reason.CONTENT_MISMATCH),
        (_add, Reason.CONTENT_MISMATCH),
        (_remove, Reason.CONTENT_MISMATCH),
        (_link, Reason.POLICY_VIOLATION),
    ],
)
def test_refuses_a_damaged_model(
    tmp_path: Path,
    damage: Callable[[Path], None],
    reason: Reason,
    engine: Literal["reference", "both"],
) -> None:
    model, signature, key = _signed(tmp_path)
    damage(model)
    answer = report(model, signature, key.signer, engine=engine)
    assert answer.reason is reason, answer.findings


@pytest.mark.parametrize("engine", ENGINES)
def test_says_that_there_is_no_signature(
    tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    model, signature, key = _signed(tmp_path)
    signature.unlink()
    answer = report(model, signature, key.signer, engine=engine)
    assert answer.reason is Reason.SIGNATURE_MISSING


@pytest.mark.parametrize("engine", ENGINES)
def test_says_that_there_is_no_model(tmp_path: Path, engine: Literal["reference", "both"]) -> None:
    _, signature, key = _signed(tmp_path)
    answer = report(tmp_path / "absent", signature, key.signer, engine=engine)
    assert answer.reason is Reason.MODEL_UNREADABLE


@pytest.mark.parametrize(
    ("rules", "prepare"),
    [
        ({"ignore_unsigned_files": True}, {"planted": b"x"}),
        ({"ignore_paths": ("log",)}, {"log/x": b"x"}),
        ({}, {".git/x": b"x"}),
    ],
)
def test_both_engines_hear_of_the_rules(
    tmp_path: Path, rules: Json, prepare: dict[str, bytes]
) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(key.seal(encode(statement(RESOURCES)))))  # records no ignore paths
    plant(model, prepare)
    assert report(model, signature, key.signer, engine="both", **rules).reason is Reason.VERIFIED
    strict = {"ignore_git_paths": False} if not rules else {}
    answer = report(model, signature, key.signer, engine="both", **strict)
    assert answer.reason is Reason.CONTENT_MISMATCH


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "form",
    [
        {"algorithm": "blake2"},
        {"algorithm": "blake3"},
        {"method": "shards"},
        {"method": "shards", "algorithm": "blake2"},
        {"links": True},
    ],
    ids=str,
)
def test_both_engines_hear_of_the_recorded_form(
    tmp_path: Path, form: Json, engine: Literal["reference", "both"]
) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    signature = model / "model.sig"
    if form.get("links"):
        (model / "link").symlink_to("weights")
    key.sign(model, signature, new_hashing(ignore=[signature], **form))
    answer = report(model, signature, key.signer, engine=engine)
    assert answer.reason is Reason.VERIFIED, answer.findings
    assert answer.files == len(FILES) + bool(form.get("links"))


def test_a_single_file(tmp_path: Path) -> None:
    file, key = tmp_path / "model.gguf", KeyPair(tmp_path / "keys")
    file.write_bytes(b"weights")
    signature = tmp_path / "model.gguf.sig"
    key.sign(file, signature)
    assert report(file, signature, key.signer, engine="both").reason is Reason.VERIFIED
    file.write_bytes(b"changed")
    answer = report(file, signature, key.signer, engine="both")
    assert answer.reason is Reason.CONTENT_MISMATCH


# --- disagreement ---------------------------------------------------------------------------


def _expired(work: Path) -> tuple[Path, Path, Certificate]:
    """A model that model-signing accepts and this project refuses."""
    model, signature, now = plant(work / "model", FILES), work / "model.sig", datetime.now(UTC)
    root = issue("root", ca=True)
    leaf = issue("leaf", root, start=now - DAY, end=now - DAY / 2)
    signature.write_bytes(encode(seal_by(leaf, encode(statement(RESOURCES)))))
    return model, signature, root.anchor


def test_names_who_refused_when_this_project_is_stricter(tmp_path: Path) -> None:
    model, signature, signer = _expired(tmp_path)
    answer = report(model, signature, signer, engine="both")
    assert (answer.reason, answer.verdict) == (Reason.ENGINES_DISAGREE, Verdict.UNDETERMINED)
    native, other = _said(answer)
    assert native.startswith("native engine: SIGNER_UNTRUSTED: ")
    assert "has expired" in native
    assert other == "reference engine: VERIFIED"
    assert report(model, signature, signer, engine="reference").reason is Reason.VERIFIED
    assert report(model, signature, signer).reason is Reason.SIGNER_UNTRUSTED


def test_names_who_refused_when_model_signing_is_stricter(tmp_path: Path) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys", "p384")
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(key.seal_v02(encode(statement_v02(FILES)))))
    answer = report(model, signature, key.signer, engine="both")
    assert (answer.reason, answer.verdict) == (Reason.ENGINES_DISAGREE, Verdict.UNDETERMINED)
    native, other = _said(answer)
    assert native == "native engine: VERIFIED"
    assert other.startswith("reference engine: SIGNATURE_INVALID: model-signing refuses: ")
    assert report(model, signature, key.signer).reason is Reason.VERIFIED


def test_the_command_ends_with_23_and_prints_nothing_of_model_signing(tmp_path: Path) -> None:
    model, signature, signer = _expired(tmp_path)
    anchors = tmp_path / "root.pem"
    anchors.write_text(signer.trust_anchors.text or "")
    options = ["--certificate-chain", str(anchors), "--signature", str(signature)]
    run = _command(str(model), *options, "--engine", "both", "--output", "json")
    assert run.returncode == 23, run
    document = json.loads(run.stdout)
    assert (document["reason"], document["exitCode"]) == ("ENGINES_DISAGREE", 23)
    said = [f for f in document["models"][0]["findings"] if f["code"] == "OUTCOME_OF_ENGINE"]
    assert [entry["detail"].split(":")[0] for entry in said] == [
        "native engine",
        "reference engine",
    ]


def test_agreement_shows_what_each_engine_said(tmp_path: Path) -> None:
    model, signature, key = _signed(tmp_path)
    answer = report(model, signature, key.signer, engine="both")
    assert _said(answer) == ["native engine: VERIFIED", "reference engine: VERIFIED"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_model_signing_prints_is_captured(
    tmp_path: Path, engine: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """model-signing prints a warning to stdout when a signature has no hint."""
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    sealed = key.seal(encode(statement(RESOURCES)))
    sealed["verificationMaterial"]["publicKey"] = {"rawBytes": b64(key.pem)}
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(sealed))
    key.verifier().verify(model, signature)
    assert "WARNING" in capfd.readouterr().out
    run = _command(
        str(model),
        *("--public-key", str(key.public_path), "--signature", str(signature)),
        *("--engine", engine, "--output", "json"),
    )
    assert run.returncode == 0, run
    assert json.loads(run.stdout)["reason"] == "VERIFIED"
    assert "WARNING" not in run.stdout


def _command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [MODEL_VERIFY, "verify", *arguments], capture_output=True, text=True, check=False
    )


# --- one configuration for each model -------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_what_one_model_ignores_does_not_pass_in_the_next(
    tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    key = KeyPair(tmp_path / "keys")
    first, second = plant(tmp_path / "a", FILES), plant(tmp_path / "b", FILES)
    signatures = tmp_path / "a.sig", tmp_path / "b.sig"
    plant(first, {"planted": b"x"})
    key.sign(first, signatures[0], new_hashing(ignore=["planted"]))
    key.sign(second, signatures[1])
    plant(second, {"planted": b"evil"})
    models = tuple(
        ModelRules(str(model), str(signature))
        for model, signature in zip((first, second), signatures, strict=True)
    )
    policy = Policy(models, (key.signer,), local=True)
    settings = runs.Settings(engine=engine)
    outcome = runs.verify([policy], settings, Silent(), Progress())
    assert [model.reason for model in outcome.models] == [
        Reason.VERIFIED,
        Reason.CONTENT_MISMATCH,
    ]
    assert outcome.exit_code == 12


# --- what model-signing raises --------------------------------------------------------------


def _drop_name(sealed: Json, key: KeyPair) -> Json:
    assert sealed
    return key.seal(encode(statement(RESOURCES, name=None)))


def _no_signature(sealed: Json, _: KeyPair) -> Json:
    sealed["dsseEnvelope"]["signatures"] = []
    return sealed


def _wrong_signature(sealed: Json, _: KeyPair) -> Json:
    sealed["dsseEnvelope"]["signatures"][0]["sig"] = b64(b"junk")
    return sealed


def _other_hint(sealed: Json, _: KeyPair) -> Json:
    sealed["verificationMaterial"]["publicKey"]["hint"] = "00" * 32
    return sealed


def _resources_null(sealed: Json, key: KeyPair) -> Json:
    assert sealed
    signed = statement(RESOURCES)
    signed["predicate"]["resources"] = None
    return key.seal(encode(signed))


def _predicate_list(sealed: Json, key: KeyPair) -> Json:
    assert sealed
    return key.seal(encode({**statement(RESOURCES), "predicate": []}))


def _no_payload(sealed: Json, _: KeyPair) -> Json:
    del sealed["dsseEnvelope"]["payload"]
    return sealed


def _shard_size_text(sealed: Json, key: KeyPair) -> Json:
    assert sealed
    return key.seal(encode(statement(RESOURCES, method="shards", shard_size="many")))


RAISED: dict[str, tuple[Callable[[Json, KeyPair], Json], Code, str]] = {
    "KeyError": (_drop_name, Code.BUNDLE_MALFORMED, "'name' (KeyError)"),
    "ValidationError": (_no_payload, Code.BUNDLE_MALFORMED, "(ValidationError)"),
    "IndexError": (_no_signature, Code.BUNDLE_MALFORMED, "list index out of range (IndexError)"),
    "TypeError": (_resources_null, Code.BUNDLE_MALFORMED, "(TypeError)"),
    "TypeError of a list": (_predicate_list, Code.BUNDLE_MALFORMED, "(TypeError)"),
    "ValueError": (_shard_size_text, Code.BUNDLE_MALFORMED, "(ValueError)"),
    "InvalidSignature": (_wrong_signature, Code.SIGNATURE_WRONG, "(InvalidSignature)"),
    "ValueError that says more": (_other_hint, Code.KEY_MISMATCH, "Key mismatch"),
}


@pytest.mark.parametrize("kind", RAISED)
def test_whatever_it_raises_becomes_a_finding(tmp_path: Path, kind: str) -> None:
    damage, code, words = RAISED[kind]
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    signature = tmp_path / "model.sig"
    sealed = key.seal(encode(statement(RESOURCES)))
    signature.write_bytes(encode(sealed))
    parsed = parse_bundle(encode(sealed))
    assert isinstance(_ask(model, signature, parsed, key), Evidence)
    signature.write_bytes(encode(damage(sealed, key)))
    found = _ask(model, signature, parsed, key)
    assert isinstance(found, Finding)
    assert found.code is code
    assert found.detail.startswith("model-signing refuses: ")
    assert words in found.detail
    assert "\n" not in found.detail


def _ask(model: Path, signature: Path, parsed: Bundle, key: KeyPair) -> Evidence | Finding:
    """Asks the adapter itself: most of these never get past the strict reader before it."""
    rules = ModelRules(str(model), str(signature))
    return reference.verify(str(signature), parsed, rules, key.signer, key.pem)


@pytest.mark.parametrize("name", ["foreign", "purpose"])
def test_a_chain_that_it_refuses_becomes_a_finding(tmp_path: Path, name: str) -> None:
    model, signature = plant(tmp_path / "model", FILES), tmp_path / "model.sig"
    root = issue("root", ca=True)
    leaf = (
        issue("leaf", issue("other", ca=True))
        if name == "foreign"
        else issue("leaf", root, usage=None, purposes=())
    )
    signature.write_bytes(encode(seal_by(leaf, encode(statement(RESOURCES)))))
    answer = report(model, signature, root.anchor, engine="reference")
    codes = {finding.code for finding in answer.findings}
    assert answer.reason is Reason.SIGNER_UNTRUSTED
    assert (Code.CHAIN_UNTRUSTED if name == "foreign" else Code.CERTIFICATE_PURPOSE) in codes


@pytest.mark.parametrize(
    ("identity", "issuer"), [("other@example.com", ISSUER), (IDENTITY, "https://other.example.com")]
)
def test_another_identity_or_issuer_becomes_a_finding(
    bench: Bench, tmp_path: Path, identity: str, issuer: str
) -> None:
    how, model = bench["sigstore"], plant(tmp_path / "model", FILES)
    signature = tmp_path / "model.sig"
    how.sign(model, signature, None)
    answer = report(model, signature, keyless(bench.sigstore, identity, issuer), engine="reference")
    assert answer.reason is Reason.SIGNER_UNTRUSTED
    assert Code.IDENTITY_MISMATCH in {finding.code for finding in answer.findings}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_identity_expression_is_refused(
    bench: Bench, tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    how, model = bench["sigstore"], plant(tmp_path / "model", FILES)
    signature = tmp_path / "model.sig"
    how.sign(model, signature, None)
    root = Material(text=bench.sigstore.trusted_root())
    signer = Keyless(ISSUER, identity_regexp=r"signer@example\.com", trust_root=root)
    assert report(model, signature, signer).reason is Reason.VERIFIED
    with pytest.raises(ConfigError, match="identityRegexp: the reference engine knows exact"):
        report(model, signature, signer, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_identity_of_a_certificate_is_not_silently_dropped(
    tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    """model-signing does not look at it, so its yes is not a yes to the policy."""
    model, signature = plant(tmp_path / "model", FILES), tmp_path / "model.sig"
    root = issue("root", ca=True)
    signature.write_bytes(encode(seal_by(issue("leaf", root), encode(statement(RESOURCES)))))
    signer = Certificate(root.anchor.trust_anchors, identity=IDENTITY)
    try:
        answer = report(model, signature, signer, engine=engine)
    except ConfigError:
        return
    assert answer.reason is not Reason.VERIFIED
    assert answer.signer is None or answer.signer.identity != IDENTITY


@pytest.mark.parametrize("engine", ENGINES)
def test_a_signature_over_nothing_is_never_enough(
    tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    model, key = plant(tmp_path / "model", {}), KeyPair(tmp_path / "keys")
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(key.seal(encode(statement([])))))
    answer = report(model, signature, key.signer, engine=engine)
    assert answer.reason in (Reason.POLICY_VIOLATION, Reason.ENGINES_DISAGREE)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_old_statement_without_a_predicate(
    tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    """Nobody needs the predicate of a v0.2 statement, and so neither may the adapter."""
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    signed = statement_v02(FILES)
    del signed["predicate"]
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(key.seal_v02(encode(signed))))
    answer = report(model, signature, key.signer, engine=engine)
    assert (answer.reason, answer.files) == (Reason.VERIFIED, len(FILES))


@pytest.mark.parametrize("engine", ENGINES)
def test_material_that_cannot_be_used_is_a_configuration_error(
    tmp_path: Path, engine: Literal["reference", "both"]
) -> None:
    model, signature, key = _signed(tmp_path)
    path = tmp_path / "junk.pub"
    path.write_text("junk")
    run = _command(
        str(model),
        *("--public-key", str(path), "--signature", str(signature), "--engine", engine),
    )
    assert run.returncode == Reason.CONFIG.exit_code, run
    assert key.public_path.exists()
