"""Writes the definitions of manifests/base/crds/ from the types that read the resources."""

from __future__ import annotations

from pathlib import Path

from verifier_cli.config.strictyaml import dump_all
from verifier_cli.kube.crd import definitions

CRDS = Path(__file__).parent / "base" / "crds"
HEAD = "# Made by `nox -s manifests` from verifier_cli/config/resource.py.\n"


def files() -> dict[Path, str]:
    """The files and what they have to hold."""
    return {
        CRDS / f"{each['metadata']['name']}.yaml": HEAD + dump_all([each]) for each in definitions()
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
