"""Wrong settings are one sentence with the variable's name, and exit code 2."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verifier_cli.controller.options import options
from verifier_cli.host.environment import SettingError

if TYPE_CHECKING:
    from verifier_cli.apiserver.account import Account

PROGRAM = Path(sys.executable).parent / "model-verify-controller"


def test_nothing_has_to_be_given() -> None:
    found = options({})
    assert (found.resync, found.keeps, found.bind, found.port) == (300, True, None, 8080)
    assert (found.log_level, found.holder) == ("info", socket.gethostname())


def test_everything_can_be_given() -> None:
    found = options(
        {
            "MODEL_VERIFY_RESYNC_SECONDS": "1",
            "MODEL_VERIFY_CERTIFICATES": "external",
            "MODEL_VERIFY_BIND": "::1",
            "MODEL_VERIFY_METRICS_PORT": "0",
            "MODEL_VERIFY_LOG_LEVEL": "error",
            "POD_NAME": "one",
        }
    )
    assert (found.resync, found.keeps, found.bind, found.port) == (1, False, "::1", 0)
    assert (found.log_level, found.holder) == ("error", "one")


WRONG = [
    ("MODEL_VERIFY_RESYNC_SECONDS", each)
    for each in ("0", "-1", "nan", "inf", "1.5", "86401", "9" * 5000)
]
WRONG += [("MODEL_VERIFY_METRICS_PORT", each) for each in ("abc", "65536", "-1")]
WRONG += [("MODEL_VERIFY_LOG_LEVEL", "loud"), ("MODEL_VERIFY_CERTIFICATES", "mine")]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_cannot_be_is_one_sentence(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{name} is '"):
        options({name: value})


def run(account: Account, **more: str) -> str:
    """What a controller says that does not start."""
    host, port = account.url.removeprefix("https://").split(":")
    environ = {
        **os.environ,
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "MODEL_VERIFY_SERVICE_ACCOUNT": str(account.directory),
        "MODEL_VERIFY_BIND": "127.0.0.1",
        "MODEL_VERIFY_METRICS_PORT": "0",
        **more,
    }
    done = subprocess.run(
        [PROGRAM], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_a_port_that_is_taken(account: Account) -> None:
    account.directory.joinpath("namespace").write_text("own", encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = run(account, MODEL_VERIFY_METRICS_PORT=str(taken.getsockname()[1]))
    assert said.startswith("error: MODEL_VERIFY_BIND and MODEL_VERIFY_METRICS_PORT: ")
    assert "address already in use" in said


def test_a_service_account_that_cannot_be_read(account: Account) -> None:
    account.directory.joinpath("namespace").unlink()
    said = run(account)
    assert said.startswith("error: MODEL_VERIFY_SERVICE_ACCOUNT: the service account in ")
    assert "namespace" in said
    account.directory.joinpath("ca.crt").write_text("no PEM", encoding="utf-8")
    assert "MODEL_VERIFY_SERVICE_ACCOUNT" in run(account)


def test_a_wrong_number_ends_it(account: Account) -> None:
    said = run(account, MODEL_VERIFY_RESYNC_SECONDS="-1")
    assert said == (
        "error: MODEL_VERIFY_RESYNC_SECONDS is '-1', not a whole number from 1 to 86400"
    )
