"""A cluster that is there already, in place of one started for the tests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from images.tools import UnavailableError
from tests.cluster import busybox
from tests.cluster.binaries import binaries
from tests.cluster.node import Node

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

    @classmethod
    def at(cls, kubeconfig: Path, directory: Path, images: str | None) -> Self:
        """The cluster of a kubeconfig's current context; the directory is for kubectl's cache."""
        found = shutil.which("kubectl")
        programs = Path(found).parent if found else binaries()
        unnamed = cls(directory, programs, "", kubeconfig.resolve(strict=True), SHELL, images)
        view = ("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}")
        url = unnamed.kubectl(*view).stdout
        return cls(directory, programs, url, unnamed.kubeconfig, SHELL, images)

    def load(self, archive: Path) -> str:
        """The reference of the pushed image, by the digest that the archive has.

        Raises:
            UnavailableError: nobody said where the images are.
        """
        if self.images is None:
            raise UnavailableError(f"push {archive} unchanged and name its folder in {IMAGES}")
        reference, digest = next(iter(busybox.references(archive).items()))
        return busybox.pinned(f"{self.images}/{reference.rpartition('/')[2]}", digest)
