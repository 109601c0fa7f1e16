"""SHA-256 (FIPS 180-4) of two messages at a time on one CPU, for model-verify.

`LANES` is 2 where the processor can do it, else 0, and then nothing else here can be used.
"""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

_BLOCK = 64
_START = (
    *(0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A),
    *(0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19),
)
_State = ctypes.c_uint32 * 8

_library = ctypes.CDLL(str(Path(__file__).with_name("sha256.so")))
_one, _two = _library.model_verify_sha256_one, _library.model_verify_sha256_two
_one.restype = _two.restype = None
_one.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_two.argtypes = (*(ctypes.c_void_p,) * 4, ctypes.c_size_t)
_library.model_verify_sha256_lanes.restype = ctypes.c_uint32

LANES: int = _library.model_verify_sha256_lanes()


class Sha256:
    """A hash like those of hashlib, of buffers that can be written to, such as a bytearray.

    Attributes:
        state: the eight words.
        tail: the bytes after the last whole block.
        length: how many bytes were fed.
    """

    __slots__ = ("length", "state", "tail")

    def __init__(self) -> None:
        """Starts with nothing.

        Raises:
            NotImplementedError: the processor cannot do it.
        """
        if not LANES:
            raise NotImplementedError("this processor has no SHA extensions")
        self.state = _State(*_START)
        self.tail = bytearray()
        self.length = 0

    def update(self, data: memoryview | bytearray) -> None:
        """Feeds bytes."""
        data = memoryview(data).cast("B")
        self.length += len(data)
        if self.tail:
            missing = _BLOCK - len(self.tail)
            self.tail += data[:missing]
            data = data[missing:]
            if len(self.tail) < _BLOCK:
                return
            _feed(self.state, self.tail)
            self.tail = bytearray()
        whole = len(data) - len(data) % _BLOCK
        _feed(self.state, data[:whole])
        self.tail += data[whole:]

    def digest(self) -> bytes:
        """The 32 bytes of the digest of what was fed so far."""
        state = _State(*self.state)
        padding = b"\x80" + bytes(-(len(self.tail) + 9) % _BLOCK)
        _feed(state, self.tail + padding + struct.pack(">Q", 8 * self.length))
        return struct.pack(">8I", *state)


def _feed(state: ctypes.Array[ctypes.c_uint32], blocks: memoryview | bytearray) -> None:
    if blocks:
        _one(ctypes.addressof(state), _address(blocks), len(blocks) // _BLOCK)


def _address(data: memoryview | bytearray) -> int:
    # Whoever calls holds the data while it is used.
    return ctypes.addressof(ctypes.c_char.from_buffer(data))


def update_both(one: Sha256, data: memoryview, other: Sha256, others: memoryview) -> None:
    """Feeds `data` to `one` and `others` to `other`: two blocks at a time while both last."""
    both = min(len(data), len(others)) // _BLOCK * _BLOCK
    if one is other or one.tail or other.tail:
        both = 0
    if both:
        states = ctypes.addressof(one.state), ctypes.addressof(other.state)
        _two(*states, _address(data), _address(others), both // _BLOCK)
        one.length += both
        other.length += both
    one.update(data[both:])
    other.update(others[both:])
