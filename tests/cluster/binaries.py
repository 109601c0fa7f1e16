"""Kubernetes' own programs, built once from their Go modules and cached by version."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from images.tools import CACHE, UnavailableError

TOOLS = Path(__file__).parent / "tools"
VERSION = "v1.36.3"
TAGS = "no_btrfs,no_zfs,no_devmapper,no_tracing"
COMPONENT = "k8s.io/component-base/version"


def binaries() -> Path:
    """The directory of etcd (`server`), kube-apiserver, kubectl and the others.

    The first call builds them, which takes about ten minutes; its name changes with what is built.

    Raises:
        UnavailableError: there is no Go.
    """
    _, minor, _ = VERSION.split(".")
    flags = f"-s -w -X {COMPONENT}.gitVersion={VERSION}"
    flags += f" -X {COMPONENT}.gitMajor=1 -X {COMPONENT}.gitMinor={minor}"
    recipe = hashlib.sha256((TOOLS / "go.sum").read_bytes() + flags.encode() + TAGS.encode())
    place = CACHE / "cluster" / recipe.hexdigest()[:12]
    if place.is_dir():
        return place
    go = shutil.which("go")
    if go is None:
        raise UnavailableError("Kubernetes' programs are not built, and there is no go to do it")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when whole: a build that was broken off leaves nothing that looks like one.
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        built = Path(directory, "bin")
        built.mkdir()
        command = (go, "build", "-o", f"{built}/", "-tags", TAGS, "-ldflags", flags, "tool")
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
        subprocess.run(command, cwd=TOOLS, env=environment, check=True)
        built.rename(place)
    return place
