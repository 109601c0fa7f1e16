"""`model-verify init`, when it is called with options; the entrypoint proper skips click."""

from __future__ import annotations

import click

from verifier_cli import initcontainer
from verifier_cli.cli.commands import SETTINGS


@click.command("init", context_settings=SETTINGS)
def command() -> int:
    """Verify in a pod: everything comes from the mounted policy.

    Reads /etc/model-verify/policy.json, or what MODEL_VERIFY_POLICY names: a file, or a
    directory of which every */policy.json counts. MODEL_VERIFY_POLICY_SHA256 pins their
    digests. Logs JSON to standard error, prints the JSON report to standard output, and
    leaves a summary in /dev/termination-log (MODEL_VERIFY_TERMINATION_LOG).
    """
    return initcontainer.main()
