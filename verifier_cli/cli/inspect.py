"""`model-verify inspect`: what a signature claims, with nothing verified."""

from __future__ import annotations

import sys
from typing import Any

import click

from verifier_cli import claims
from verifier_cli.cli.commands import SETTINGS
from verifier_cli.config.strictyaml import dump
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.escape import escape
from verifier_cli.host.session import deliver
from verifier_cli.inputs import MAX_BUNDLE_BYTES, Malformed, Unreadable, read_regular
from verifier_cli.report import json
from verifier_cli.report.document import printable

_WARNING = "Nothing was verified: these are claims of the file, which anybody can have written."
_SHOWN_FILES = 10


@click.command("inspect", context_settings=SETTINGS)
@click.argument("signature")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--suggest-policy",
    is_flag=True,
    help="Print a ModelValidation that would accept exactly this signer.",
)
def command(signature: str, output: str, suggest_policy: bool) -> int:
    """Show what SIGNATURE claims: method, signer, issuer, log entry, files.

    Nothing is verified. Use `model-verify verify` for that.
    """
    try:
        found = claims.read_claims(read_regular(signature, MAX_BUNDLE_BYTES))
        suggestion = claims.suggest(found) if suggest_policy else None
    except (Unreadable, Malformed) as error:
        raise ConfigError(Problem(signature, str(error))) from None
    if suggestion is not None:
        notes = [_WARNING, *suggestion.to_do]
        comments = "".join(f"# {escape(note)}\n" for note in notes)
        deliver(sys.stdout.buffer, (comments + dump(suggestion.manifest)).encode())
        return 0
    described = printable(claims.describe(found))
    data = json.render(described) if output == "json" else _text(described).encode()
    deliver(sys.stdout.buffer, data)
    return 0


def _text(described: dict[str, Any]) -> str:
    statement = described.get("statement") or {}
    files = statement.get("files", [])
    rows: list[tuple[str, object]] = [("method", described["method"])]
    rows += [(name, value) for name, value in described["signer"].items() if value]
    rows += [("log index", described["logIndex"]), ("logged at", described["loggedAt"])]
    rows += [("format", statement.get("format")), ("hash", statement.get("hashType"))]
    rows += [("root digest", statement.get("rootDigest")), ("files", len(files) or None)]
    rows += [("fault", described["fault"])]
    lines = [_WARNING, ""]
    for name, value in rows:
        if value is not None:
            shown = ", ".join(value) if isinstance(value, list) else value
            lines.append(f"  {name:<12} {shown}")
    # With a mark in front no name can look like a command to a CI runner ("::error").
    lines += [f"    - {name}" for name in files[:_SHOWN_FILES]]
    if len(files) > _SHOWN_FILES:
        lines.append(f"    and {len(files) - _SHOWN_FILES} more; --output json lists all of them")
    return "\n".join(lines) + "\n"
