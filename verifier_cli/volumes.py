"""Models that nobody named: those below a root, and what there belongs to none of them."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from verifier_cli.model.discover import find_models
from verifier_cli.model.root import Root
from verifier_cli.model.walk import Walk, left_out
from verifier_cli.procedure import unreadable_model
from verifier_cli.verdict import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.policy import ModelRules


def models_below(rules: ModelRules, root: str) -> list[ModelRules] | Finding:
    """The rules of every model at or below `root`; at least one must be found."""
    try:
        paths = find_models(root, left_out(rules))
    except OSError as error:
        return unreadable_model(error)
    if not paths:
        detail = f"no directory at or below {root} holds a signature"
        return Finding(Code.SIGNATURE_NOT_FOUND, detail)
    return [_rules_below(rules, root, path) for path in paths]


def _rules_below(rules: ModelRules, root: str, path: str) -> ModelRules:
    """The rules of a discovered model: ignore paths count from the model, not the root."""
    inside = os.path.relpath(path, root)
    prefix = "" if inside == "." else f"{inside}/"
    ignore = tuple(p.removeprefix(prefix) for p in rules.ignore_paths if p.startswith(prefix))
    return dataclasses.replace(rules, path=path, ignore_paths=ignore)


def uncovered(
    rules: ModelRules, root: str, models: Sequence[ModelRules]
) -> tuple[list[Finding], set[str]]:
    """Findings about what lies below a root but in none of its models, and what was ignored."""
    covered = frozenset(os.path.relpath(model.path or root, root) for model in models)
    if "." in covered:
        return [], set()
    try:
        with Root(root) as opened:
            ignore = left_out(rules) | covered
            walk = Walk(opened, ignore=ignore, skip=frozenset(), follow=rules.allow_symlinks)
            tree = walk.run()
    except OSError as error:
        return [unreadable_model(error)], set()
    findings = [hazard for hazard in tree.hazards if hazard.code.reason]
    # Tolerating unsigned files is about files in a model: a model whose signature somebody
    # removed must not become a pile of tolerated files.
    detail = "is in the volume, but no model there covers it"
    findings += [
        Finding(Code.FILE_UNSIGNED, detail, path=name)
        for name in sorted(name for name, _ in tree.files())
    ]
    return findings, set(tree.ignored) - covered
