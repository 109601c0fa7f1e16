"""Every signed byte is read once; a file is equal only when each of its pieces was compared."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.unit.descriptors import descriptors
from tests.unit.farstorage import Storage
from tests.unit.signing import digest, write_tree
from tests.unit.unprivileged import open_directory, unprivileged
from verifier_cli.model import digest as module
from verifier_cli.model import large, reading
from verifier_cli.model.digest import Comparison, Digester
from verifier_cli.model.progress import Cancelled, Progress
from verifier_cli.model.root import Root
from verifier_cli.model.stability import Wanted
from verifier_cli.model.walk import Walk
from verifier_cli.signature.serialization import Piece
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGE = bytes(range(256)) * 1024  # above SMALL_BYTES: read in pieces, by its own job
HUGE = LARGE * 12  # above MIN_PARALLEL_BYTES together: read by several threads


def pieces(data: bytes, size: int | None = None, algorithm: str = "sha256") -> tuple[Piece, ...]:
    if size is None:
        return (Piece(0, None, bytes.fromhex(digest(data, algorithm))),)
    return tuple(
        Piece(
            start,
            min(start + size, len(data)),
            bytes.fromhex(digest(data[start : start + size], algorithm)),
        )
        for start in range(0, len(data), size)
    )


class Meddler(Progress):
    """Does something to the model after so many bytes."""

    def __init__(self, change: object = None) -> None:
        super().__init__()
        self._change = change

    def advance(self, count: int) -> None:
        super().advance(count)
        if callable(self._change):
            change, self._change = self._change, None
            change()


def run(  # noqa: PLR0913
    model: Path,
    signed: Mapping[str, tuple[Piece, ...]],
    *,
    algorithm: str = "sha256",
    workers: int = 1,
    progress: Progress | None = None,
    before: object = None,
) -> Comparison:
    with Root(str(model)) as root:
        tree = Walk(root, ignore=frozenset(), skip=frozenset(), follow=False).run()
        digester = Digester(root, tree, algorithm, progress or Progress())
        wanted = [
            Wanted(each, [signed[name] for name in each.named()])
            for listing in tree.listings
            for each in [
                listing.only([i for i, name in enumerate(listing.named()) if name in signed])
            ]
        ]
        if callable(before):
            before()
        return digester.run(wanted, workers)


FILES = {"a": b"1", "empty": b"", "d/large": LARGE, "d/e/b": b"3" * 1000}


@pytest.mark.parametrize("algorithm", ["sha256", "blake2b", "blake3"])
def test_equal_files(tmp_path: Path, algorithm: str) -> None:
    write_tree(tmp_path, FILES)
    progress = Progress()
    signed = {name: pieces(data, algorithm=algorithm) for name, data in FILES.items()}
    found = run(tmp_path, signed, algorithm=algorithm, progress=progress)
    size = sum(len(data) for data in FILES.values())
    assert found == Comparison(equal=4, bytes=size, findings=[])
    assert (progress.total, progress.done) == (size, size)


@pytest.mark.parametrize("size", [1, 1000, len(LARGE), len(LARGE) + 1])
def test_equal_shards(tmp_path: Path, size: int) -> None:
    data = LARGE[:5000] if size == 1 else LARGE
    write_tree(tmp_path, {"f": data})
    found = run(tmp_path, {"f": pieces(data, size)})
    assert found == Comparison(equal=1, bytes=len(data), findings=[])


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_several_threads(tmp_path: Path, workers: int) -> None:
    files = {f"f{index}": HUGE + bytes([index]) for index in range(3)} | FILES
    write_tree(tmp_path, files)
    signed = {name: pieces(data) for name, data in files.items()}
    signed["f1"] = pieces(files["f1"], 1 << 20)
    found = run(tmp_path, signed, workers=workers)
    assert (found.equal, found.findings) == (7, [])
    (tmp_path / "f1").write_bytes(b"x" + files["f1"][1:])
    found = run(tmp_path, signed, workers=workers)
    assert found.equal == 6
    assert [(finding.path, finding.code) for finding in found.findings] == [
        ("f1", Code.FILE_MODIFIED)
    ]


@pytest.mark.parametrize("name", ["a", "empty", "d/large", "d/e/b"])
def test_a_changed_file(tmp_path: Path, name: str) -> None:
    write_tree(tmp_path, FILES)
    other = FILES[name] + b"!"
    (tmp_path / name).write_bytes(other)
    found = run(tmp_path, {each: pieces(data) for each, data in FILES.items()})
    assert found.equal == 3
    assert found.bytes == sum(len(data) for each, data in FILES.items() if each != name)
    (finding,) = found.findings
    assert (finding.code, finding.path) == (Code.FILE_MODIFIED, name)
    assert (finding.expected, finding.actual) == (digest(FILES[name]), digest(other))


@pytest.mark.parametrize("position", [0, 999, 1000, 2500, len(LARGE) - 1])
def test_a_changed_shard_is_named(tmp_path: Path, position: int) -> None:
    changed = bytearray(LARGE)
    changed[position] ^= 1
    write_tree(tmp_path, {"f": bytes(changed)})
    found = run(tmp_path, {"f": pieces(LARGE, 1000)})
    (finding,) = found.findings
    start = position // 1000 * 1000
    assert f"between bytes {start} and {min(start + 1000, len(LARGE))}" in finding.detail
    assert (found.equal, found.bytes) == (0, 0)


def test_a_file_of_another_size_than_its_shards(tmp_path: Path) -> None:
    write_tree(tmp_path, {"f": LARGE + b"x"})
    progress = Progress()
    found = run(tmp_path, {"f": pieces(LARGE, 1000)}, progress=progress)
    assert [finding.code for finding in found.findings] == [Code.FILE_MODIFIED]
    assert progress.done == 0, "its size said it all"


SMALL, BIG = {"f": b"12345"}, {"f": LARGE}


@pytest.mark.parametrize("files", [SMALL, BIG], ids=["small", "large"])
@pytest.mark.parametrize("change", ["write", "truncate", "append", "replace", "unlink", "link"])
def test_a_file_that_changes_before_it_is_opened(
    tmp_path: Path, files: dict[str, bytes], change: str
) -> None:
    """The other file is hashed first; while it is, this one is changed."""
    write_tree(tmp_path, {**files, "first": LARGE * 2})
    path = tmp_path / "f"

    def meddle() -> None:
        if change == "write":
            path.write_bytes(b"x" * len(files["f"]))
        elif change == "truncate":
            os.truncate(path, 1)
        elif change == "append":
            with path.open("ab") as file:
                file.write(b"x")
        elif change == "replace":
            (tmp_path / "new").write_bytes(files["f"])
            (tmp_path / "new").rename(path)
        else:
            path.rename(tmp_path / "moved")
            if change == "link":
                path.symlink_to("moved")

    signed = {"f": pieces(files["f"]), "first": pieces(LARGE * 2)}
    found = run(tmp_path, signed, progress=Meddler(meddle))
    by_path = {finding.path: finding.code for finding in found.findings}
    assert by_path["f"] is Code.CHANGED_WHILE_READ
    assert found.equal == 1


@pytest.mark.parametrize("change", ["overwrite the head", "shorten"])
def test_a_large_file_that_changes_while_it_is_read(tmp_path: Path, change: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(HUGE)

    def meddle() -> None:
        if change == "shorten":
            os.truncate(path, len(HUGE) // 2)
            return
        with path.open("r+b") as file:
            file.write(b"x" * 100)

    found = run(tmp_path, {"f": pieces(HUGE)}, progress=Meddler(meddle))
    assert {finding.code for finding in found.findings} == {Code.CHANGED_WHILE_READ}
    assert found.equal == 0


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Storage:
    return Storage(0.003).install(monkeypatch)


FAR = LARGE * 64  # 16 chunks


def test_from_far_away(tmp_path: Path, far: Storage) -> None:
    write_tree(tmp_path, {"f": FAR, "g": FAR + b"1"} | FILES)
    signed = {name: pieces(data) for name, data in FILES.items()}
    signed |= {"f": pieces(FAR, 3 << 20), "g": pieces(FAR + b"1")}
    found = run(tmp_path, signed, workers=2)
    assert (found.equal, found.findings) == (6, [])
    assert far.most > 2
    (tmp_path / "g").write_bytes(FAR + b"2")
    found = run(tmp_path, signed, workers=2)
    assert [(each.path, each.code) for each in found.findings] == [("g", Code.FILE_MODIFIED)]


@pytest.mark.parametrize("change", ["overwrite what is ahead", "shorten", "refuse"])
def test_what_happens_while_it_is_read_ahead(tmp_path: Path, far: Storage, change: str) -> None:
    path, done = tmp_path / "f", [False]
    path.write_bytes(FAR)

    def meddle(offset: int) -> None:
        if offset < 8 << 20 or done[0]:
            return
        done[0] = change != "refuse"
        if change == "refuse":
            raise OSError(5, "Input/output error")
        if change == "shorten":
            os.truncate(path, 9 << 20)
        else:
            with path.open("r+b") as file:
                file.seek(15 << 20)
                file.write(b"x" * 100)

    far.before = meddle
    before = descriptors()
    found = run(tmp_path, {"f": pieces(FAR)})
    assert descriptors() == before
    expected = Code.UNREADABLE if change == "refuse" else Code.CHANGED_WHILE_READ
    assert {finding.code for finding in found.findings} == {expected}
    assert found.equal == 0
    assert far.most > 2


@pytest.mark.usefixtures("far")
def test_whoever_watches_can_cancel_what_is_read_ahead(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(FAR)

    class Cancelling(Progress):
        def advance(self, count: int) -> None:
            super().advance(count)
            self.cancelled = self.done > 8 << 20

    before = descriptors()
    with pytest.raises(Cancelled):
        run(tmp_path, {"f": pieces(FAR)}, progress=Cancelling())
    assert descriptors() == before


@pytest.mark.parametrize("slow", [False, True])
def test_memory_is_bounded_on_any_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    slow: bool,  # noqa: FBT001
) -> None:
    made: list[memoryview] = []

    class Counting(reading.Buffers):
        def take(self) -> memoryview:
            buffer = super().take()
            if not any(buffer is each for each in made):
                made.append(buffer)
            return buffer

    monkeypatch.setattr(large, "Buffers", Counting)
    if slow:
        Storage(0.003).install(monkeypatch)
    (tmp_path / "f").write_bytes(FAR)
    found = run(tmp_path, {"f": pieces(FAR, 200_000)}, workers=64)
    assert (found.equal, found.findings) == (1, [])
    assert len(made) <= large.MOST_LANES + reading.IN_FLIGHT


def test_a_fault_of_closing_is_one_of_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems tell of a failed read only then."""
    (tmp_path / "f").write_bytes(FAR)
    close = reading.Stream.close

    def failing(stream: reading.Stream) -> None:
        close(stream)
        monkeypatch.setattr(os, "close", fail)

    closed = os.close

    def fail(descriptor: int) -> None:
        monkeypatch.setattr(os, "close", closed)
        closed(descriptor)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(reading.Stream, "close", failing)
    found = run(tmp_path, {"f": pieces(FAR)})
    assert [(each.path, each.code) for each in found.findings] == [("f", Code.UNREADABLE)]
    assert found.equal == 0


