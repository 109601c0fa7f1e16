from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verifier_cli.apiserver.account import Account, in_cluster

if TYPE_CHECKING:
    from pathlib import Path

PLACE = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_a_pod_is_given_an_account() -> None:
    found = in_cluster(PLACE)
    assert found.url == "https://10.0.0.1:443"
    assert str(found.directory) == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_ipv6_and_a_directory_of_ones_own() -> None:
    more = {"KUBERNETES_SERVICE_HOST": "fd00::1", "MODEL_VERIFY_SERVICE_ACCOUNT": "/sa"}
    found = in_cluster(PLACE | more)
    assert (found.url, str(found.directory)) == ("https://[fd00::1]:443", "/sa")


@pytest.mark.parametrize("name", PLACE)
def test_outside_of_a_pod_there_is_none(name: str) -> None:
    for value in ({}, {name: ""}):
        with pytest.raises(LookupError, match="are not set"):
            in_cluster({key: PLACE[key] for key in PLACE if key != name} | value)


def test_the_token_is_read_anew_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n", encoding="ascii")
    (tmp_path / "namespace").write_text("system\n", encoding="utf-8")
    found = Account("https://10.0.0.1:443", tmp_path)
    assert found.namespace() == "system"
    assert found.token() == "one"
    (tmp_path / "token").write_text("two\n", encoding="ascii")
    assert found.token() == "one"
    found._read -= 61
    assert found.token() == "two"
