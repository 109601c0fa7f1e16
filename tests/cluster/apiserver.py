"""What tests ask of a cluster: objects made, looked at, waited for and removed, by kubectl."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]

WAIT_SECONDS = 120


class Refused(Exception):  # noqa: N818  (an answer, not an error)
    """What the API server said when it did not take an object."""


@dataclass(frozen=True)
class ApiServer:
    """A running API server.

    Attributes:
        directory: its state; gone when it ends.
        programs: where kubectl and the others are.
        url: its address.
        kubeconfig: of an administrator.
    """

    directory: Path
    programs: Path
    url: str
    kubeconfig: Path

    def kubectl(
        self, *arguments: str, stdin: object = None, check: bool = True, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as the administrator; `stdin` is sent as JSON."""
        ran = subprocess.run(
            (
                self.programs / "kubectl",
                f"--kubeconfig={self.kubeconfig}",
                f"--cache-dir={self.directory / 'kubectl'}",
                *arguments,
            ),
            input=None if stdin is None else json.dumps(stdin),
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if check and ran.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}\n{ran.stdout}{ran.stderr}")
        return ran

    def says(self, *arguments: str) -> bool:
        """Whether kubectl succeeds."""
        return not self.kubectl(*arguments, check=False).returncode

    def get(self, *arguments: str) -> Json:
        """What `kubectl get` says, as JSON."""
        found: Json = json.loads(self.kubectl("get", "--output=json", *arguments).stdout)
        return found

    def create(self, document: Json) -> Json:
        """Creates an object and returns it as the server has it.

        Raises:
            Refused: the server does not take it.
        """
        return self._send("create", document)

    def apply(self, document: Json) -> Json:
        """Creates or changes an object and returns it as the server has it.

        Raises:
            Refused: the server does not take it.
        """
        return self._send("apply", document)

    def delete(self, *arguments: str) -> None:
        """Removes what `kubectl delete` would remove, and waits until it is gone."""
        limit = f"--timeout={WAIT_SECONDS}s"
        self.kubectl("delete", "--wait", limit, *arguments, seconds=WAIT_SECONDS + 30)

    def wait(self, condition: str, *arguments: str) -> Json:
        """Waits as `kubectl wait --for` does and returns the object.

        Args:
            condition: as in `condition=Ready`, `create` or `jsonpath={.status.phase}=Failed`.
        """
        asked = ("wait", f"--for={condition}", f"--timeout={WAIT_SECONDS}s", "--output=json")
        ran = self.kubectl(*asked, *arguments, seconds=WAIT_SECONDS + 30)
        found: Json = json.loads(ran.stdout)
        return found

    def get_until(self, holds: Callable[[Json], object], *arguments: str) -> Json:
        """Asks as `get` does until what the server says holds, and returns it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds(found := self.get(*arguments)):
            if time.monotonic() > deadline:
                raise AssertionError(f"get {' '.join(arguments)} stays at {json.dumps(found)}")
            time.sleep(0.2)
        return found

    def _send(self, verb: str, document: Json) -> Json:
        ran = self.kubectl(verb, "--output=json", "--filename=-", stdin=document, check=False)
        if ran.returncode:
            raise Refused(ran.stderr)
        sent: Json = json.loads(ran.stdout)
        return sent
