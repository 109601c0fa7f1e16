"""A cluster that is there already, in place of one started for the tests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from images.tools import UnavailableError
from tests.cluster import busybox, configuration
from tests.cluster.apiserver import ApiServer
from tests.cluster.binaries import binaries
from tests.cluster.node import Node, running

KUBECONFIG = "MODEL_VERIFY_TEST_KUBECONFIG"
IMAGES = "MODEL_VERIFY_TEST_IMAGES"
SHELL = "docker.io/library/busybox:stable"


@dataclass(frozen=True)
class Existing(Node):
    """Somebody's cluster, which takes its images from registries.

    Attributes:
        images: the registry's folder to which the images were pushed, unchanged.
    """

    images: str | None

    def load(self, archive: Path) -> str:
        """The reference of the pushed image, by the digest that the archive has.

        Raises:
            UnavailableError: nobody said where the images are.
        """
        if self.images is None:
            raise UnavailableError(f"push {archive} unchanged and name its folder in {IMAGES}")
        reference, digest = next(iter(busybox.references(archive).items()))
        return busybox.pinned(f"{self.images}/{reference.rpartition('/')[2]}", digest)


def existing(kubeconfig: Path, directory: Path, images: str | None) -> Node:
    """The cluster of a kubeconfig's current context.

    Args:
        kubeconfig: where it is. That of `nox -s cluster -- up` leads to a node like the tests' own.
        directory: for kubectl's cache.
        images: the registry's folder to which the images were pushed.
    """
    kubeconfig = kubeconfig.resolve(strict=True)
    if configuration.socket(kubeconfig.parent).exists():
        return running(kubeconfig.parent, binaries())
    found = shutil.which("kubectl")
    programs = Path(found).parent if found else binaries()
    view = ("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}")
    url = ApiServer(directory, programs, "", kubeconfig).kubectl(*view).stdout
    return Existing(directory, programs, url, kubeconfig, SHELL, images)
