"""The bytes come in order, whoever read them; of slow storage several reads at a time."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.unit.farstorage import Storage
from verifier_cli.model import reading
from verifier_cli.model.reading import CHUNK_BYTES, IN_FLIGHT, Buffers, Readers, Stream
from verifier_cli.model.waiting import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Storage:
    return Storage(0.005).install(monkeypatch)


@contextmanager
def streaming(
    path: Path, start: int, end: int, *, in_flight: int = 4, buffers: Buffers | None = None
) -> Iterator[Stream]:
    readers = Readers(in_flight)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        stream = Stream(descriptor, start, end, buffers or Buffers(), readers)
        try:
            yield stream
        finally:
            stream.close()
    finally:
        os.close(descriptor)
        readers.close()


def whole(stream: Stream) -> bytes:
    data = b""
    while chunk := stream.next():
        data += chunk
    return data


def content(size: int) -> bytes:
    """No two chunks of it are alike, and the shorter is the beginning of the longer."""
    return hashlib.shake_128().digest(size)


SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 11 * CHUNK_BYTES + 7]


@pytest.mark.parametrize("size", SIZES)
def test_from_memory(tmp_path: Path, size: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(content(size))
    with streaming(path, 0, size) as stream:
        assert whole(stream) == content(size)


@pytest.mark.parametrize("in_flight", [1, 2, 5])
@pytest.mark.parametrize("size", SIZES)
def test_from_far_away(tmp_path: Path, slow: Storage, size: int, in_flight: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(content(size))
    with streaming(path, 0, size, in_flight=in_flight) as stream:
        assert whole(stream) == content(size)
    assert slow.most <= in_flight
    if size > 8 * CHUNK_BYTES and in_flight > 1:
        assert slow.most > 1


@pytest.mark.parametrize(("start", "end"), [(0, 7), (5, 6 * CHUNK_BYTES), (CHUNK_BYTES, 9 << 20)])
@pytest.mark.usefixtures("slow")
def test_a_part_of_a_file(tmp_path: Path, start: int, end: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(content(10 << 20))
    with streaming(path, start, end) as stream:
        assert whole(stream) == content(10 << 20)[start:end]


def test_it_is_seen_when_storage_is_far_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(0.05)
    monkeypatch.setattr(os, "preadv", storage.preadv)
    path = tmp_path / "f"
    path.write_bytes(content(20 << 20))
    with streaming(path, 0, 20 << 20) as stream:
        assert whole(stream) == content(20 << 20)
    assert storage.most > 1


@pytest.mark.parametrize(("waited", "ahead"), [(0.0, False), (0.4, False), (0.6, True)])
def test_who_waits_for_half_of_the_time_has_it_read_ahead(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    waited: float,
    ahead: bool,  # noqa: FBT001
) -> None:
    """From memory, a thread that reads ahead would only cost."""
    monkeypatch.setattr(Watch, "waited", lambda _: waited)
    monkeypatch.setattr(reading, "_TRIAL_SECONDS", 0.0)
    path = tmp_path / "f"
    path.write_bytes(content(20 << 20))
    with streaming(path, 0, 20 << 20) as stream:
        for _ in range(10):
            stream.next()
        assert stream._is_ahead is ahead


def test_memory_is_bounded(tmp_path: Path, slow: Storage) -> None:
    path = tmp_path / "f"
    path.write_bytes(content(40 << 20))
    buffers = Buffers()
    with streaming(path, 0, 40 << 20, in_flight=IN_FLIGHT, buffers=buffers) as stream:
        assert whole(stream) == content(40 << 20)
    assert 2 < slow.most <= IN_FLIGHT
    assert len(buffers._free) <= IN_FLIGHT + 1


@pytest.mark.parametrize("left", [0, 1, 3 * CHUNK_BYTES, 9 * CHUNK_BYTES + 1])
@pytest.mark.usefixtures("slow")
def test_a_file_that_ends_early(tmp_path: Path, left: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(content(left))
    with streaming(path, 0, 20 << 20) as stream:
        data = b"".join(bytes(stream.next()) for _ in range(25))
        assert data == content(left)
        assert not stream.next()


def test_what_the_system_refuses(tmp_path: Path, slow: Storage) -> None:
    def refuse(offset: int) -> None:
        if offset == 9 * CHUNK_BYTES:
            raise OSError(5, "Input/output error")

    path = tmp_path / "f"
    path.write_bytes(content(20 << 20))
    slow.before = refuse
    with streaming(path, 0, 20 << 20) as stream:
        data = b"".join(bytes(stream.next()) for _ in range(9))
        with pytest.raises(OSError, match="Input/output"):
            stream.next()
    assert data == content(9 << 20)


def test_when_it_is_closed_nobody_reads_any_more(tmp_path: Path, slow: Storage) -> None:
    """Else a thread would read from whatever file has the number of this one by then."""
    path = tmp_path / "f"
    path.write_bytes(content(40 << 20))
    with streaming(path, 0, 40 << 20) as stream:
        for _ in range(6):
            stream.next()
        slow.seconds = 0.2
        stream.next()
        while not slow.now:
            time.sleep(0.001)
        stream.close()
        assert not slow.now


@pytest.mark.usefixtures("slow")
def test_where_no_threads_are_granted_it_is_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    path = tmp_path / "f"
    path.write_bytes(content(20 << 20))
    with streaming(path, 0, 20 << 20) as stream:
        assert whole(stream) == content(20 << 20)


def test_reads_that_bring_less_than_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems give what they have."""
    read = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda fd, views, offset: read(fd, [views[0][:300_001]], offset)
    )
    path = tmp_path / "f"
    path.write_bytes(content(3 << 20))
    with streaming(path, 0, 3 << 20) as stream:
        assert whole(stream) == content(3 << 20)


