"""Turns the options of `verify` into policies."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import click

from verifier_cli.config import document, reader
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.expressions import fault_of_expression
from verifier_cli.inputs import MAX_MATERIAL_BYTES, Unreadable, read_regular
from verifier_cli.policy import (
    Certificate,
    Key,
    Keyless,
    Material,
    ModelRules,
    Policy,
    is_ignore_path,
)

if TYPE_CHECKING:
    from verifier_cli.policy import Signer
    from verifier_cli.verdict import Mode

_METHODS = {
    "key": ("public_key",),
    "certificate": ("certificate_chain", "certificate_identity"),
    "sigstore": (
        "identity",
        "identity_regexp",
        "identity_provider",
        "trust_config",
        "use_staging",
    ),
}


class Asked:
    """What a command line of `verify` asks for.

    Args:
        options: click's parameters, by name.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        """Keeps the options."""
        self._options = options
        self._given = [
            method
            for method, names in _METHODS.items()
            if any(options[name] not in (None, False, ()) for name in names)
        ]

    def require_usable(self) -> None:
        """Raises click.UsageError for what no file could make right."""
        options = self._options
        for name, value in options.items():
            texts = value if isinstance(value, tuple) else (value,)
            if any(isinstance(text, str) and not text.strip() for text in texts):
                label = "MODEL" if name == "model" else f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{label} is empty.")
        if options["online"] and options["engine"] != "native":
            raise click.UsageError("--online goes with --engine native only.")
        if options["policy"] is None:
            self._require_signer()
        elif self._given:
            raise click.UsageError("--policy names the signers: give no signer options with it.")

    def _require_signer(self) -> None:
        if self._options["model"] is None:
            raise click.UsageError("Missing argument 'MODEL'.")
        if not self._given:
            raise click.UsageError(
                "Whom do you trust? Give --public-key, --certificate-chain,"
                " --identity with --identity-provider, or --policy."
            )
        if len(self._given) > 1:
            methods = ", ".join(self._given)
            raise click.UsageError(f"Options of several methods: {methods}; give one.")
        if self._given == ["certificate"] and not self._options["certificate_chain"]:
            raise click.UsageError("--certificate-identity needs --certificate-chain.")
        if self._given == ["sigstore"]:
            self._require_identity()

    def _require_identity(self) -> None:
        options = self._options
        if (options["identity"] is None) == (options["identity_regexp"] is None):
            raise click.UsageError("Give exactly one of --identity and --identity-regexp.")
        if options["identity_provider"] is None:
            raise click.UsageError("--identity needs --identity-provider: who vouches for it?")
        if fault := document.issuer(options["identity_provider"]):
            raise click.UsageError(f"--identity-provider {fault}.")
        pattern = options["identity_regexp"]
        if pattern is not None and (fault := fault_of_expression(pattern)):
            raise click.UsageError(f"--identity-regexp {fault}.")
        if options["use_staging"] and options["trust_config"]:
            raise click.UsageError("Give --trust-config or --use-staging, not both.")
        if options["online"] and options["trust_config"]:
            raise click.UsageError("--online refreshes sigstore's own root, not a --trust-config.")

    def policies(self) -> list[Policy]:
        """The policy that these options ask for.

        Raises:
            ConfigError: a file that they name cannot be used.
        """
        if self._options["policy"] is not None:
            return [self._from_file()]
        rules = self._adjust(ModelRules(self._options["model"]))
        policy = Policy((rules,), self._signers(), local=True)
        return [self._completed(policy, "command line")]

    def _completed(self, policy: Policy, source: str) -> Policy:
        mode = cast("Mode", self._options["mode"] or policy.mode)
        timeout = self._options["timeout"] or policy.timeout_seconds
        policy = dataclasses.replace(policy, mode=mode, timeout_seconds=timeout)
        return document.finished(policy, document.encode(policy), source)

    def _from_file(self) -> Policy:
        path = self._options["policy"]
        policy = reader.read_policy(path)
        model = self._options["model"]
        models = policy.models if model is None else (_moved(policy, model),)
        if any(rules.path is None for rules in models):
            raise ConfigError(
                Problem("models", "names no path, so that models are discovered in a pod"),
                source=path,
                advice="Say which model is meant: model-verify verify MODEL --policy ...",
            )
        if self._options["signature"] is not None and len(models) > 1:
            detail = f"is for one model, and the policy has {len(models)}"
            raise ConfigError(Problem("--signature", detail), source=path)
        models = tuple(self._adjust(rules) for rules in models)
        if models == policy.models and self._options["mode"] in (None, policy.mode):
            return policy
        return self._completed(dataclasses.replace(policy, models=models), path)

    def _adjust(self, rules: ModelRules) -> ModelRules:
        """Applies the options about the tree; they only add to what a policy says."""
        options = self._options
        ignore = tuple(_relative(path, rules.path) for path in options["ignore_paths"])
        git = options["ignore_git_paths"]
        return dataclasses.replace(
            rules,
            signature_path=options["signature"] or rules.signature_path,
            ignore_paths=(*rules.ignore_paths, *ignore),
            ignore_git_paths=rules.ignore_git_paths if git is None else git,
            ignore_unsigned_files=rules.ignore_unsigned_files or options["ignore_unsigned_files"],
            allow_symlinks=rules.allow_symlinks or options["allow_symlinks"],
        )

    def _signers(self) -> tuple[Signer, ...]:
        options = self._options
        if self._given == ["key"]:
            return tuple(Key(Material(path=path)) for path in options["public_key"])
        if self._given == ["certificate"]:
            anchors = _joined(options["certificate_chain"])
            return (Certificate(anchors, options["certificate_identity"]),)
        root = options["trust_config"]
        return (
            Keyless(
                issuer=options["identity_provider"],
                identity=options["identity"],
                identity_regexp=options["identity_regexp"],
                trust_root=None if root is None else Material(path=root),
                staging=options["use_staging"],
            ),
        )


