"""The steps for one model, with a real key and real files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.unit.descriptors import descriptors
from tests.unit.signing import Signer, chain_material, resources, shards, statement, statement_v02
from tests.unit.unprivileged import open_directory, unprivileged
from verifier_cli import procedure as module
from verifier_cli.judge import judge
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Certificate, Key, Material, ModelRules
from verifier_cli.procedure import Procedure, Stop, Trail, unreadable_model
from verifier_cli.signature.authenticate import Trust
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNER = Signer()
POLICY = Key(Material(text="unused here"), "us")
FILES = {"a": b"1", "d/b": b"22"}


class Events:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, object]]] = []

    def event(self, event: str, message: str, **fields: object) -> None:
        assert message
        self.seen.append((event, fields))


def never(signer: object) -> NoReturn:
    raise AssertionError(f"asked for the material of {signer}")


TRUST = Trust(
    keys=lambda _: (SIGNER.key.public_key(),),
    certificates=lambda _: (),
    root=never,
)


def examine(rules: ModelRules, *, times: int = 1, events: Events | None = None) -> list[Trail]:
    procedure = Procedure(events or Events(), Progress(), 1)
    trails: list[Trail] = []
    for _ in range(times):
        trail = Trail(rules)
        trails.append(trail)
        try:
            with procedure.prepare(trail) as root:
                procedure.examine(trail, root, [POLICY], TRUST)
        except Stop as stop:
            trail.findings += stop.findings
    return trails


def outcome(model: Path, **rules: Any) -> Trail:  # noqa: ANN401
    return examine(ModelRules(str(model), **rules))[0]


def codes(trail: Trail) -> set[Code]:
    return {finding.code for finding in trail.findings}


def test_a_sound_model(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, FILES)
    events = Events()
    (trail,) = examine(ModelRules(str(tmp_path)), events=events)
    assert judge(trail.examination()) is Reason.VERIFIED
    assert trail.findings == []
    assert (trail.signed, trail.equal, trail.bytes, trail.complete) == (2, 2, 3, True)
    assert trail.evidence is not None
    assert trail.evidence.fingerprint == SIGNER.hint
    assert trail.signature is not None
    assert trail.signature.path == str(tmp_path / "model.sig")
    assert trail.signature.format == "v1.0"
    assert trail.signature.root_digest is not None
    assert [event for event, _ in events.seen] == ["signature.authenticated", "tree.scanned"]


FORMS: dict[str, Callable[[], dict[str, Any]]] = {
    "blake2b": lambda: statement(resources(FILES, "blake2b"), hash_type="blake2b"),
    "blake3": lambda: statement(resources(FILES, "blake3"), hash_type="blake3"),
    "shards": lambda: statement(shards(FILES, 1), method="shards", shard_size=1),
    "v0.2": lambda: statement_v02(FILES),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_statement(tmp_path: Path, form: str) -> None:
    SIGNER.sign_tree(tmp_path, FILES)
    signature = json.dumps(SIGNER.bundle(FORMS[form]()))
    (tmp_path / "model.sig").write_text(signature, encoding="utf-8")
    trail = outcome(tmp_path)
    assert judge(trail.examination()) is Reason.VERIFIED
    assert codes(trail) == ({Code.FORMAT_DEPRECATED} if form == "v0.2" else set())
    (tmp_path / "d/b").write_bytes(b"2x")
    assert judge(outcome(tmp_path).examination()) is Reason.CONTENT_MISMATCH


def instead(path: Path, make: Callable[[Path], object]) -> None:
    """Puts something else in the place of a file."""
    path.unlink()
    make(path)


def ambiguous(model: Path) -> None:
    (model / "model.sig").rename(model / "x.sig")
    (model / "y.sig").touch()


DAMAGES: dict[str, tuple[Callable[[Path], object], Code, Reason]] = {
    "file changed": (
        lambda m: (m / "a").write_bytes(b"2"),
        Code.FILE_MODIFIED,
        Reason.CONTENT_MISMATCH,
    ),
    "file gone": (lambda m: (m / "a").unlink(), Code.FILE_MISSING, Reason.CONTENT_MISMATCH),
    "the only file of a directory gone": (
        lambda m: (m / "d/b").unlink(),
        Code.FILE_MISSING,
        Reason.CONTENT_MISMATCH,
    ),
    "file added": (lambda m: (m / "d/x").touch(), Code.FILE_UNSIGNED, Reason.CONTENT_MISMATCH),
    "link added": (
        lambda m: (m / "l").symlink_to("a"),
        Code.SYMLINK_FORBIDDEN,
        Reason.POLICY_VIOLATION,
    ),
    "fifo added": (lambda m: os.mkfifo(m / "f"), Code.SPECIAL_FILE, Reason.POLICY_VIOLATION),
    "signature gone": (
        lambda m: (m / "model.sig").unlink(),
        Code.SIGNATURE_NOT_FOUND,
        Reason.SIGNATURE_MISSING,
    ),
    "signature ambiguous": (
        ambiguous,
        Code.SIGNATURE_AMBIGUOUS,
        Reason.SIGNATURE_MISSING,
    ),
    "signature a directory": (
        lambda m: instead(m / "model.sig", Path.mkdir),
        Code.BUNDLE_UNREADABLE,
        Reason.SIGNATURE_INVALID,
    ),
    "signature a FIFO": (
        lambda m: instead(m / "model.sig", os.mkfifo),
        Code.BUNDLE_UNREADABLE,
        Reason.SIGNATURE_INVALID,
    ),
    "signature too large": (
        lambda m: os.truncate(m / "model.sig", 1 << 30),
        Code.BUNDLE_UNREADABLE,
        Reason.SIGNATURE_INVALID,
    ),
    "signature dangling": (
        lambda m: instead(m / "model.sig", lambda path: path.symlink_to("x")),
        Code.SIGNATURE_NOT_FOUND,
        Reason.SIGNATURE_MISSING,
    ),
    "signature no bundle": (
        lambda m: (m / "model.sig").write_bytes(b"{}"),
        Code.BUNDLE_MALFORMED,
        Reason.SIGNATURE_INVALID,
    ),
    "signed by another": (
        lambda m: Signer().sign_tree(m),
        Code.KEY_MISMATCH,
        Reason.SIGNER_UNTRUSTED,
    ),
    "statement malformed": (
        lambda m: (m / "model.sig").write_text(json.dumps(SIGNER.bundle({"_type": "x"}))),
        Code.STATEMENT_MALFORMED,
        Reason.SIGNATURE_INVALID,
    ),
    "no file signed": (
        lambda m: (m / "model.sig").write_text(json.dumps(SIGNER.bundle(statement([])))),
        Code.NO_FILE_SIGNED,
        Reason.POLICY_VIOLATION,
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damages(tmp_path: Path, name: str) -> None:
    change, code, reason = DAMAGES[name]
    SIGNER.sign_tree(tmp_path, FILES)
    change(tmp_path)
    trail = outcome(tmp_path)
    assert code in codes(trail)
    assert judge(trail.examination()) is reason


def test_a_certificate_that_cannot_be_parsed(tmp_path: Path) -> None:
    from tests.unit.signing import leaf, root

    SIGNER.sign_tree(tmp_path, FILES)
    chain = chain_material(leaf(root()).certificate)
    chain["x509CertificateChain"]["certificates"][0]["rawBytes"] = "YWJj"
    document = SIGNER.bundle(statement(resources(FILES)), **chain)
    (tmp_path / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    trail = Trail(ModelRules(str(tmp_path)))
    procedure = Procedure(Events(), Progress(), 1)
    with procedure.prepare(trail) as opened, pytest.raises(Stop) as caught:
        procedure.examine(trail, opened, [Certificate(Material(text="x"))], TRUST)
    assert [finding.code for finding in caught.value.findings] == [Code.BUNDLE_MALFORMED]


@pytest.mark.parametrize("name", ["absent", "file/below", "nul\0"])
def test_there_is_no_model(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    trail = examine(ModelRules(f"{tmp_path}/{name}"))[0]
    assert judge(trail.examination()) is Reason.MODEL_UNREADABLE


def test_a_model_that_cannot_be_listed() -> None:
    with open_directory() as parent:
        model = parent / "m"
        SIGNER.sign_tree(model, FILES)
        model.chmod(0)
        with unprivileged():
            trail = outcome(model)
        model.chmod(0o111)
        with unprivileged():
            again = outcome(model)
    assert codes(trail) == codes(again) == {Code.UNREADABLE}


def test_a_signature_path_of_the_policy_is_not_searched_for(tmp_path: Path) -> None:
    model = tmp_path / "m"
    moved = SIGNER.sign_tree(model, FILES).rename(tmp_path / "elsewhere")
    assert judge(outcome(model, signature_path=str(moved)).examination()) is Reason.VERIFIED
    absent = outcome(model, signature_path=str(tmp_path / "absent"))
    assert codes(absent) == {Code.SIGNATURE_NOT_FOUND}


def test_a_second_signature_in_the_model_is_an_unsigned_file(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, FILES)
    (tmp_path / "d/model.sig").touch()
    assert codes(outcome(tmp_path)) == {Code.FILE_UNSIGNED}


def test_the_rules_of_the_policy(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, FILES)
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/x").touch()
    (tmp_path / ".gitignore").touch()
    ignoring = outcome(tmp_path, ignore_paths=("extra",))
    assert ignoring.ignored == [".gitignore", "extra"]
    assert ignoring.findings == []
    assert codes(outcome(tmp_path, ignore_unsigned_files=True)) == {Code.UNSIGNED_TOLERATED}
    strict = outcome(tmp_path, ignore_git_paths=False, ignore_paths=("extra",))
    assert [finding.path for finding in strict.findings] == [".gitignore"]
    assert codes(outcome(tmp_path, ignore_paths=("extra", "d"))) == {Code.SIGNED_BUT_IGNORED}


@pytest.mark.parametrize("by", ["signature", "policy"])
def test_links_may_be_allowed_by_the_signature_or_the_policy(tmp_path: Path, by: str) -> None:
    files = FILES | {"l": b"1"}
    SIGNER.sign_tree(tmp_path, files, allow_symlinks=by == "signature")
    (tmp_path / "l").unlink()
    (tmp_path / "l").symlink_to("a")
    trail = outcome(tmp_path, allow_symlinks=by == "policy")
    assert judge(trail.examination()) is Reason.VERIFIED, trail.findings


def test_paths_that_the_signature_ignores(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, FILES, ignore_paths=["cache"])
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/x").touch()
    trail = outcome(tmp_path)
    assert trail.ignored == ["cache"]
    assert judge(trail.examination()) is Reason.VERIFIED


@pytest.mark.parametrize("name", [".", "f.gguf"])
def test_a_single_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "f.gguf"
    path.write_bytes(b"1")
    document = SIGNER.bundle(statement(resources({name: b"1"})))
    (tmp_path / "f.gguf.sig").write_text(json.dumps(document), encoding="utf-8")
    assert judge(outcome(path).examination()) is Reason.VERIFIED
    path.write_bytes(b"2")
    trail = outcome(path)
    assert judge(trail.examination()) is Reason.CONTENT_MISMATCH
    assert [finding.path for finding in trail.findings] == ["f.gguf"]


@pytest.mark.parametrize("names", [["other"], [".", "other"], ["f", "x"]])
def test_a_single_file_that_is_signed_by_another_name(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"1")
    document = SIGNER.bundle(statement(resources(dict.fromkeys(names, b"1"))))
    (tmp_path / "f.sig").write_text(json.dumps(document), encoding="utf-8")
    assert judge(outcome(path).examination()) is Reason.CONTENT_MISMATCH


def test_the_signature_of_a_file_does_not_fit_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    document = SIGNER.bundle(statement(resources({".": b"1"})))
    (tmp_path / "model.sig").write_text(json.dumps(document), encoding="utf-8")
    assert codes(outcome(tmp_path)) == {Code.FILE_MISSING, Code.FILE_UNSIGNED}


def test_a_model_under_several_policies_is_hashed_once(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, FILES)
    events = Events()
    trails = examine(ModelRules(str(tmp_path)), times=3, events=events)
    assert [judge(trail.examination()) for trail in trails] == [Reason.VERIFIED] * 3
    scans = [event for event, _ in events.seen if event == "tree.scanned"]
    assert len(scans) == 1
    assert all(trail.complete and trail.equal == 2 for trail in trails)


def test_but_not_with_other_rules_or_another_signature(tmp_path: Path) -> None:
    procedure_events = Events()
    procedure = Procedure(procedure_events, Progress(), 1)

    def once(**rules: Any) -> Trail:  # noqa: ANN401
        trail = Trail(ModelRules(str(tmp_path), **rules))
        with procedure.prepare(trail) as root:
            procedure.examine(trail, root, [POLICY], TRUST)
        return trail

    SIGNER.sign_tree(tmp_path, FILES)
    once()
    once(ignore_paths=("x",))
    (tmp_path / "a").write_bytes(b"9")
    SIGNER.sign_tree(tmp_path)
    assert judge(once().examination()) is Reason.VERIFIED
    scans = [event for event, _ in procedure_events.seen if event == "tree.scanned"]
    assert len(scans) == 3


def test_nor_when_the_path_leads_to_another_model(tmp_path: Path) -> None:
    good, bad, current = tmp_path / "good", tmp_path / "bad", tmp_path / "current"
    signature = SIGNER.sign_tree(good, FILES)
    bad.mkdir()
    (bad / "model.sig").write_bytes(signature.read_bytes())
    procedure = Procedure(Events(), Progress(), 1)
    reasons = []
    for model in (good, bad):
        current.unlink(missing_ok=True)
        current.symlink_to(model)
        trail = Trail(ModelRules(str(current)))
        with procedure.prepare(trail) as root:
            procedure.examine(trail, root, [POLICY], TRUST)
        reasons.append(judge(trail.examination()))
    assert reasons == [Reason.VERIFIED, Reason.CONTENT_MISMATCH]


def test_findings_are_sorted(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, {"b": b"1", "c": b"2", "a": b"3"})
    for name in ("c", "a", "z", "_"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b").unlink()
    paths = [finding.path for finding in outcome(tmp_path).findings]
    assert paths == ["_", "a", "b", "c", "z"]


def test_nothing_is_left_open(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, FILES)
    before = descriptors()
    outcome(tmp_path)
    (tmp_path / "model.sig").unlink()
    outcome(tmp_path)
    assert descriptors() == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(2, "No such file"), Code.MODEL_NOT_FOUND),
        (NotADirectoryError(20, "Not a directory"), Code.MODEL_NOT_FOUND),
        (PermissionError(13, "Permission denied"), Code.UNREADABLE),
        (OSError(40, "Too many levels of symbolic links"), Code.UNREADABLE),
        (ValueError("embedded null byte"), Code.UNREADABLE),
    ],
)
def test_a_model_that_cannot_be_opened(error: OSError | ValueError, code: Code) -> None:
    assert unreadable_model(error).code is code


def test_steps_out_of_order_are_a_bug(tmp_path: Path) -> None:
    SIGNER.sign_tree(tmp_path, FILES)
    procedure, unprepared = Procedure(Events(), Progress(), 1), Trail(ModelRules(str(tmp_path)))
    with (
        procedure.prepare(Trail(ModelRules(str(tmp_path)))) as root,
        pytest.raises(AssertionError, match="a step of the procedure ran before"),
    ):
        procedure.examine(unprepared, root, [POLICY], TRUST)


def test_a_model_that_vanishes_before_its_signature_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(Stop) as caught:
        module._signature_path(ModelRules(str(tmp_path / "absent")))
    assert [finding.code for finding in caught.value.findings] == [Code.MODEL_NOT_FOUND]
