"""Bases made from Debian packages, for where the public registries are out of reach.

`BUILDER` stands in for debian:13-slim with its Python and rustc, `RUNTIME` for distroless'
python3-debian13. Both are made once and kept in the container storage below the user's cache
folder.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from images.tools import run

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
SUITE = "trixie"
# The day of Debian 13: later times in packages are set back to it, so that only the packages
# decide what a base is made of.
EPOCH = "1754697600"


@dataclass(frozen=True)
class Base:
    """How one base is made."""

    name: str
    packages: str
    options: tuple[str, ...]
    hook: Path | None = None

    @property
    def reference(self) -> str:
        """Its name in the storage, which changes with its recipe."""
        recipe = repr((SUITE, EPOCH, self.packages, self.options)).encode()
        recipe += self.hook.read_bytes() if self.hook else b""
        return f"localhost/model-verify/{self.name}:{hashlib.sha256(recipe).hexdigest()[:12]}"


BUILDER = Base("builder", "python3-venv,rustc", ("--variant=minbase",))
RUNTIME = Base(
    "runtime",
    # What distroless has: //base, //cc, and of //python3 what the rest does not bring along.
    "base-files,ca-certificates,libstdc++6,netbase,tzdata,libpython3.13-stdlib,python3.13-minimal",
    ("--variant=extract", "--skip=cleanup"),
    HERE / "bases" / "runtime.sh",
)


def ensure(base: Base, environment: Mapping[str, str], *, fresh: bool = False) -> str:
    """Makes the base unless it is there, drops those of older recipes, returns its reference."""
    name = f"--filter=reference={base.reference.split(':')[0]}"
    listed = run(
        "podman", "images", "--format={{.Repository}}:{{.Tag}}", name, environment=environment
    )
    references = listed.split()
    if fresh or base.reference not in references:
        make(base, base.reference, environment)
    for reference in references:
        if reference != base.reference:
            run("podman", "rmi", "--force", reference, environment=environment)
    return base.reference


def make(base: Base, reference: str, environment: Mapping[str, str]) -> None:
    """Makes the base anew under the given reference; the same packages give the same digest."""
    hooks = (f"--extract-hook={base.hook}",) if base.hook else ()
    packages = f"--include={base.packages}"
    with tempfile.TemporaryDirectory() as directory:
        archive = f"{directory}/base.tar"
        options = (*base.options, "--quiet", "--skip=output/dev", packages, *hooks)
        clocked = {**environment, "SOURCE_DATE_EPOCH": EPOCH}
        run("mmdebstrap", *options, SUITE, archive, environment=clocked)
        (Path(directory) / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        build = ("buildah", "build", "--quiet", f"--timestamp={EPOCH}", "--identity-label=false")
        run(*build, f"--tag={reference}", directory, environment=environment)
