"""The service account by which a program in the cluster asks the API server."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from verifier_cli.kube.names import TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

# The kubelet writes a new token long before the old one ends.
_TOKEN_SECONDS = 60


@dataclass(slots=True)
class Account:
    """Where the API server is, and who asks.

    Attributes:
        url: of the API server, without a path.
        directory: of `ca.crt` and `token`, which are read again and again.
    """

    url: str
    directory: Path
    _token: str = ""
    _read: float = field(default=float("-inf"))

    def token(self) -> str:
        """The bearer token; read anew once a minute."""
        now = time.monotonic()
        if now - self._read > _TOKEN_SECONDS:
            self._token = self.directory.joinpath("token").read_text(encoding="ascii").strip()
            self._read = now
        return self._token

    def tls(self) -> ssl.SSLContext:
        """Trusts the cluster's own authority and nobody else.

        Raises:
            OSError: there is no such file, or no certificate in it.
        """
        # Not by its path: the error would not name it.
        authority = self.directory.joinpath("ca.crt").read_text(encoding="ascii")
        context = ssl.create_default_context(cadata=authority)
        # Python 3.13's default; many clusters' authorities are older than what it asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def namespace(self) -> str:
        """The namespace that the program runs in."""
        return self.directory.joinpath("namespace").read_text(encoding="utf-8").strip()

    def check(self) -> None:
        """Reads all that the kubelet gave us once, before anything depends on it.

        Raises:
            LookupError: something of it is not there, or is not what it should be.
        """
        for read in (self.tls, self.token, self.namespace):
            try:
                read()
            except (OSError, ValueError) as error:
                where = f"the service account in {self.directory}"
                raise LookupError(f"MODEL_VERIFY_SERVICE_ACCOUNT: {where}: {error}") from None


def in_cluster(environ: Mapping[str, str]) -> Account:
    """The account that a pod is given.

    `MODEL_VERIFY_SERVICE_ACCOUNT` names another directory than the kubelet's.

    Raises:
        LookupError: this is not in a pod.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise LookupError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    shown = f"[{host}]" if ":" in host else host
    directory = Path(environ.get("MODEL_VERIFY_SERVICE_ACCOUNT") or TOKEN)
    return Account(f"https://{shown}:{port}", directory)
