"""Reads policy files: policy documents, ModelValidations and ConfigMaps, JSON or YAML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.config import document
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.inputs import (
    MAX_POLICY_BYTES,
    Malformed,
    Unreadable,
    canonical_json,
    read_regular,
    strict_json,
)

if TYPE_CHECKING:
    from verifier_cli.config.manifest import Validation
    from verifier_cli.policy import Policy

POLICY_KEY = "policy.json"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A policy, and the validation that it comes from if it does."""

    policy: Policy
    validation: Validation | None = None


def read_bytes(path: str) -> bytes:
    """Reads a policy file, at most 1 MiB.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return read_regular(path, MAX_POLICY_BYTES)
    except Unreadable as error:
        raise ConfigError(Problem("", str(error)), source=path) from None


def read_policy(path: str) -> Policy:
    """Reads the one policy of a file.

    Raises:
        ConfigError: it holds none, several, or one with faults.
    """
    found = parse(read_bytes(path), path)
    if len(found) != 1:
        raise ConfigError(
            Problem("", f"holds {len(found)} policies where one is wanted"), source=path
        )
    return found[0].policy


def parse(raw: bytes, source: str) -> list[Parsed]:
    """Reads every policy of a file; documents of other kinds are a fault.

    Raises:
        ConfigError: with every fault of every document.
    """
    # Canonical documents keep their bytes: their digest is what a pin names.
    if raw.lstrip()[:1] == b"{":
        return [_json(raw, source)]
    found: list[Parsed] = []
    problems: list[Problem] = []
    for index, value in enumerate(_yaml_documents(raw, source)):
        try:
            found.append(_document(value, source))
        except ConfigError as error:
            label = _label(value, index)
            problems += [
                Problem(f"{label}{p.where and ': '}{p.where}", p.detail) for p in error.problems
            ]
    if problems:
        raise ConfigError(*problems, source=source)
    if not found:
        raise ConfigError(Problem("", "holds no policy"), source=source)
    return found


def documents(raw: bytes, source: str) -> list[Any]:
    """Every document of a file, JSON or YAML, whatever it holds.

    Raises:
        ConfigError: it is neither, or not sound.
    """
    if raw.lstrip()[:1] != b"{":
        return _yaml_documents(raw, source)
    try:
        return [strict_json(raw)]
    except Malformed as error:
        raise ConfigError(Problem("", str(error)), source=source) from None


def _json(raw: bytes, source: str) -> Parsed:
    (value,) = documents(raw, source)
    if "kind" in value:
        return _document(value, source)
    return Parsed(document.decode(raw, source))


def _document(value: object, source: str) -> Parsed:
    # Not in a pod: its policy documents are read without what custom resources need.
    from verifier_cli.config import manifest

    if manifest.is_validation(value):
        validation = manifest.decode(value, source)
        return Parsed(validation.policy, validation)
    if isinstance(value, dict) and value.get("kind") == "ConfigMap":
        data = value.get("data")
        text = data.get(POLICY_KEY) if isinstance(data, dict) else None
        if not isinstance(text, str):
            raise ConfigError(Problem(f"data[{POLICY_KEY!r}]", "is missing"))
        return Parsed(document.decode(text.encode(), source))
    if isinstance(value, dict) and "schema" in value:
        return Parsed(document.decode(canonical_json(value), source))
    raise ConfigError(Problem("", "is neither a policy document nor a ModelValidation"))


def _label(value: object, index: int) -> str:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{name}" if isinstance(name, str) else f"document {index + 1}"


def _yaml_documents(raw: bytes, source: str) -> list[Any]:
    from verifier_cli.config.strictyaml import load_all

    try:
        return load_all(raw)
    except Malformed as error:
        raise ConfigError(Problem("", str(error)), source=source) from None
