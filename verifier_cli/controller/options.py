"""What the installation sets, from the environment (docs/reference/controller.md)."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier_cli.host.environment import choice, log_level, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier_cli.host.logs import Level

RESYNC_SECONDS = 300
_DAY = 86400
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Options:
    """How the controller runs.

    Attributes:
        holder: the name that the lease is held by.
        resync: seconds after which everything is listed anew.
        keeps: whether the webhook's certificate is the controller's business.
        bind: address of metrics and health; None for all.
        port: of metrics and health; 0 lets the system choose.
    """

    holder: str
    resync: int
    keeps: bool
    bind: str | None
    port: int
    log_level: Level


def options(environ: Mapping[str, str]) -> Options:
    """Reads the variables `MODEL_VERIFY_…`.

    Raises:
        SettingError: one of them is wrong.
    """
    resync = number(
        environ, "MODEL_VERIFY_RESYNC_SECONDS", default=RESYNC_SECONDS, least=1, most=_DAY
    )
    return Options(
        holder=environ.get("POD_NAME") or socket.gethostname(),
        resync=resync,
        keeps=choice(environ, "MODEL_VERIFY_CERTIFICATES", ("own", "external")) == "own",
        bind=environ.get("MODEL_VERIFY_BIND") or None,
        port=number(environ, "MODEL_VERIFY_METRICS_PORT", 8080, least=0, most=_LAST_PORT),
        log_level=log_level(environ, "MODEL_VERIFY_LOG_LEVEL"),
    )
