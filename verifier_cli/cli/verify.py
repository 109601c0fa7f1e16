"""`model-verify verify`: for people and CI."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from verifier_cli.cli.asked import Asked
from verifier_cli.cli.commands import SETTINGS
from verifier_cli.cli.output import emit
from verifier_cli.cli.progress import watcher
from verifier_cli.host.cpus import granted
from verifier_cli.host.logs import LEVELS, Log
from verifier_cli.host.session import decide
from verifier_cli.policy import MAX_TIMEOUT_SECONDS
from verifier_cli.runs import Settings
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from typing import TextIO


@click.command(
    "verify",
    context_settings={**SETTINGS, "auto_envvar_prefix": "MODEL_VERIFY"},
)
@click.argument("model", required=False)
@click.option("--signature", metavar="FILE", help="Signature file; discovered if not given.")
@click.option("--public-key", multiple=True, metavar="PEM", help="Public key that may have signed.")
@click.option(
    "--certificate-chain",
    multiple=True,
    metavar="PEM",
    help="Trust anchors, and intermediates if the signature lacks them.",
)
@click.option(
    "--certificate-identity", metavar="ID", help="SAN or subject that the certificate must bear."
)
@click.option("--identity", metavar="ID", help="Exact identity that must have signed (sigstore).")
@click.option(
    "--identity-regexp", metavar="RE", help="Expression that the whole identity must match."
)
@click.option("--identity-provider", metavar="URL", help="Issuer that must vouch for the identity.")
@click.option(
    "--trust-config", metavar="FILE", help="ClientTrustConfig or trusted_root.json of a sigstore."
)
@click.option("--use-staging", is_flag=True, help="Trust sigstore's staging instance.")
@click.option("--online", is_flag=True, help="Refresh sigstore's trust root over TUF first.")
@click.option("--policy", metavar="FILE", help="Policy document or ModelValidation manifest.")
@click.option(
    "--ignore-paths", multiple=True, metavar="PATH", help="Path in the model to leave out."
)
@click.option(
    "--ignore-git-paths/--no-ignore-git-paths",
    default=None,
    help="Leave out .git, .github, .gitignore and .gitattributes at the top.  [default: leave out]",
)
@click.option(
    "--ignore-unsigned-files",
    is_flag=True,
    help="Accept files that nobody signed beside signed ones.",
)
@click.option("--allow-symlinks", is_flag=True, help="Follow links that stay within the model.")
@click.option(
    "--engine",
    type=click.Choice(["native", "reference", "both"]),
    default="native",
    show_default=True,
    help="Who verifies: model-verify, model-signing, or both, who must agree.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Threads that hash.  [default: the CPUs granted]"
)
@click.option(
    "--timeout",
    type=click.IntRange(1, MAX_TIMEOUT_SECONDS),
    metavar="SECONDS",
    help="Give up after this time.  [default: the policy's, else 900]",
)
@click.option(
    "--mode",
    type=click.Choice(["enforce", "warn"]),
    help="With warn, a rejection ends with 0; the report still says REJECTED.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the report.",
)
@click.option(
    "--output-file", metavar="FILE", help="Write the report there, not to standard output."
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    help="Least level that is logged.  [default: info; no log on a terminal]",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "console"]),
    default="auto",
    show_default=True,
    help="Form of the log on standard error; auto is console on a terminal, else JSON.",
)
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:  # noqa: ANN401  (what click parsed)
    """Verify MODEL, a directory or a single file.

    Without network unless --online. Every option can also come from the environment as
    MODEL_VERIFY_<OPTION>. With --policy and no MODEL, all models of the policy are verified
    where it says they are.
    """
    asked = Asked(options)
    asked.require_usable()
    stdout, log = sys.stdout, _log(sys.stderr, options)
    with watcher(sys.stderr, log, draw=options["output"] == "text") as tick:
        report = decide(
            asked.policies,
            lambda _: Settings(
                engine=options["engine"],
                workers=options["workers"] or granted(),
                online=options["online"],
            ),
            log,
            timeout_seconds=options["timeout"],
            tick=tick,
        )
    report = dataclasses.replace(report, findings=(*report.findings, *_from_environment(context)))
    return emit(report, options["output"], options["output_file"], stdout)


def _from_environment(context: click.Context) -> list[Finding]:
    """What the caller did not write, and a reader of the report should know."""
    found = [
        name.upper()
        for name in sorted(context.params)
        if context.get_parameter_source(name) is click.core.ParameterSource.ENVIRONMENT
    ]
    return [Finding(Code.FROM_ENVIRONMENT, f"taken from MODEL_VERIFY_{name}") for name in found]


def _log(stream: TextIO, options: dict[str, Any]) -> Log:
    form, level = options["log_format"], options["log_level"]
    if form != "auto":
        return Log(stream, level=level or "info", form=form)
    if stream.isatty():
        # On a terminal the report says it all, and better.
        return Log(stream, level=level, form="console")
    return Log(stream, level=level or "info", form="json")
