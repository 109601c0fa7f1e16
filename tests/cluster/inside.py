"""Process 1 of the node's PID and mount namespaces: when it ends, the kernel ends all the others.

`node.node` starts it and holds a pipe to it, into which nobody writes. However the starter ends,
the pipe closes, and with it goes the node.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.cluster import components
from tests.cluster.certificates import Authority
from tests.cluster.components import NAME
from tests.cluster.controlplane import control_plane
from tests.cluster.machine import FOLDERS

# What the kubelet wants, or sets. It sees these, and the machine's stay as they are.
SETTINGS = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}


def main() -> None:
    """Starts everything, says so by the file `ready`, and stays until the pipe closes."""
    directory, programs = (Path(argument) for argument in sys.argv[1:])
    threading.Thread(target=end_with_the_starter, daemon=True).start()
    mounts(directory / "own")
    authority = Authority.new(directory)
    with contextlib.ExitStack() as started:
        started.enter_context(components.containerd(directory, programs))
        options = components.server_options(authority)
        server = started.enter_context(control_plane(directory, programs, authority, *options))
        started.enter_context(components.relay(server))
        controllers = started.enter_context(components.controllers(server, authority))
        started.enter_context(components.scheduler(server, authority))
        kubelet = started.enter_context(components.kubelet(server, authority))
        ready = ("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=1s")
        kubelet.wait_until(lambda: server.says(*ready))
        controllers.wait_until(lambda: server.says("get", "serviceaccount", "default"))
        (directory / "ready").touch()
        # Process 1 buries the orphans.
        while True:
            os.wait()


def end_with_the_starter() -> None:
    """Reads the pipe to its end, and ends everything."""
    sys.stdin.buffer.read()
    os._exit(0)


def mounts(own: Path) -> None:
    """Puts folders of the node's own where its daemons write, and hides kernel settings."""
    # Of this namespace alone, and shared within it: volumes may want mounts to propagate.
    _mount("--make-rprivate", "/")
    _mount("--make-rshared", "/")
    for folder in FOLDERS:
        mine = own / folder.lstrip("/")
        mine.mkdir(parents=True)
        _mount("--bind", str(mine), folder)
    for name, value in SETTINGS.items():
        shown = own / "settings" / name
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text(f"{value}\n", encoding="ascii")
        _mount("--bind", str(shown), f"/proc/sys/{name}")


def _mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True)


if __name__ == "__main__":
    main()
