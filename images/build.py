"""Builds the images into OCI archives below build/images; `nox -s images` runs it.

Each image is built twice from nothing, and both must have one digest. images.json there says what
came out: for each image its digest, sizes, and the bases with theirs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from images import bases, tools
from verifier_cli import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "images"
PYTHON = "3.13"  # Debian 13's
NAMES = ("verifier",)
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


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
    chosen = {}
    if arguments.bases == "debian":
        for argument, base in (("BUILDER", bases.BUILDER), ("RUNTIME", bases.RUNTIME)):
            chosen[argument] = bases.ensure(base, environment, fresh=arguments.fresh)
    wheels = OUT / "wheels"
    for requirements in ("image-build", *NAMES):
        fetch(requirements, wheels)
    made = {name: image(name, chosen, wheels, environment) for name in NAMES}
    run("podman", "image", "prune", "--force", environment=environment)
    (OUT / "images.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(made, indent=2))


def fetch(requirements: str, wheels: Path) -> None:
    """Downloads the locked wheels for the images' Python, so that the build needs no network."""
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
    which = ("--only-binary=:all:", f"--python-version={PYTHON}", f"--dest={wheels}")
    locked = ROOT / "requirements" / f"{requirements}.txt"
    subprocess.run((*command, *which, f"--requirement={locked}"), check=True)


def image(
    name: str, chosen: Mapping[str, str], wheels: Path, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Builds one image twice, leaves its archive, and describes it."""
    reference = f"localhost/model-verify/{name}:dev"
    archives = (OUT / f"{name}.oci.tar", OUT / f"{name}.again.oci.tar")
    for archive in archives:
        build(name, reference, chosen, wheels, environment)
        target = f"oci-archive:{archive}:{reference}"
        run("buildah", "push", "--quiet", reference, target, environment=environment)
    described, again = (describe(archive) for archive in archives)
    if described != again:
        raise SystemExit(f"{name}: two builds differ: {described} and {again}")
    archives[1].unlink()
    used = [{"name": key, **base(value, environment)} for key, value in chosen.items()]
    return {"reference": reference, **described, "bases": used or pinned(name)}


def build(
    name: str,
    reference: str,
    chosen: Mapping[str, str],
    wheels: Path,
    environment: Mapping[str, str],
) -> None:
    """Runs one build; with bases of our own there is no network in it at all."""
    epoch, revision = commit()
    arguments = {
        **chosen,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "/wheels",
        "REVISION": revision,
        "SOURCE_DATE_EPOCH": epoch,
        "VERSION": __version__,
    }
    run(
        "buildah",
        "build",
        "--quiet",
        "--no-cache",
        "--pull=never" if chosen else "--pull",
        "--network=none" if chosen else "--network=host",
        f"--timestamp={epoch}",
        f"--volume={wheels}:/wheels:ro",
        *(f"--build-arg={key}={value}" for key, value in arguments.items()),
        f"--file={ROOT}/images/{name}/Containerfile",
        f"--tag={reference}",
        str(ROOT),
        environment=environment,
    )


def run(*command: str, environment: Mapping[str, str]) -> str:
    """Runs a container tool; says on failure what it said."""
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def commit() -> tuple[str, str]:
    """The time of the commit, in seconds, and its name; without git both are unknown."""
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        return epoch, os.environ.get("REVISION", "unknown")
    log = ("git", "-C", str(ROOT), "log", "--max-count=1", "--format=%ct %H")
    ran = subprocess.run(log, capture_output=True, text=True, check=False)
    if ran.returncode:
        return "0", "unknown"
    epoch, revision = ran.stdout.split()
    changed = ("git", "-C", str(ROOT), "status", "--porcelain")
    dirty = subprocess.run(changed, capture_output=True, text=True, check=True).stdout
    return epoch, revision + ("-dirty" if dirty else "")


def base(reference: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The reference of a base in the storage, and its digest."""
    show = ("--type=image", "--format={{.FromImageDigest}}", reference)
    digest = run("buildah", "inspect", *show, environment=environment).strip()
    return {"reference": reference, "digest": digest}


def pinned(name: str) -> list[dict[str, str]]:
    """The bases that a Containerfile names by itself."""
    found = []
    for line in (ROOT / "images" / name / "Containerfile").read_text("utf-8").splitlines():
        if line.startswith("ARG ") and "@" in line:
            key, reference = line.removeprefix("ARG ").split("=", 1)
            digest = reference.split("@", 1)[1]
            found.append({"name": key, "reference": reference, "digest": digest})
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
