"""The parts of the documentation that are made from the code.

`python -m tests.docs.blocks` writes them; test_docs.py fails when they are stale.
"""

import re
from pathlib import Path

import click

from benchmarks import results
from tests.unit.kube.bypasses import BYPASSES, UNASKED
from verifier_cli.cli.commands import commands
from verifier_cli.verdict import Code, Reason

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "docs/reference/exit-codes.md",
    "docs/reference/commands.md",
    "docs/threat-model.md",
    "docs/performance.md",
)
BLOCK = re.compile(r"<!-- generated: ([a-z-]+) -->\n(.*?)<!-- end -->", re.DOTALL)


def exit_codes() -> str:
    rows = [f"| {r.exit_code} | `{r.name}` | {r.meaning} |" for r in Reason]
    return "\n".join(["| code | reason | when |", "|---|---|---|", *rows])


def findings() -> str:
    rows = []
    for code in Code:
        leads_to = f"`{code.reason.name}`" if code.reason else code.severity.value
        rows.append(f"| `{code.name}` | {leads_to} | {code.meaning} |")
    return "\n".join(["| finding | leads to | when |", "|---|---|---|", *rows])


def helps() -> str:
    context = click.Context(commands, info_name="model-verify", **commands.context_settings)
    parts = [("model-verify", commands.get_help(context))]
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None
        parts += _help(command, f"model-verify {name}", context)
    return "\n\n".join(f"## `{name}`\n\n```text\n{text}\n```" for name, text in parts)


def _help(command: click.Command, name: str, parent: click.Context) -> list[tuple[str, str]]:
    short = name.rsplit(" ", maxsplit=1)[-1]
    context = click.Context(command, parent=parent, info_name=short, **command.context_settings)
    parts = [(name, command.get_help(context))]
    if isinstance(command, click.Group):
        for below, child in command.commands.items():
            parts += _help(child, f"{name} {below}", context)
    return parts


def bypasses() -> str:
    groups = {1: "its name", 2: "order", 3: "writing later", 4: "what is seen"}
    rows = [
        f"| {groups[each.group]} | {name} | {'refused' if each.refused else 'closed'} |"
        for name, each in BYPASSES.items()
    ]
    rows += [f"| not asking | {name}, in an enforced namespace | refused |" for name in UNASKED]
    return "\n".join(["| by | attempt | here |", "|---|---|---|", *rows])


def measured() -> str:
    found = results.stored()
    machine = f"{found['cpus']} CPUs {'with' if found['sha'] else 'without'} SHA extensions"
    rows = ["| " + " | ".join(row) + " |" for row in results.table(found["rows"])]
    return "\n".join([f"Python {found['python']}, {machine}:", "", *rows])


def growth() -> str:
    rows = ["| of | from | to | seconds | peak memory | exponent |", "|---|---|---|---|---|---|"]
    for curve in results.stored()["curves"]:
        first, last = curve["points"][0], curve["points"][-1]
        seconds = f"{first['seconds']:.2f} to {last['seconds']:.2f}"
        peak = f"{first['peak']:.0f} to {last['peak']:.0f} MiB"
        span = f"{first['size']:,} | {last['size']:,}".replace(",", " ")
        rows.append(f"| {curve['unit']} | {span} | {seconds} | {peak} | {curve['exponent']:.2f} |")
    return "\n".join(rows)


MAKERS = {
    "bypasses": bypasses,
    "exit-codes": exit_codes,
    "findings": findings,
    "growth": growth,
    "help": helps,
    "measured": measured,
}


def filled(text: str) -> str:
    def block(match: re.Match[str]) -> str:
        return f"<!-- generated: {match[1]} -->\n{MAKERS[match[1]]()}\n<!-- end -->"

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
