"""Images that need no registry: busybox, and under another name the process that keeps a pod."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import Any

PROGRAM = Path("/bin/busybox")
BUSYBOX = "localhost/busybox:local"
PAUSE = "localhost/pause:local"
REFERENCE = "org.opencontainers.image.ref.name"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
Json = dict[str, Any]

IMAGES: dict[str, Json] = {
    BUSYBOX: {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
    PAUSE: {"Entrypoint": ["/bin/sleep", "infinity"], "User": "65535:65535"},
}


def archive(path: Path) -> Path:
    """Writes the images into one OCI archive (image-spec 1.1, image-layout.md)."""
    with tarfile.open(path, "w") as tar:
        layer = _blob(tar, LAYER, _root())
        manifests = [
            {**_image(tar, layer, config), "annotations": {REFERENCE: reference}}
            for reference, config in IMAGES.items()
        ]
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json({"schemaVersion": 2, "manifests": manifests}))
    return path


def references(path: Path) -> dict[str, str]:
    """What an OCI archive holds: the digest of each image by its reference."""
    with tarfile.open(path) as tar:
        stream = tar.extractfile("index.json")
        assert stream is not None
        manifests = json.load(stream)["manifests"]
    return {manifest["annotations"][REFERENCE]: manifest["digest"] for manifest in manifests}


def pinned(reference: str, digest: str) -> str:
    """The same image by its digest, without the tag."""
    return f"{reference.rpartition(':')[0]}@{digest}"


def _root() -> bytes:
    """The files: busybox, a link to it for each of its commands, and /tmp."""
    listed = subprocess.run((PROGRAM, "--list"), capture_output=True, text=True, check=True)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        _add(tar, "bin/busybox", PROGRAM.read_bytes(), 0o755)
        for name in sorted(set(listed.stdout.split()) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name, mode in (("etc", 0o755), ("tmp", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
    return written.getvalue()


def _image(tar: tarfile.TarFile, layer: Json, config: Json) -> Json:
    described = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    made = {"config": _blob(tar, CONFIG, _json(described)), "layers": [layer]}
    return _blob(tar, MANIFEST, _json({"schemaVersion": 2, "mediaType": MANIFEST, **made}))


def _blob(tar: tarfile.TarFile, kind: str, content: bytes) -> Json:
    digest = hashlib.sha256(content).hexdigest()
    _add(tar, f"blobs/sha256/{digest}", content)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _json(document: Json) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