def test_a_verified_model_is_a_warm_one(tmp_path: Path) -> None:
    """What was read stays in memory, for whoever loads the model next."""
    path = tmp_path / "f"
    path.write_bytes(FAR)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        run(tmp_path, {"f": pieces(FAR)})
        for offset in range(0, len(FAR), 1 << 20):
            # Only what is there at once: EAGAIN for what would have to be fetched.
            found = os.preadv(file.fileno(), [bytearray(4096)], offset, os.RWF_NOWAIT)
            assert found == 4096


def test_a_file_that_is_added_meanwhile(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    signed = {name: pieces(data) for name, data in FILES.items()}
    meddler = Meddler((tmp_path / "d/e/planted").touch)
    found = run(tmp_path, signed, progress=meddler)
    assert [(finding.path, finding.code) for finding in found.findings] == [
        ("d/e", Code.CHANGED_WHILE_READ)
    ]


def test_a_directory_that_vanishes_between_stamp_and_read(tmp_path: Path) -> None:
    write_tree(tmp_path, {"first": LARGE, "d/f": LARGE, "d/small": b"1"})
    signed = {name: pieces(LARGE) for name in ("first", "d/f")} | {"d/small": pieces(b"1")}
    meddler = Meddler(lambda: (tmp_path / "d").rename(tmp_path / "e"))
    found = run(tmp_path, signed, progress=meddler)
    assert {f.path for f in found.findings} >= {"d/f", "d/small"}
    assert {f.code for f in found.findings} == {Code.CHANGED_WHILE_READ}


def test_what_vanished_before_the_first_stamp(tmp_path: Path) -> None:
    write_tree(tmp_path, SMALL)
    found = run(tmp_path, {"f": pieces(b"12345")}, before=(tmp_path / "f").unlink)
    assert found.equal == 0
    assert {f.code for f in found.findings} == {Code.CHANGED_WHILE_READ}


@pytest.mark.parametrize("data", [b"12345", LARGE], ids=["small", "large"])
def test_a_file_that_cannot_be_read(data: bytes) -> None:
    with open_directory() as model:
        write_tree(model, {"f": data, "g": data})
        (model / "f").chmod(0)
        with unprivileged():
            found = run(model, {"f": pieces(data), "g": pieces(data)})
    assert [(f.path, f.code) for f in found.findings] == [("f", Code.UNREADABLE)]
    assert found.equal == 1
    assert "permission denied" in found.findings[0].detail


def test_whoever_watches_can_cancel(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    progress = Progress()
    progress.cancelled = True
    with pytest.raises(Cancelled):
        run(tmp_path, {name: pieces(data) for name, data in FILES.items()}, progress=progress)


def test_many_small_files_go_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 3)
    files = {f"{index}": bytes([index]) for index in range(10)}
    write_tree(tmp_path, files)
    found = run(tmp_path, {name: pieces(data) for name, data in files.items()})
    assert (found.equal, found.findings) == (10, [])


@pytest.mark.parametrize(
    ("bits", "size", "whole"),
    [
        (["123"], 3, b"123"),
        (["12", "3"], 3, b"123"),
        (["1", "2", "3"], 3, b"123"),
        (["1234"], 3, None),
        (["12", "34"], 3, None),
        (["12", ""], 3, None),
        ([""], 3, None),
        ([""], 0, b""),
        (["1"], 0, None),
    ],
)
def test_small_files_that_come_in_bits(bits: list[str], size: int, whole: bytes | None) -> None:
    """A datagram is read at once and alone, as some network file systems give what is there."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        for bit in bits:
            theirs.send(bit.encode())
        first = ours.recv(size + 1)
        assert module._read_on(ours.fileno(), size, first) == whole


def test_nothing_to_hash(tmp_path: Path) -> None:
    assert run(tmp_path, {}) == Comparison()


def test_everything_is_closed(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    before = descriptors()
    signed = {name: pieces(data) for name, data in FILES.items()}
    run(tmp_path, signed)
    (tmp_path / "a").write_bytes(b"2")
    run(tmp_path, signed)
    assert descriptors() == before
