"""What tells that a file or directory is still what it was."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STAMP = struct.Struct("=5Q")
STAMP_BYTES = _STAMP.size
_WHOLE = (1 << 64) - 1


def stamp(status: os.stat_result) -> bytes:
    """What tells that a file or directory is still the same: it, and its last change.

    `STAMP_BYTES` bytes: device, inode, size in bytes, mtime and ctime in nanoseconds, modulo 2**64:
    file systems take times that are larger or negative, but nobody sets ctime.
    """
    return _STAMP.pack(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns & _WHOLE,
        status.st_ctime_ns & _WHOLE,
    )


_REALTIME_COARSE = 5  # Linux, clock_gettime(2); Python has no name for it


def _tick() -> float:
    """Seconds that are longer than a tick of the clock that times files."""
    try:
        return 2 * time.clock_getres(_REALTIME_COARSE)
    except OSError:
        return 0.02


TICK_SECONDS = _tick()
_ATTEMPTS = 3


def settled(descriptor: int) -> os.stat_result | None:
    """What an open file or directory is, once the clock has moved on from its last change.

    Linux before 6.13 times changes by its timer, 100 to 1000 times a second. Two changes within one
    tick leave the same stamp: what was read after the first one would pass for what is there after
    the second. None if it is being changed all the time.
    """
    for _ in range(_ATTEMPTS):
        status = os.fstat(descriptor)
        if not 0 <= time.time_ns() - status.st_ctime_ns < TICK_SECONDS * 1e9:
            return status
        time.sleep(TICK_SECONDS)
    return None


def sizes_of(stamps: bytes | bytearray) -> Iterator[int]:
    """The sizes in stamps that follow one another, in bytes."""
    return (size for _, _, size, _, _ in _STAMP.iter_unpack(stamps))
