"""What the installation sets, from the environment (docs/reference/webhook.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier_cli.host.environment import SettingError, choice, log_level, number
from verifier_cli.kube.container import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier_cli.host.logs import Level

TLS_DIRECTORY = "/etc/model-verify-webhook/tls"
_LAST_PORT = 65535
_LONGEST_DRAIN = 600
_LAST_UID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Options:
    """How the webhook runs.

    Attributes:
        image: the verifier's; None if the namespace's annotation names it.
        development: lets the image be named by a tag.
        user: the uid that the verifier runs as; None leaves it to the cluster.
        tls_directory: of `tls.crt` and `tls.key`.
        bind: address to listen on; None for all.
        port: of TLS; 0 lets the system choose, as for `metrics_port`.
        drain_seconds: how long requests are still taken after SIGTERM.
    """

    image: str | None
    development: bool
    user: int | None
    tls_directory: Path
    bind: str | None
    port: int
    metrics_port: int
    drain_seconds: int
    log_level: Level


def options(environ: Mapping[str, str]) -> Options:
    """Reads the variables `MODEL_VERIFY_…`.

    Raises:
        SettingError: one of them is wrong.
    """
    image = environ.get("MODEL_VERIFY_IMAGE") or None
    development = choice(environ, "MODEL_VERIFY_ALLOW_TAG", ("false", "true")) == "true"
    if image is not None:
        _check(image, development=development)
    return Options(
        image=image,
        development=development,
        user=_user(environ),
        tls_directory=Path(environ.get("MODEL_VERIFY_TLS_DIRECTORY") or TLS_DIRECTORY),
        bind=environ.get("MODEL_VERIFY_BIND") or None,
        port=number(environ, "MODEL_VERIFY_PORT", 8443, least=0, most=_LAST_PORT),
        metrics_port=number(environ, "MODEL_VERIFY_METRICS_PORT", 8080, least=0, most=_LAST_PORT),
        drain_seconds=number(
            environ, "MODEL_VERIFY_DRAIN_SECONDS", 10, least=0, most=_LONGEST_DRAIN
        ),
        log_level=log_level(environ, "MODEL_VERIFY_LOG_LEVEL"),
    )


def _check(image: str, *, development: bool) -> None:
    try:
        Settings(image, development=development)
    except ValueError as error:
        raise SettingError(f"MODEL_VERIFY_IMAGE: {error}") from None


def _user(environ: Mapping[str, str]) -> int | None:
    """Never root; an empty variable leaves it to the cluster."""
    if environ.get("MODEL_VERIFY_USER") == "":
        return None
    return number(environ, "MODEL_VERIFY_USER", 65532, least=1, most=_LAST_UID)
