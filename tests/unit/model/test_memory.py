"""Memory grows with the number of files by little, and not at all with their bytes."""

from __future__ import annotations

import hashlib
import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING

from verifier_cli.model.compare import compare_names
from verifier_cli.model.digest import Digester
from verifier_cli.model.progress import Progress
from verifier_cli.model.root import Root
from verifier_cli.model.waiting import Watch
from verifier_cli.model.walk import Walk
from verifier_cli.signature.serialization import Piece

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


# Beyond the signed manifest: names, stamps, and what is still to be done.
BYTES_A_FILE = 200


def small(model: Path, count: int) -> dict[str, tuple[Piece, ...]]:
    """A model of `count` files, 200 in a directory, with names as they are."""
    signed: dict[str, tuple[Piece, ...]] = {}
    for number in range(count):
        name = f"checkpoint-{number // 200:05}/shard-{number:08}.bin"
        path = model / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
        signed[name] = (Piece(0, None, hashlib.sha256(b"1").digest()),)
    return signed


def peak(model: Path, signed: dict[str, tuple[Piece, ...]]) -> int:
    """Bytes that walking, comparing and hashing took at most, all at a time."""
    manifest = SimpleNamespace(files=signed, sharded=False)
    tracemalloc.start()
    try:
        with Root(str(model)) as root:
            tree = Walk(root, ignore=frozenset(), skip=frozenset(), follow=False).run()
            wanted, findings = compare_names(manifest, tree, frozenset(), tolerate_unsigned=False)
            found = Digester(root, tree, "sha256", Progress()).run(wanted, 2)
        assert (findings, found.findings, found.equal) == ([], [], len(signed))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_by_the_file(tmp_path: Path) -> None:
    few, many = (tmp_path / "few", tmp_path / "many")
    growth = peak(many, small(many, 7000)) - peak(few, small(few, 1000))
    assert growth / 6000 < BYTES_A_FILE


def test_not_by_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "waited", lambda _: 0.0)  # on a busy machine, too
    sizes = (8 << 20, 64 << 20)
    peaks = []
    for size in sizes:
        model = tmp_path / str(size)
        model.mkdir()
        with (model / "f").open("wb") as file:
            file.truncate(size)
        digest = hashlib.sha256(bytes(size)).digest()
        peaks.append(peak(model, {"f": (Piece(0, None, digest),)}))
    assert abs(peaks[1] - peaks[0]) < 100_000
