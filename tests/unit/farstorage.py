"""Storage where each read takes a while, behind the call that reads."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from verifier_cli.model import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest


class Storage:
    """Far away: each read takes a while, and what happens in it is counted.

    Attributes:
        most: so many reads were under way at a time.
        before: called by each read with its offset.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = self.most = 0
        self.before: Callable[[int], object] = int
        self._guard = threading.Lock()
        self._read = os.preadv

    def preadv(self, descriptor: int, views: Sequence[memoryview], offset: int) -> int:
        with self._guard:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            time.sleep(self.seconds)
            self.before(offset)
            return self._read(descriptor, views, offset)
        finally:
            with self._guard:
                self.now -= 1

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Storage:
        """Has everything be read from it, and known to be slow: a busy machine might not see it."""
        monkeypatch.setattr(os, "preadv", self.preadv)
        monkeypatch.setattr(reading, "_TRIAL_SECONDS", 0.0)
        monkeypatch.setattr(reading, "_SLOW", -1.0)
        return self
