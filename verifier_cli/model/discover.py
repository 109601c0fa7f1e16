"""Step 2: finds the signature of a model, and models below a root, by fixed names.

Finding is never trusting: whoever signed is established later, by the policy alone.
"""

from __future__ import annotations

import os
import stat

from verifier_cli.verdict import Code, Finding

SIGNATURE = "model.sig"
_SUFFIXES = (".oms.sig", ".sig", ".sigstore.json")
MAX_DEPTH = 4


def find_signature(model: str) -> str | Finding:
    """Returns the path of the model's signature, or the finding that says why there is none.

    In a directory: `model.sig`, else the only `*.oms.sig`, `*.sig` or `*.sigstore.json`, else
    `NAME.sig` beside it. For a file F: `F.sig`.

    Raises:
        OSError: the directory cannot be listed.
    """
    named = os.path.basename(model.rstrip("/")) not in ("", ".", "..")
    beside = f"{model.rstrip('/') if named else os.path.realpath(model)}.sig"
    if not stat.S_ISDIR(os.stat(model).st_mode):
        if os.path.lexists(beside):
            return beside
        return Finding(Code.SIGNATURE_NOT_FOUND, f"there is no signature at {beside}")
    candidates = candidates_in(os.listdir(model))
    if len(candidates) == 1:
        return os.path.join(model, candidates[0])
    if candidates:
        names = ", ".join(candidates)
        detail = f"{names} could each be the signature: name the one that is meant"
        return Finding(Code.SIGNATURE_AMBIGUOUS, detail)
    if os.path.lexists(beside):
        return beside
    detail = f"there is neither {SIGNATURE} in the model nor {os.path.basename(beside)} beside it"
    return Finding(Code.SIGNATURE_NOT_FOUND, detail)


def candidates_in(names: list[str]) -> list[str]:
    """The names among a directory's entries that could be its signature, best first."""
    if SIGNATURE in names:
        return [SIGNATURE]
    return sorted(name for name in names if name.endswith(_SUFFIXES) and name not in _SUFFIXES)


def find_models(root: str, ignore: frozenset[str]) -> list[str]:
    """Returns every directory at or below `root`, at most four levels deep, with a signature.

    A model's own sub-directories are part of it and not searched. Links are not followed,
    and neither are the directories named in `ignore` (relative to the root).

    Raises:
        OSError: a directory cannot be listed.
    """
    found: list[str] = []
    pending = [(root, 0)]
    while pending:
        directory, depth = pending.pop()
        with os.scandir(directory) as entries:
            listed = list(entries)
        if candidates_in([entry.name for entry in listed]):
            found.append(directory)
        elif depth < MAX_DEPTH:
            pending += [
                (entry.path, depth + 1)
                for entry in listed
                if entry.is_dir(follow_symlinks=False)
                and os.path.relpath(entry.path, root) not in ignore
            ]
    return sorted(found)
