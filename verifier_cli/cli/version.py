"""`model-verify version`: which versions decide."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

import click

from verifier_cli import __version__
from verifier_cli.cli.commands import SETTINGS
from verifier_cli.host.session import deliver
from verifier_cli.report import json


@click.command("version", context_settings=SETTINGS)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(output: str) -> int:
    """Show the versions of model-verify and of what it rests on."""
    import ssl

    from cryptography.hazmat.backends.openssl import backend

    versions = {
        "model-verify": __version__,
        "python": platform.python_version(),
        "sigstore": version("sigstore"),
        "model-signing": version("model-signing"),
        "cryptography": version("cryptography"),
        "openssl": backend.openssl_version_text(),
        "openssl-of-python": ssl.OPENSSL_VERSION,
    }
    text = "".join(f"{name:<18} {value}\n" for name, value in versions.items())
    deliver(sys.stdout.buffer, json.render(versions) if output == "json" else text.encode())
    return 0
