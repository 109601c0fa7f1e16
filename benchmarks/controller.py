"""Measures the controller: `nox -s bench -- controller`.

The real process on a real API server, which shares the machine with it. This measures and never
judges; what is right is tests/cluster/test_controller_scale.py.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.admission import cpu, memory
from tests.cluster.controlplane import api_server
from tests.cluster.crowd import LONG_SECONDS, Crowd, said
from tests.cluster.installed import ADMISSION, apply, controller, eventually, manifests

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.apiserver import ApiServer
    from tests.cluster.installed import Program

NAMESPACES = 100
# What only the controller asks for, by verb and resource of the API server's metrics.
_OURS = {
    "ConfigMaps made": ("POST", "configmaps", ""),
    "ConfigMaps deleted": ("DELETE", "configmaps", ""),
    "status written": ("PATCH", "(cluster)?modelvalidations", "status"),
    "events made": ("POST", "events", ""),
}


def measure(*, scale: float = 1.0) -> list[list[str]]:
    """All rows: what, time, seconds of CPU, requests."""
    with tempfile.TemporaryDirectory() as name, api_server() as server:
        apply(server, [each for each in manifests(server) if each["kind"] not in ADMISSION])
        crowd = Crowd(server, "crowd", max(4, round(NAMESPACES * scale)))
        crowd.settle()
        with controller(server, Path(name)) as program:
            eventually(lambda: [e for e in program.events() if e["event"] == "leader.elected"])
            return _phases(crowd, program)


def _phases(crowd: Crowd, program: Program) -> list[list[str]]:
    every, under = crowd.count * 5 + 4, crowd.count
    rows = [_phase(crowd, program, f"{every} validations made", crowd.validate)]
    pods = [each for each in crowd.validations if each["metadata"]["name"] == "v-0"]

    def run() -> None:
        crowd.run(pods, [said(0)] * under)

    rows.append(_phase(crowd, program, f"{under} pods verified", run))
    half = crowd.validations[: every // 2]
    rows.append(_phase(crowd, program, f"{len(half)} changed", lambda: crowd.change(half)))
    now, most = memory(program.process.pid)
    rows.append(["memory: now, at most", "", "", f"{now:.0f}, {most:.0f} MiB"])
    return rows


def _phase(crowd: Crowd, program: Program, what: str, begin: Callable[[], None]) -> list[str]:
    """From the first request of ours until all is well, kubectl's own time included."""
    asked, used = _requests(crowd.server), cpu(program.process.pid)
    started = time.perf_counter()
    begin()
    sent = time.perf_counter() - started
    eventually(crowd.ready, seconds=LONG_SECONDS)
    took = time.perf_counter() - started
    # Verdicts are gathered for a second; old ConfigMaps go after two listings of two seconds.
    time.sleep(6)
    busy = cpu(program.process.pid) - used
    more = _requests(crowd.server) - asked
    shown = ", ".join(f"{count} {name}" for name, count in more.items())
    return [what, f"{took:.1f} s ({sent:.1f} s to send)", f"{busy:.1f} s CPU", shown]


def _requests(server: ApiServer) -> Counter[str]:
    """How many requests of the controller's the API server has counted."""
    text = server.kubectl("get", "--raw=/metrics").stdout
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("apiserver_request_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            for name, (verb, resource, below) in _OURS.items():
                same = re.fullmatch(resource, labels["resource"])
                if same and (labels["verb"], labels["subresource"]) == (verb, below):
                    found[name] += int(float(line.rsplit(" ", 1)[1]))
    return found
