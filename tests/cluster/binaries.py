"""Kubernetes' own programs, built once from their Go modules and cached by version."""

from __future__ import annotations

from pathlib import Path

from tests import gotools

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
    return gotools.built(TOOLS, "cluster", tags=TAGS, flags=flags)
