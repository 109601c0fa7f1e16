"""`model-verify inject`: workloads as the webhook would change them, without a webhook."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from verifier_cli.cli.commands import SETTINGS
from verifier_cli.config import manifest, reader
from verifier_cli.config.selector import EVERYTHING
from verifier_cli.config.strictyaml import dump_all
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.escape import escape
from verifier_cli.host.session import deliver
from verifier_cli.kube.choice import Namespace, validations_for
from verifier_cli.kube.container import Settings
from verifier_cli.kube.inject import inject
from verifier_cli.kube.shapes import Unfit
from verifier_cli.kube.workloads import pod_of, with_pod

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation

Json = dict[str, Any]


@click.command("inject", context_settings=SETTINGS)
@click.option(
    "-f",
    "--filename",
    "filenames",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Pods or workloads that make pods, and the ModelValidations that they are under.",
)
@click.option(
    "--image",
    envvar="MODEL_VERIFY_IMAGE",
    required=True,
    metavar="REF",
    help="The verifier image, by digest.",
)
@click.option("--allow-tag", is_flag=True, help="Take an image by tag, which can be moved.")
def command(filenames: tuple[str, ...], image: str, allow_tag: bool) -> int:
    """Print pods and workloads as the webhook would change them, for `kubectl apply -f -`."""
    try:
        settings = Settings(image, development=allow_tag)
    except ValueError as error:
        raise ConfigError(
            Problem("--image", str(error)), advice="Give it as NAME@sha256:…, or --allow-tag"
        ) from None
    validations: list[Validation] = []
    workloads: list[tuple[str, Json]] = []
    for filename in filenames:
        for value in reader.documents(reader.read_bytes(filename), filename):
            if manifest.is_validation(value):
                validations.append(_everywhere(manifest.decode(value, filename)))
            elif isinstance(value, dict):
                workloads.append((filename, value))
            else:
                raise ConfigError(Problem("", "is not an object"), source=filename)
    changed = [_changed(value, filename, validations, settings) for filename, value in workloads]
    deliver(sys.stdout.buffer, dump_all(changed).encode())
    return 0


def _everywhere(validation: Validation) -> Validation:
    """The validation for every namespace: which labels one has only a cluster knows."""
    wiring = dataclasses.replace(validation.wiring, namespace_selector=EVERYTHING)
    return dataclasses.replace(validation, wiring=wiring)


def _changed(
    workload: Json, filename: str, validations: list[Validation], settings: Settings
) -> Json:
    """One object with the verifier in its pod; as it is if its pod asks for no validation."""
    try:
        pod, namespace = pod_of(workload)
        if pod is None:
            return workload
        found = validations_for(pod, Namespace(namespace, {}), validations)
        if not found:
            return workload
        injected = inject(pod, found, settings)
    except Unfit as error:
        name = f"{workload.get('kind')} {workload.get('metadata', {}).get('name')}"
        raise ConfigError(Problem(name, str(error)), source=filename) from None
    for warning in injected.warnings:
        sys.stderr.write(f"warning: {escape(warning)}\n")
    return with_pod(workload, injected.pod)
