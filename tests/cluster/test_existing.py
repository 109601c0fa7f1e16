"""Images for a cluster that is there already."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from images.tools import UnavailableError
from tests.cluster.busybox import REFERENCE
from tests.cluster.existing import Existing

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """No more of an OCI archive than its index."""
    annotations = {REFERENCE: "localhost/model-verify/verifier:dev"}
    index = json.dumps({"manifests": [{"digest": DIGEST, "annotations": annotations}]}).encode()
    path = tmp_path / "verifier.oci.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("index.json")
        entry.size = len(index)
        tar.addfile(entry, io.BytesIO(index))
    return path


def cluster(directory: Path, images: str | None) -> Existing:
    return Existing(directory, directory, "https://example.com", directory, "busybox", images)


def test_an_image_is_taken_from_where_it_was_pushed(archive: Path) -> None:
    taken = cluster(archive.parent, "registry.example.com/folder").load(archive)
    assert taken == f"registry.example.com/folder/verifier@{DIGEST}"


def test_nobody_said_where(archive: Path) -> None:
    with pytest.raises(UnavailableError, match="MODEL_VERIFY_TEST_IMAGES"):
        cluster(archive.parent, None).load(archive)
