"""A target that crashes, to show that crashes are seen."""

from __future__ import annotations

from tests.fuzz.targets import Target


def _run(raw: bytes) -> bool:
    if raw == b"hang":
        while True:
            pass
    if raw == b"memory":
        return bool(bytearray(1 << 42))
    if b"crash" in raw:
        return bool(1 // 0)
    return True


TARGET = Target("self-test", _run, lambda: [b"good", b"a crash"])
