"""Sigstore trust roots: the policy's own, the one that sigstore ships, one from the network."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.conftest import REPOSITORY
from verifier_cli.config import trustroot
from verifier_cli.config.loaded import Loaded
from verifier_cli.errors import ConfigError, TrustUnavailableError
from verifier_cli.policy import Key, Keyless, Material

if TYPE_CHECKING:
    from pathlib import Path

TRUST_CONFIG = (REPOSITORY / "testdata/trust/trust-config.json").read_text(encoding="utf-8")


def loaded(data: bytes) -> Loaded:
    return Loaded(data, "here")


def test_a_trust_config_and_the_root_in_it() -> None:
    both = [
        trustroot.trusted_root(loaded(text.encode()))
        for text in (TRUST_CONFIG, json.dumps(json.loads(TRUST_CONFIG)["trustedRoot"]))
    ]
    assert len(both[0].get_fulcio_certs()) == len(both[1].get_fulcio_certs()) > 0


def test_what_is_for_signing_need_not_be_sound() -> None:
    document = json.loads(TRUST_CONFIG)
    document["signingConfig"] = {"mediaType": "nonsense"}
    found = trustroot.trusted_root(loaded(json.dumps(document).encode()))
    assert found.get_fulcio_certs()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is not JSON"),
        (b"[]", "mediaType is None, neither"),
        (b"{}", "mediaType is None, neither"),
        (b'{"mediaType": "x"}', "mediaType is 'x', neither"),
        (b'{"a": 1, "a": 2}', "holds the key 'a' twice"),
        (
            b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "x": 1}',
            "is not a sigstore trust root: ",
        ),
        (
            b'{"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"}',
            "is not a sigstore trust root: ",
        ),
    ],
)
def test_what_is_no_trust_root(data: bytes, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        trustroot.trusted_root(loaded(data))
    assert str(caught.value).startswith(f"here: {fault}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("staging", [False, True])
def test_the_roots_that_sigstore_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, staging: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    signer = Keyless("https://x", "a", staging=staging)
    found = trustroot.root_of(signer, Loaded(None, "here"), online=False)
    assert found.get_fulcio_certs()
    assert list(home.iterdir()) == [], "nothing is written"


def test_its_own_root_comes_before_any_instance() -> None:
    signer = Keyless("https://x", "a", trust_root=Material(text=TRUST_CONFIG))
    found = trustroot.root_of(signer, loaded(TRUST_CONFIG.encode()), online=True)
    assert found.get_fulcio_certs()


@pytest.mark.parametrize("staging", [False, True])
def test_a_root_that_cannot_be_refreshed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, staging: bool
) -> None:
    # No network needed to have none: a proxy that nobody listens at.
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    signer = Keyless("https://x", "a", staging=staging)
    with pytest.raises(TrustUnavailableError) as caught:
        trustroot.root_of(signer, Loaded(None, "here"), online=True)
    instance = "staging" if staging else "public-good"
    assert f"sigstore's {instance} instance cannot be refreshed" in str(caught.value)
    assert "leave out --online" in caught.value.sentence


def test_the_material_as_model_signing_reads_it() -> None:
    assert trustroot.reference_form(Key(Material(text="x")), loaded(b"pem")) == b"pem"
    keyless = Keyless("https://x", "a")
    own = json.loads(trustroot.reference_form(keyless, loaded(TRUST_CONFIG.encode())))
    assert own["trustedRoot"] == json.loads(TRUST_CONFIG)["trustedRoot"]
    shipped = json.loads(trustroot.reference_form(keyless, Loaded(None, "here")))
    staging = Keyless("https://x", "a", staging=True)
    other = json.loads(trustroot.reference_form(staging, Loaded(None, "here")))
    assert shipped["trustedRoot"] != other["trustedRoot"]
    assert shipped["mediaType"].startswith("application/vnd.dev.sigstore.clienttrustconfig")


@pytest.mark.parametrize("moved", ["package", "file"])
def test_a_release_that_keeps_its_root_elsewhere(
    monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    if moved == "package":
        monkeypatch.setitem(sys.modules, "sigstore._store", None)
    else:
        monkeypatch.setitem(trustroot._SHIPPED, "public-good", "elsewhere")
    with pytest.raises(ConfigError) as caught:
        trustroot.root_of(Keyless("https://x", "a"), Loaded(None, "here"), online=False)
    assert "keeps its trust root elsewhere" in str(caught.value)
    assert "--trust-config" in caught.value.sentence
