"""All models of all policies: every one must hold, and the report says it of each."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from tests.schemas import check_log_lines, check_report
from tests.unit.signing import Signer, leaf, root, write_tree
from tests.unit.unprivileged import open_directory, unprivileged
from verifier_cli import runs
from verifier_cli.errors import ConfigError
from verifier_cli.host.logs import Log
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules, Policy
from verifier_cli.report.document import to_document
from verifier_cli.runs import Clock, Settings, undecided, verify
from verifier_cli.verdict import Code, Reason, Report, Verdict

if TYPE_CHECKING:
    from pathlib import Path

SIGNER = Signer()
US = Key(Material(text=SIGNER.pem.decode()))
FILES = {"a": b"1", "d/b": b"22"}
DIGEST = "ab" * 32


def policy(*models: Path | str | ModelRules, **changes: Any) -> Policy:  # noqa: ANN401
    rules = tuple(m if isinstance(m, ModelRules) else ModelRules(str(m)) for m in models)
    return Policy(
        **{"models": rules, "signers": (US,), "sha256": DIGEST, "source": "p.json"} | changes
    )


def run(*policies: Policy, **settings: Any) -> tuple[Report, list[dict[str, Any]]]:  # noqa: ANN401
    stream = io.StringIO()
    report = verify(policies, Settings(**settings), Log(stream), Progress())
    check_report(to_document(report))
    return report, check_log_lines(stream.getvalue())


def codes(report: Report) -> list[set[Code]]:
    return [{finding.code for finding in model.findings} for model in report.models]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    SIGNER.sign_tree(path, FILES)
    return path


def test_one_model(model: Path) -> None:
    report, lines = run(policy(model), workers=2)
    assert (report.verdict, report.reason, report.exit_code) == (
        Verdict.TRUSTED,
        Reason.VERIFIED,
        0,
    )
    (found,) = report.models
    assert (found.path, found.files, found.bytes) == (str(model), 2, 3)
    assert found.policy_sha256 == DIGEST
    assert [line["event"] for line in lines] == [
        "verify.started",
        "signature.authenticated",
        "tree.scanned",
    ]


def test_every_model_must_hold(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    SIGNER.sign_tree(other, FILES)
    (other / "a").write_bytes(b"x")
    for order in ((model, other), (other, model)):
        report, _ = run(policy(*order))
        assert (report.reason, report.exit_code) == (Reason.CONTENT_MISMATCH, 12)
        verdicts = {each.path: each.verdict for each in report.models}
        assert verdicts == {str(model): Verdict.TRUSTED, str(other): Verdict.REJECTED}


def test_every_policy_must_hold(model: Path) -> None:
    stranger = policy(model, signers=(Key(Material(text=Signer().pem.decode())),), source="q")
    report, _ = run(policy(model), stranger)
    assert (report.reason, report.exit_code) == (Reason.SIGNER_UNTRUSTED, 11)
    assert [facts.source for facts in report.policies] == ["p.json", "q"]


def test_any_one_signer_suffices(model: Path) -> None:
    others = (
        Keyless("https://x", identity="a"),
        Key(Material(text=Signer().pem.decode())),
    )
    report, _ = run(policy(model, signers=(*others, US)))
    assert report.verdict is Verdict.TRUSTED
    report, _ = run(policy(model, signers=others))
    assert codes(report) == [{Code.METHOD_MISMATCH, Code.KEY_MISMATCH}]


@pytest.mark.parametrize(
    ("modes", "code", "mode"),
    [
        (("enforce", "enforce"), 12, "enforce"),
        (("warn", "enforce"), 12, "enforce"),
        (("warn", "warn"), 0, "warn"),
    ],
)
def test_warn_needs_every_policy(model: Path, modes: tuple[Any, Any], code: int, mode: str) -> None:
    (model / "a").write_bytes(b"x")
    report, _ = run(*(policy(model, mode=each) for each in modes))
    assert (report.exit_code, report.mode) == (code, mode)
    assert report.verdict is Verdict.REJECTED


def test_no_model_at_all_is_no_yes() -> None:
    report, _ = run(policy())
    assert report.verdict is not Verdict.TRUSTED
    assert report.exit_code != 0
    assert run()[0].exit_code != 0


def test_findings_are_logged_up_to_a_limit(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MAX_LOGGED_FINDINGS", 3)
    write_tree(model, {f"x{index}": b"" for index in range(5)})
    report, lines = run(policy(model))
    assert len(report.models[0].findings) == 5
    found = [line for line in lines if line["event"] == "finding"]
    assert [line["path"] for line in found] == ["x0", "x1", "x2"]
    assert found[0]["code"] == "FILE_UNSIGNED"


def test_material_that_cannot_be_used_ends_the_run(model: Path, tmp_path: Path) -> None:
    for material in (Material(path=str(tmp_path / "absent")), Material(text="nonsense")):
        with pytest.raises(ConfigError):
            run(policy(model, signers=(Key(material),)))


def test_an_unpinned_file_and_an_unnamed_signer_are_warned_about(
    model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "k.pub"
    path.write_bytes(SIGNER.pem)
    authority = root()
    leaf(authority)
    anchors = Certificate(Material(text=authority.pem.decode()))
    unpinned = Key(Material(path=str(path)))
    report, lines = run(policy(model, signers=(unpinned, anchors)))
    assert report.verdict is Verdict.TRUSTED
    assert codes(report) == [{Code.MATERIAL_UNPINNED, Code.SIGNER_UNNAMED}]
    levels = {line["code"]: line["level"] for line in lines if line["event"] == "finding"}
    assert levels == {"MATERIAL_UNPINNED": "warning", "SIGNER_UNNAMED": "warning"}

    import hashlib

    pin = hashlib.sha256(SIGNER.pem).hexdigest()
    named = Certificate(Material(text=authority.pem.decode()), "CN=x")
    pinned = Key(Material(path=str(path), sha256=pin))
    assert codes(run(policy(model, signers=(pinned, named)))[0]) == [set()]
    # On a command line the caller chose the path.
    assert codes(run(policy(model, signers=(unpinned,), local=True))[0]) == [set()]


def volume(path: Path) -> Path:
    for name in ("b", "a/x"):
        SIGNER.sign_tree(path / name, FILES)
    return path


def discover(path: Path | None, **rules: Any) -> ModelRules:  # noqa: ANN401
    return ModelRules(None if path is None else str(path), discover=True, **rules)


def test_models_below_a_path(tmp_path: Path) -> None:
    volume(tmp_path)
    report, _ = run(policy(discover(tmp_path)))
    assert report.verdict is Verdict.TRUSTED
    assert [each.path for each in report.models] == [str(tmp_path / "a/x"), str(tmp_path / "b")]


def test_models_below_every_root(tmp_path: Path) -> None:
    roots = tuple(str(volume(tmp_path / name)) for name in ("v1", "v2"))
    report, _ = run(policy(discover(None)), roots=roots)
    assert report.verdict is Verdict.TRUSTED
    assert len(report.models) == 4


def test_the_root_itself_may_be_the_model(model: Path) -> None:
    report, _ = run(policy(discover(model)))
    assert [each.path for each in report.models] == [str(model)]
    assert report.verdict is Verdict.TRUSTED


def test_what_no_model_covers_is_unsigned(tmp_path: Path) -> None:
    volume(tmp_path)
    write_tree(tmp_path, {"stray": b"", "a/y/stray": b""})
    report, _ = run(policy(discover(tmp_path)))
    assert report.reason is Reason.CONTENT_MISMATCH
    last = report.models[-1]
    assert last.path == str(tmp_path)
    assert [(f.code, f.path) for f in last.findings] == [
        (Code.FILE_UNSIGNED, "a/y/stray"),
        (Code.FILE_UNSIGNED, "stray"),
    ]


def test_a_model_that_lost_its_signature_is_not_overlooked(tmp_path: Path) -> None:
    volume(tmp_path)
    (tmp_path / "b/model.sig").unlink()
    for tolerate in (False, True):
        report, _ = run(policy(discover(tmp_path, ignore_unsigned_files=tolerate)))
        assert report.reason is Reason.CONTENT_MISMATCH


def test_hazards_beside_the_models(tmp_path: Path) -> None:
    volume(tmp_path)
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "empty").mkdir()
    report, _ = run(policy(discover(tmp_path)))
    assert codes(report)[-1] == {Code.SYMLINK_FORBIDDEN}


def test_what_was_left_out_beside_the_models_is_noted(tmp_path: Path) -> None:
    volume(tmp_path)
    write_tree(tmp_path, {".git/x": b"", "cache/y": b""})
    report, _ = run(policy(discover(tmp_path, ignore_paths=("cache",))))
    assert report.verdict is Verdict.TRUSTED
    (note,) = report.findings
    assert note.code is Code.LEFT_OUT
    assert note.detail.endswith(".git, cache")


def test_ignore_paths_count_from_the_root(tmp_path: Path) -> None:
    volume(tmp_path)
    write_tree(tmp_path, {"b/cache/x": b"", "a/x/cache/x": b""})
    report, _ = run(policy(discover(tmp_path, ignore_paths=("b/cache",))))
    assert {each.path: each.verdict for each in report.models} == {
        str(tmp_path / "a/x"): Verdict.REJECTED,
        str(tmp_path / "b"): Verdict.TRUSTED,
    }
    both = ("b/cache", "a/x/cache")
    assert run(policy(discover(tmp_path, ignore_paths=both)))[0].verdict is Verdict.TRUSTED
    ignored = run(policy(discover(tmp_path, ignore_paths=("b", "a/x/cache"))))[0]
    assert [each.path for each in ignored.models] == [str(tmp_path / "a/x")]


def test_at_least_one_model_must_be_found(tmp_path: Path) -> None:
    report, _ = run(policy(discover(tmp_path)))
    assert (report.reason, report.exit_code) == (Reason.SIGNATURE_MISSING, 13)
    assert report.models[0].path == str(tmp_path)


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    report, _ = run(policy(discover(tmp_path / "absent")))
    assert (report.reason, report.exit_code) == (Reason.MODEL_UNREADABLE, 20)


def test_a_directory_below_the_root_that_cannot_be_listed() -> None:
    with open_directory() as path:
        volume(path)
        (path / "closed").mkdir()
        (path / "closed").chmod(0)
        with unprivileged():
            report, _ = run(policy(discover(path)))
    assert report.reason is Reason.MODEL_UNREADABLE


def test_no_roots_find_no_model_and_are_no_yes() -> None:
    assert run(policy(discover(None)))[0].verdict is not Verdict.TRUSTED


@pytest.mark.parametrize("engine", ["reference", "both"])
def test_other_engines(model: Path, engine: str) -> None:
    report, _ = run(policy(model), engine=engine)
    assert (report.verdict, report.engine) == (Verdict.TRUSTED, engine)
    (model / "a").write_bytes(b"x")
    report, _ = run(policy(model), engine=engine)
    assert report.verdict is Verdict.REJECTED


def test_the_report_of_what_could_not_be_decided() -> None:
    for reason in Reason:
        if reason is Reason.VERIFIED:
            continue
        report = undecided(reason, "it is so", Clock(), policies=[policy("/m")], engine="both")
        check_report(to_document(report))
        assert (report.reason, report.exit_code) == (reason, reason.exit_code)
        assert (report.error, report.engine, report.models) == ("it is so", "both", ())


def test_only_answers_about_a_model_are_excused_by_warn() -> None:
    warned = [policy("/m", mode="warn")]
    assert undecided(Reason.TRUST_UNAVAILABLE, "x", Clock(), policies=warned).exit_code == 0
    assert undecided(Reason.DEADLINE, "x", Clock(), policies=warned).exit_code == 124
    assert undecided(Reason.CONFIG, "x", Clock(), policies=warned).exit_code == 3


def test_without_a_policy_nothing_is_only_a_warning() -> None:
    assert undecided(Reason.CONFIG, "x", Clock()).mode == "enforce"
