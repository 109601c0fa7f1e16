"""Builds the images into OCI archives below build/images; `nox -s images` runs it.

Each image is built twice from nothing, and both must have one digest. images.json there says what
came out: for each image its digest, sizes, and the bases with theirs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from images import bases, tools
from images.commit import commit
from images.tools import run
from verifier_cli import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "images"
WHEELS = OUT / "wheels"
# What is installed in some, and what only stands on those.
NAMES = ("verifier", "operator")
ABOVE = ("models",)
# Debian 13's Python, and the newest glibc that its wheels may want.
PYTHON, GLIBC = "3.13", 41
BASE = "org.opencontainers.image.base"
ANNOTATIONS = {"name": "reference", "digest": "digest"}
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Build:
    """What the builds of one call share.

    Attributes:
        environment: of the container tools.
        bases: `BUILDER` and `RUNTIME` with reference and digest.
        local: the bases are our own, so that no network is needed at all.
        epoch: seconds since 1970; the time of everything in an image.
        revision: the commit.
    """

    environment: Mapping[str, str]
    bases: Mapping[str, Mapping[str, str]]
    local: bool
    epoch: str
    revision: str

    def image(self, name: str) -> dict[str, Any]:
        """Builds one image twice, leaves its archive, and describes it."""
        reference = f"localhost/model-verify/{name}:dev"
        archives = (OUT / f"{name}.oci.tar", OUT / f"{name}.again.oci.tar")
        for archive in archives:
            self.once(name, reference)
            target = f"oci-archive:{archive}:{reference}"
            run("buildah", "push", "--quiet", reference, target, environment=self.environment)
        described, again = (describe(archive) for archive in archives)
        if described != again:
            raise SystemExit(f"{name}: two builds differ: {described} and {again}")
        archives[1].unlink()
        told = {"reference": reference, "revision": self.revision, **described}
        return {**told, "bases": self.bases}

    def once(self, name: str, reference: str) -> None:
        """Runs one build and leaves nothing of it but the image."""
        runtime = self.bases["RUNTIME"]
        arguments = {
            **{key: base["reference"] for key, base in self.bases.items()},
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "/wheels",
            "REVISION": self.revision,
            "SOURCE_DATE_EPOCH": self.epoch,
            "VERSION": __version__,
        }
        before = self._working()
        try:
            run(
                "buildah",
                "build",
                "--quiet",
                "--no-cache",
                "--pull=never" if self.local else "--pull",
                "--network=none" if self.local else "--network=host",
                f"--timestamp={self.epoch}",
                # The builder's version, and how the base came here, make no difference.
                "--identity-label=false",
                *(f"--annotation={BASE}.{key}={runtime[of]}" for key, of in ANNOTATIONS.items()),
                f"--volume={WHEELS}:/wheels:ro",
                *(f"--build-arg={key}={value}" for key, value in arguments.items()),
                f"--file={ROOT}/images/{name}/Containerfile",
                f"--tag={reference}",
                str(ROOT),
                environment=self.environment,
            )
        finally:
            # buildah keeps a container, mounted, of a stage that only lends its files, and of a
            # build that was broken off.
            for container in self._working() - before:
                run("buildah", "rm", container, environment=self.environment)

    def _working(self) -> set[str]:
        return set(run("buildah", "containers", "--quiet", environment=self.environment).split())


def main() -> None:
    """Reads the command line and builds every image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bases",
        choices=("debian", "public"),
        default="debian",
        help="bootstrapped from Debian packages, or those that the Containerfiles pin",
    )
    parser.add_argument("--fresh", action="store_true", help="make the Debian bases anew")
    arguments = parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    try:
        environment = tools.ready()
    except tools.UnavailableError as error:
        print(f"SKIPPED: no image is built: {error}")
        sys.exit(1 if os.environ.get("CI") == "true" else 0)
    local = arguments.bases == "debian"
    used = bootstrapped(environment, fresh=arguments.fresh) if local else pinned(NAMES[0])
    for requirements in ("image-build", *NAMES):
        fetch(requirements)
    build = Build(environment, used, local, *commit(ROOT))
    made = {name: build.image(name) for name in (*NAMES, *ABOVE)}
    run("podman", "image", "prune", "--force", environment=environment)
    (OUT / "images.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(made, indent=2))


def fetch(requirements: str) -> None:
    """Downloads the locked wheels for the images' system, so that the build needs no network."""
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
    # Named, newest first: else pip takes those that fit the machine that it runs on.
    tags = [f"manylinux_2_{minor}" for minor in range(GLIBC, 4, -1)] + ["manylinux2014"]
    platforms = [f"--platform={tag}_{platform.machine()}" for tag in tags]
    which = ("--only-binary=:all:", f"--python-version={PYTHON}", f"--dest={WHEELS}", *platforms)
    locked = ROOT / "requirements" / f"{requirements}.txt"
    subprocess.run((*command, *which, f"--requirement={locked}"), check=True)


def bootstrapped(environment: Mapping[str, str], *, fresh: bool) -> dict[str, dict[str, str]]:
    """The bases from Debian packages; the digest is that of the configuration."""
    found = {}
    for name, base in (("BUILDER", bases.BUILDER), ("RUNTIME", bases.RUNTIME)):
        reference = bases.ensure(base, environment, fresh=fresh)
        show = ("--type=image", "--format={{.FromImageID}}", reference)
        digest = run("buildah", "inspect", *show, environment=environment).strip()
        found[name] = {"reference": reference, "digest": f"sha256:{digest}"}
    return found


def pinned(name: str) -> dict[str, dict[str, str]]:
    """The bases that a Containerfile names by itself."""
    found = {}
    for line in (ROOT / "images" / name / "Containerfile").read_text("utf-8").splitlines():
        if line.startswith("ARG ") and "@" in line:
            key, reference = line.removeprefix("ARG ").split("=", 1)
            found[key] = {"reference": reference, "digest": reference.split("@", 1)[1]}
    return found


def describe(archive: Path) -> dict[str, Any]:
    """The digest of the image in an OCI archive, and the bytes of its layers (image-spec 1.1)."""
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> IO[bytes]:
            stream = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
            if stream is None:
                raise SystemExit(f"{archive}: no blob {digest}")
            return stream

        index = tar.extractfile("index.json")
        digest = json.load(index)["manifests"][0]["digest"] if index else ""
        manifest = json.load(blob(digest))
        layers = manifest["layers"]
        if any(layer["mediaType"] != GZIP for layer in layers):
            raise SystemExit(f"{archive}: layers that are not gzip")
        unpacked = 0
        for layer in layers:
            with gzip.open(blob(layer["digest"])) as stream:
                unpacked += sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 20), b""))
    compressed = sum(layer["size"] for layer in layers)
    sizes = {"compressedBytes": compressed, "unpackedBytes": unpacked}
    return {"digest": digest, "config": manifest["config"]["digest"], **sizes}


if __name__ == "__main__":
    main()
