"""`model-verify render`: the ConfigMap of a ModelValidation, without a controller."""

from __future__ import annotations

import sys

import click

from verifier_cli.cli.commands import SETTINGS
from verifier_cli.config import reader
from verifier_cli.config.strictyaml import dump_all
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.host.session import deliver
from verifier_cli.kube.configmap import configmap


@click.command("render", context_settings=SETTINGS)
@click.option("-f", "--filename", required=True, metavar="FILE", help="ModelValidation manifests.")
def command(filename: str) -> int:
    """Print the ConfigMaps that the controller would write, for `kubectl apply -f -`."""
    parsed = reader.parse(reader.read_bytes(filename), filename)
    validations = [each.validation for each in parsed if each.validation is not None]
    if len(validations) != len(parsed):
        raise ConfigError(Problem("", "holds something besides ModelValidations"), source=filename)
    deliver(sys.stdout.buffer, dump_all([configmap(each) for each in validations]).encode())
    return 0