def _joined(paths: tuple[str, ...]) -> Material:
    if len(paths) == 1:
        return Material(path=paths[0])
    texts: list[str] = []
    for path in paths:
        try:
            texts.append(read_regular(path, MAX_MATERIAL_BYTES).decode("ascii"))
        except Unreadable as error:
            raise ConfigError(Problem(path, str(error))) from None
        except UnicodeDecodeError:
            raise ConfigError(Problem(path, "is not PEM")) from None
    return Material(text="\n".join(texts))


def _moved(policy: Policy, model: str) -> ModelRules:
    """The policy's rules for `model`: those of that path, or its only ones, moved there."""
    named = [rules for rules in policy.models if rules.path == model]
    candidates = named or list(policy.models)
    if len(candidates) != 1:
        detail = f"has rules for {len(policy.models)} models, none of them at {model}"
        raise ConfigError(
            Problem("models", detail),
            source=policy.source,
            advice="Leave out MODEL, or give a path that the policy names",
        )
    rules = candidates[0]
    signature = rules.signature_path
    if signature is not None and rules.path is not None:
        inside = f"{rules.path}/"
        if signature.startswith(inside):
            signature = f"{model.rstrip('/')}/{signature.removeprefix(inside)}"
    return dataclasses.replace(rules, path=model, signature_path=signature, discover=False)


def _relative(path: str, model: str | None) -> str:
    """An ignore path, also when written with the model's path in front as upstream takes it."""
    prefix = f"{(model or '').rstrip('/')}/"
    inside = path.removeprefix(prefix).removeprefix("./").rstrip("/")
    if not is_ignore_path(inside):
        detail = f"{path!r} is not an exact path inside the model (no globs, no ..)"
        raise ConfigError(Problem("--ignore-paths", detail))
    return inside
