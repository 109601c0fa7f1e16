"""How many CPUs this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path


def granted(cgroup: str = "/sys/fs/cgroup") -> int:
    """The CPUs that affinity and the cgroup's quota grant, at least 1.

    Reads cgroup v2 (`cpu.max`) and v1 (`cpu.cfs_quota_us`) as they appear in a container.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota(Path(cgroup))
    return max(1, min(available or 1, quota or available or 1))


def _quota(cgroup: Path) -> int | None:
    """Whole CPUs of the quota, rounded up; None without one."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        limit, period = (
            _read(cgroup / "cpu/cpu.cfs_quota_us"),
            _read(cgroup / "cpu/cpu.cfs_period_us"),
        )
    try:
        quota = int(limit) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return math.ceil(quota) if quota > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
