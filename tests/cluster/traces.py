"""What of a node can be seen on this machine from outside."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.cluster import network
from tests.cluster.inside import SETTINGS
from tests.cluster.machine import CGROUP, FOLDERS, cgroup_places

PROC = Path("/proc")


def traces(directory: Path) -> dict[str, list[str]]:
    """What a node with its state in the directory could leave behind or change, by kind."""
    places = [directory, *cgroup_places(), *map(Path, FOLDERS)]
    return {
        "files": [str(place) for place in places if place.exists()],
        "firewall": _firewall(),
        "links": [link for link in network.links() if link == network.BRIDGE],
        "mounts": _lines(PROC / "self/mountinfo", str(directory)),
        "processes": [command for command in map(_command, _processes(directory)) if command],
        "routes": network.own_routes(),
        "settings": [f"{name}={(PROC / 'sys' / name).read_text().strip()}" for name in SETTINGS],
    }


def _processes(directory: Path) -> list[Path]:
    """Daemons name the directory in their command or environment; pods have their cgroup."""
    found = []
    for process in PROC.glob("[0-9]*"):
        about = [_read(process / name) for name in ("cmdline", "environ", "cgroup")]
        if str(directory) in about[0] + about[1] or CGROUP in about[2]:
            found.append(process)
    return found


def _command(process: Path) -> str:
    return _read(process / "cmdline").replace("\0", " ").strip()


def _firewall() -> list[str]:
    if shutil.which("iptables-save") is None:
        return []
    shown = subprocess.run(("iptables-save",), capture_output=True, text=True, check=True)
    return [line for line in shown.stdout.splitlines() if "KUBE" in line]


def _lines(path: Path, about: str) -> list[str]:
    return [line for line in _read(path).splitlines() if about in line]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the process has ended
        return ""
