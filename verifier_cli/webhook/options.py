"""What the installation sets, from the environment (docs/reference/webhook.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier_cli.host.logs import LEVELS, Level
from verifier_cli.kube.container import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

TLS_DIRECTORY = "/etc/model-verify-webhook/tls"
_LAST_PORT = 65535
_LONGEST_DRAIN = 600
_LAST_UID = 2**31 - 1


class OptionError(Exception):
    """A variable says what cannot be; the message is one sentence that names it."""


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
        OptionError: one of them is wrong.
    """
    image, development = environ.get("MODEL_VERIFY_IMAGE") or None, _development(environ)
    if image is not None:
        _check(image, development=development)
    return Options(
        image=image,
        development=development,
        user=_user(environ),
        tls_directory=Path(environ.get("MODEL_VERIFY_TLS_DIRECTORY") or TLS_DIRECTORY),
        bind=environ.get("MODEL_VERIFY_BIND") or None,
        port=_number(environ, "MODEL_VERIFY_PORT", 8443, _LAST_PORT),
        metrics_port=_number(environ, "MODEL_VERIFY_METRICS_PORT", 8080, _LAST_PORT),
        drain_seconds=_number(environ, "MODEL_VERIFY_DRAIN_SECONDS", 10, _LONGEST_DRAIN),
        log_level=_level(environ),
    )


def _development(environ: Mapping[str, str]) -> bool:
    asked = environ.get("MODEL_VERIFY_ALLOW_TAG", "")
    if asked not in ("", "true", "false"):
        raise OptionError(f"MODEL_VERIFY_ALLOW_TAG is {asked!r}, not true or false")
    return asked == "true"


def _check(image: str, *, development: bool) -> None:
    try:
        Settings(image, development=development)
    except ValueError as error:
        raise OptionError(f"MODEL_VERIFY_IMAGE: {error}") from None


def _user(environ: Mapping[str, str]) -> int | None:
    if not environ.get("MODEL_VERIFY_USER", "65532"):
        return None
    uid = _number(environ, "MODEL_VERIFY_USER", 65532, _LAST_UID)
    if uid == 0:
        raise OptionError("MODEL_VERIFY_USER is 0: the verifier never runs as root")
    return uid


def _number(environ: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and int(value) <= most):
        raise OptionError(f"{name} is {value!r}, not a whole number from 0 to {most}")
    return int(value)


def _level(environ: Mapping[str, str]) -> Level:
    value = environ.get("MODEL_VERIFY_LOG_LEVEL") or "info"
    for level in LEVELS:
        if level == value:
            return level
    raise OptionError(f"MODEL_VERIFY_LOG_LEVEL is {value!r}, not one of {', '.join(LEVELS)}")
