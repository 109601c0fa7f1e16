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
from verifier_cli.kube.workloads import pod_of, unpacked, with_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

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
@click.option(
    "-n",
    "--namespace",
    default=None,
    metavar="NAME",
    help="Namespace of everything that names none; without it, pods are in `default`.",
)
def command(filenames: tuple[str, ...], image: str, allow_tag: bool, namespace: str | None) -> int:
    """Print pods and workloads as the webhook would change them, for `kubectl apply -f -`."""
    try:
        settings = Settings(image, development=allow_tag)
    except ValueError as error:
        raise ConfigError(
            Problem("--image", str(error)), advice="Give it as NAME@sha256:…, or --allow-tag"
        ) from None
    validations: list[Validation] = []
    workloads: list[tuple[str, Json]] = []
    for filename, value in _objects(filenames):
        if manifest.is_validation(value):
            validations.append(_placed(manifest.decode(value, filename), namespace))
        else:
            workloads.append((filename, value))
    changed: list[Json] = []
    unused = list(validations)
    for filename, value in workloads:
        made, found = _changed(value, filename, namespace or "default", validations, settings)
        changed.append(made)
        unused = [each for each in unused if each not in found]
    for each in unused:
        where = f" of namespace {each.namespace}" if each.namespace else ""
        _warn(f"the {each.kind} {each.name}{where} is for none of these objects")
    deliver(sys.stdout.buffer, dump_all(changed).encode())
    return 0


def _objects(filenames: tuple[str, ...]) -> Iterator[tuple[str, Json]]:
    """Every object of the files, those of lists too, and the file that it is in."""
    for filename in filenames:
        for value in reader.documents(reader.read_bytes(filename), filename):
            if not isinstance(value, dict):
                raise ConfigError(Problem("", "is not an object"), source=filename)
            try:
                for each in unpacked(value):
                    yield filename, each
            except Unfit as error:
                raise ConfigError(Problem(_name(value), str(error)), source=filename) from None


def _placed(validation: Validation, namespace: str | None) -> Validation:
    """The validation where it will be; a cluster validation everywhere.

    Which labels a namespace has only a cluster knows: one that is given is meant.
    """
    if validation.kind == manifest.CLUSTER_KIND:
        wiring = dataclasses.replace(validation.wiring, namespace_selector=EVERYTHING)
        return dataclasses.replace(validation, wiring=wiring)
    return dataclasses.replace(validation, namespace=validation.namespace or namespace)


def _changed(
    workload: Json,
    filename: str,
    namespace: str,
    validations: list[Validation],
    settings: Settings,
) -> tuple[Json, list[Validation]]:
    """One object with the verifier in its pod, and its validations; as it is if there are none."""
    try:
        pod, place = pod_of(workload, namespace)
        if pod is None:
            return workload, []
        found = validations_for(pod, Namespace(place, {}), validations)
        if not found:
            return workload, []
        injected = inject(pod, found, settings)
    except Unfit as error:
        raise ConfigError(Problem(_name(workload), str(error)), source=filename) from None
    for warning in injected.warnings:
        _warn(warning)
    return with_pod(workload, injected.pod), found


def _name(value: Json) -> str:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return " ".join(str(each) for each in (value.get("kind"), name) if each)


def _warn(warning: str) -> None:
    sys.stderr.write(f"warning: {escape(warning)}\n")
