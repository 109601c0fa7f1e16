"""Has a node with the images that are built, until it is told to end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import NoReturn

from images.build import OUT
from images.tools import UnavailableError
from tests.cluster.node import node
from tests.cluster.volumes import persistent_volume

LOADED = "loaded"
# For claims without a storage class, as in the examples.
VOLUMES = 10


def main() -> None:
    """Runs the node whose state is in the directory that the command line names."""
    signal.signal(signal.SIGTERM, _end)
    directory = Path(sys.argv[1])
    try:
        with node(directory) as running:
            for number in range(VOLUMES):
                name = f"volume-{number}"
                running.create(persistent_volume(name, directory / "volumes" / name))
            images = [running.load(archive) for archive in sorted(OUT.glob("*.oci.tar"))]
            text = "".join(f"{image}\n" for image in [*images, running.busybox])
            (directory / LOADED).write_text(text, encoding="utf-8")
            signal.pause()
    except UnavailableError as error:
        sys.exit(f"no node: {error}")


def _end(*_: object) -> NoReturn:
    # Once is enough: the end is not to be broken off.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    main()
