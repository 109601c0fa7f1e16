from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from verifier_cli.host.environment import SettingError
from verifier_cli.webhook.options import options

IMAGE = f"registry.example.com/verifier@sha256:{'0' * 64}"


def read(**more: str) -> object:
    return options({"MODEL_VERIFY_IMAGE": IMAGE, **more})


def test_nothing_has_to_be_given() -> None:
    found = options({})
    assert (found.image, found.development, found.user) == (None, False, 65532)
    assert found.tls_directory == Path("/etc/model-verify-webhook/tls")
    assert (found.bind, found.port, found.metrics_port) == (None, 8443, 8080)
    assert (found.drain_seconds, found.log_level) == (10, "info")


def test_everything_can_be_given() -> None:
    found = options(
        {
            "MODEL_VERIFY_IMAGE": "verifier:dev",
            "MODEL_VERIFY_ALLOW_TAG": "true",
            "MODEL_VERIFY_USER": "",
            "MODEL_VERIFY_TLS_DIRECTORY": "/tls",
            "MODEL_VERIFY_BIND": "::1",
            "MODEL_VERIFY_PORT": "1",
            "MODEL_VERIFY_METRICS_PORT": "65535",
            "MODEL_VERIFY_DRAIN_SECONDS": "0",
            "MODEL_VERIFY_LOG_LEVEL": "warning",
        }
    )
    assert (found.image, found.development, found.user) == ("verifier:dev", True, None)
    assert (found.tls_directory, found.bind) == (Path("/tls"), "::1")
    assert (found.port, found.metrics_port, found.drain_seconds) == (1, 65535, 0)
    assert found.log_level == "warning"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IMAGE", "verifier:dev"),
        ("IMAGE", "verifier@sha256:12"),
        ("ALLOW_TAG", "yes"),
        ("ALLOW_TAG", "True"),
        ("USER", "0"),
        ("USER", "root"),
        ("USER", "-1"),
        ("USER", "4294967296"),
        ("PORT", "65536"),
        ("PORT", "https"),
        ("PORT", "٣"),
        ("METRICS_PORT", "-1"),
        ("DRAIN_SECONDS", "601"),
        ("DRAIN_SECONDS", "1.5"),
        ("LOG_LEVEL", "INFO"),
        ("LOG_LEVEL", "trace"),
    ],
)
def test_a_wrong_one_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"^MODEL_VERIFY_{name}[: ]"):
        read(**{f"MODEL_VERIFY_{name}": value})


def test_each_is_documented() -> None:
    code = (ROOT / "verifier_cli/webhook/options.py").read_text(encoding="utf-8")
    page = (ROOT / "docs/reference/webhook.md").read_text(encoding="utf-8")
    names = set(re.findall(r"\"(MODEL_VERIFY_[A-Z_]+)\"", code))
    assert names | {"MODEL_VERIFY_SERVICE_ACCOUNT"} == set(
        re.findall(r"^\| `(MODEL_VERIFY_[A-Z_]+)` \|", page, re.MULTILINE)
    )
