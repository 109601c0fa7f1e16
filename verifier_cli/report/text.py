"""The report for people: a line a person understands at a glance, then what was found.

`plain` is for pipes and CI logs; `show` draws the same on a terminal, with colour.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

# A wall of findings hides the first one; --output json has them all.
MAX_FINDINGS = 25
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
_STYLES = {"TRUSTED": "bold green", "REJECTED": "bold red", "UNDETERMINED": "bold yellow"}
_SEVERITIES = {"error": "red", "warning": "yellow", "note": "dim"}


def size(count: float) -> str:
    """A number of bytes for people: `12.4 MiB`."""
    unit = 0
    while count >= _STEP and unit < len(_UNITS) - 1:
        count /= _STEP
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def plain(document: dict[str, Any]) -> str:
    """The report as text without colour; `document` is a report document."""
    return "\n".join(_plain_lines(document)) + "\n"


def _plain_lines(document: dict[str, Any]) -> Iterator[str]:
    for model in document["models"]:
        yield headline(model)
        for name, value in facts(model):
            yield f"  {name:<10} {value}"
        for finding in model["findings"][:MAX_FINDINGS]:
            yield f"  {finding['severity']:<10} {describe(finding)}"
        if (more := len(model["findings"]) - MAX_FINDINGS) > 0:
            yield f"  and {more} more findings; --output json lists all of them"
    yield from closing(document)


def headline(model: dict[str, Any]) -> str:
    """The verdict on one model, in a line."""
    return f"{model['verdict']}  {model['path']}  ({model['reason']})"


def facts(model: dict[str, Any]) -> list[tuple[str, str]]:
    """What was established about a model: pairs of a word and a value."""
    rows: list[tuple[str, str]] = []
    if (signer := model["signer"]) is not None:
        who = signer["identity"] or signer["fingerprint"] or signer["name"] or "?"
        issuer = f", vouched for by {signer['issuer']}" if signer["issuer"] else ""
        rows.append(("signed by", f"{who} ({signer['method']}{issuer})"))
        if signer["signedAt"]:
            rows.append(("signed at", signer["signedAt"]))
    if count := model["files"]:
        files = "1 file" if count == 1 else f"{count} files"
        rows.append(("as signed", f"{files}, {size(model['bytes'])}"))
    if model["ignored"]:
        rows.append(("ignored", ", ".join(model["ignored"])))
    return rows


def describe(finding: dict[str, Any]) -> str:
    """One finding in a line."""
    where = f"{finding['path']}: " if finding["path"] else ""
    pair = ""
    if "expected" in finding or "actual" in finding:
        pair = f" (expected {finding.get('expected')}, found {finding.get('actual')})"
    return f"{finding['code']}  {where}{finding['detail']}{pair}"


def closing(document: dict[str, Any]) -> Iterator[str]:
    """The last lines: what ended the run, and what the exit code means."""
    for finding in document["findings"]:
        yield f"{finding['severity']:<10} {describe(finding)}"
    if document["error"]:
        yield f"{document['verdict']}  {document['error']}"
    reason = Reason[document["reason"]]
    if document["exitCode"] == 0 and reason is not Reason.VERIFIED:
        yield f"exit code 0, because the mode is warn; enforced it would be {reason.exit_code}"
    elif reason is not Reason.VERIFIED:
        yield f"exit code {reason.exit_code}: {reason.meaning}"


def show(document: dict[str, Any], stream: IO[str]) -> None:
    """Draws the report on a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=False)
    for model in document["models"]:
        style = _STYLES[model["verdict"]]
        title = Text.assemble((f"{model['verdict']}  ", style), (model["path"], "bold"))
        console.print(title.append(f"  {Reason[model['reason']].meaning}", "dim"))
        for name, value in facts(model):
            console.print(Text.assemble((f"  {name:<10} ", "dim"), value))
        if model["findings"]:
            table = Table(box=None, padding=(0, 2, 0, 0))
            for column in ("", "Finding", "Where", "What"):
                table.add_column(column, overflow="fold")
            for finding in model["findings"][:MAX_FINDINGS]:
                table.add_row(
                    *(Text(cell) for cell in _cells(finding)),
                    style=_SEVERITIES[finding["severity"]],
                )
            console.print(table)
            if (more := len(model["findings"]) - MAX_FINDINGS) > 0:
                console.print(f"  and {more} more findings; --output json lists all of them")
    for line in closing(document):
        console.print(Text(line, _STYLES[document["verdict"]]))


def _cells(finding: dict[str, Any]) -> tuple[str, str, str, str]:
    what = finding["detail"]
    if "expected" in finding or "actual" in finding:
        what += f"\n  expected {finding.get('expected')}\n  found    {finding.get('actual')}"
    mark = {"error": "✗", "warning": "!", "note": "·"}[finding["severity"]]
    return mark, Code[finding["code"]].name, finding["path"] or "-", what
