"""Which versions decide."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from verifier_cli import __version__

if TYPE_CHECKING:
    from tests.unit.conftest import Run


def test_as_json(cli: Run) -> None:
    result = cli("version", "--output", "json")
    assert result.code == 0
    found = json.loads(result.out)
    assert found["model-verify"] == __version__
    assert found["python"] == platform.python_version()
    assert found["sigstore"] == version("sigstore")
    assert found["model-signing"] == version("model-signing")
    assert found["openssl"].startswith("OpenSSL ")
    assert found["openssl-of-python"]


def test_as_text(cli: Run) -> None:
    text = cli("version").out
    for name, value in json.loads(cli("version", "--output=json").out).items():
        assert any(line.startswith(name) and line.endswith(value) for line in text.splitlines())
