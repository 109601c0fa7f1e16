"""The report for people, in pipes and on a terminal."""

from __future__ import annotations

import io

import pytest

from tests.unit.report.reports import HOSTILE, REPORTS, model, rejected, report
from verifier_cli.report import text
from verifier_cli.report.document import to_document
from verifier_cli.verdict import Code, Evidence, Finding, Reason, Report


def plain(found: Report) -> str:
    return text.plain(to_document(found))


def shown(found: Report, *, width: int = 100) -> str:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        text.show(to_document(found), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (12.4 * 1024 * 1024, "12.4 MiB"),
        (4 << 30, "4.0 GiB"),
        (5 << 40, "5.0 TiB"),
        (5 << 50, "5120.0 TiB"),
    ],
)
def test_sizes(count: float, expected: str) -> None:
    assert text.size(count) == expected


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_says_verdict_and_reason(name: str) -> None:
    found = REPORTS[name]
    for rendered in (plain(found), shown(found, width=500)):
        assert found.verdict.value in rendered
        for each in found.models:
            assert each.verdict.value in rendered
            for finding in each.findings:
                assert finding.code.name in rendered


def test_a_trusted_model() -> None:
    said = plain(report(model()))
    assert said.startswith("TRUSTED  /data/m  (VERIFIED)\n")
    assert "release@example.com (sigstore, vouched for by https://idp.example.com)" in said
    assert "2026-01-02T03:04:05Z" in said
    assert "2 files, 2.9 KiB" in said
    assert ".git" in said
    assert "exit code" not in said


def test_a_key_is_shown_by_its_fingerprint() -> None:
    assert "ab12 (key)" in plain(report(model(signer=Evidence("key", fingerprint="ab12"))))
    assert "us (key)" in plain(report(model(signer=Evidence("key", "us"))))
    assert "? (key)" in plain(report(model(signer=Evidence("key"))))


def test_a_rejection_says_what_and_where_and_the_exit_code() -> None:
    said = plain(report(rejected()))
    assert "weights.bin: is not the file that was signed (expected 1, found 2)" in said
    assert f"exit code 12: {Reason.CONTENT_MISMATCH.meaning}" in said


def test_in_warn_mode_the_exit_code_is_explained() -> None:
    said = plain(REPORTS["warned"])
    assert "exit code 0, because the mode is warn; enforced it would be 12" in said


def test_a_run_that_decided_nothing() -> None:
    said = plain(REPORTS["undecided"])
    assert said.startswith("UNDETERMINED  policy.json: models: is missing\n")
    assert "exit code 3: " in said


MANY = [Finding(Code.FILE_UNSIGNED, "is there", f"f{index}") for index in range(30)]


def test_a_wall_of_findings_is_cut() -> None:
    for rendered in (plain(report(rejected(*MANY))), shown(report(rejected(*MANY)))):
        assert "f24" in rendered
        assert "f25" not in rendered
        assert "and 5 more findings; --output json lists all of them" in rendered
    assert "more findings" not in plain(report(rejected(*MANY[:25])))


def test_what_concerns_no_single_model_is_said() -> None:
    assert "left out below /data: x" in plain(REPORTS["several"])


def test_hostile_text_never_reaches_a_terminal_raw() -> None:
    found = REPORTS["hostile"]
    for line in plain(found).split("\n"):
        assert line.isprintable()
    drawn = shown(found)
    for sequence in (HOSTILE, "\x1b[2J", "\u202e", "\r"):
        assert sequence not in drawn


def test_markup_in_names_is_text() -> None:
    for name in ("[bold red]x[/]", "[link=https://x]y[/link]", ":smile:"):
        drawn = shown(report(rejected(Finding(Code.FILE_UNSIGNED, name, name), path=name)))
        assert name in drawn


def test_a_terminal_gets_colour_and_a_table() -> None:
    drawn = shown(report(rejected()))
    assert "\x1b[1;31m" in drawn
    assert "✗" in drawn
    assert "expected 1" in drawn


def test_long_names_are_folded_not_cut_off() -> None:
    name = "d/" * 60 + "end.bin"
    drawn = shown(report(rejected(Finding(Code.FILE_UNSIGNED, "is there", name))), width=80)
    squeezed = "".join(drawn.split())
    assert "…" not in drawn
    assert squeezed.count("d/") >= 60


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        ("1", "2", "(expected 1, found 2)"),
        ("1", None, "(expected 1, found None)"),
        (None, "2", "(expected None, found 2)"),
        (None, None, None),
    ],
)
def test_what_can_be_compared_is(
    expected: str | None, actual: str | None, said: str | None
) -> None:
    finding = Finding(Code.FILE_MODIFIED, "it is so", "a", expected, actual)
    rendered = plain(report(rejected(finding)))
    assert (said or "it is so\n") in rendered
    assert ("(expected" in rendered) == (said is not None)