def test_those_who_read_ahead_share(tmp_path: Path, slow: Storage) -> None:
    """Else memory would grow with the files that are read at a time."""
    path = tmp_path / "f"
    path.write_bytes(content(40 << 20))
    buffers, readers = Buffers(), Readers(4)
    with path.open("rb") as file:
        streams = [Stream(file.fileno(), 0, 40 << 20, buffers, readers) for _ in range(3)]
        for _ in range(40):
            assert len({bytes(stream.next()) for stream in streams}) == 1
        assert readers.share == 1
        for stream in streams:
            stream.close()
        assert readers.share == 4
    readers.close()
    assert slow.most <= 4
    # While the first reads ahead by itself it has four; later each has one ahead and one in use.
    assert len(buffers._free) <= 4 + 2 + 3


def test_an_interrupted_wait_gives_no_buffer_away(tmp_path: Path, slow: Storage) -> None:
    """Its chunk is still being read: another file's bytes would be written over."""
    path = tmp_path / "f"
    path.write_bytes(content(20 << 20))
    buffers, readers = Buffers(), Readers(2)
    with path.open("rb") as file:
        stream = Stream(file.fileno(), 0, 20 << 20, buffers, readers)
        for _ in range(6):
            stream.next()
        chunk, _buffer = stream._ahead[0]
        wait, chunk.wait = chunk.wait, interrupted  # type: ignore[method-assign]
        free = len(buffers._free)
        with pytest.raises(KeyboardInterrupt):
            stream.next()
        assert len(buffers._free) <= free + 1  # that which was in use
        chunk.wait = wait  # type: ignore[method-assign]
        stream.close()
        assert not slow.now
    readers.close()


def interrupted() -> memoryview:
    raise KeyboardInterrupt


def test_readers_that_were_ended_start_again() -> None:
    readers = Readers(2)
    for _ in range(2):
        assert readers.join()
        readers.leave()
        readers.close()
    assert readers.share == 2


def test_a_stream_that_does_not_begin_is_closed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    with streaming(tmp_path / "f", 0, 1):
        pass
    assert reading.Buffers().take().nbytes == CHUNK_BYTES
