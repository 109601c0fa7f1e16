"""The options of `verify` become a policy; its digest is of what really holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from tests.schemas import check_policy
from verifier_cli.cli.asked import Asked
from verifier_cli.cli.verify import command
from verifier_cli.config import document
from verifier_cli.policy import Certificate, Key, Keyless, Material, ModelRules, Policy

if TYPE_CHECKING:
    from pathlib import Path


def asked(*arguments: str) -> Asked:
    context = command.make_context("verify", list(arguments))
    options: dict[str, Any] = context.params
    found = Asked(options)
    found.require_usable()
    return found


def policy(*arguments: str) -> Policy:
    (found,) = asked(*arguments).policies()
    return found


def test_a_key() -> None:
    found = policy("m", "--public-key", "a", "--public-key", "b")
    assert found.signers == (Key(Material(path="a")), Key(Material(path="b")))
    assert found.models == (ModelRules("m"),)
    assert (found.mode, found.timeout_seconds) == ("enforce", 900)
    assert (found.source, found.local) == ("command line", True)


def test_a_certificate() -> None:
    found = policy("m", "--certificate-chain", "a", "--certificate-identity", "x")
    assert found.signers == (Certificate(Material(path="a"), "x"),)


def test_several_chains_are_one_material(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text(path.name, encoding="ascii")
    options = [word for path in paths for word in ("--certificate-chain", str(path))]
    assert policy("m", *options).signers == (Certificate(Material(text="a\nb")),)


def test_sigstore() -> None:
    usual = ("m", "--identity", "a", "--identity-provider", "https://x")
    assert policy(*usual).signers == (Keyless("https://x", "a"),)
    assert policy(*usual, "--trust-config", "t").signers == (
        Keyless("https://x", "a", trust_root=Material(path="t")),
    )
    assert policy(*usual, "--use-staging").signers == (Keyless("https://x", "a", staging=True),)


def test_everything_about_the_model() -> None:
    options = "--signature s --ignore-paths x --ignore-paths y --no-ignore-git-paths"
    more = "--ignore-unsigned-files --allow-symlinks --mode warn --timeout 7"
    found = policy("m", "--public-key", "k", *options.split(), *more.split())
    assert found.models == (
        ModelRules(
            "m",
            "s",
            ("x", "y"),
            ignore_git_paths=False,
            ignore_unsigned_files=True,
            allow_symlinks=True,
        ),
    )
    assert (found.mode, found.timeout_seconds) == ("warn", 7)


def test_the_digest_is_of_what_holds() -> None:
    digests = {
        policy("/m", "--public-key", "/k", *options).sha256
        for options in ((), ("--mode=warn",), ("--ignore-paths=x",), ("--timeout=5",))
    }
    assert len(digests) == 4
    assert policy("/m", "--public-key", "/k").sha256 in digests


def test_with_absolute_paths_it_is_a_policy_document() -> None:
    found = policy("/m", "--public-key", "/k", "--ignore-paths", "/m/x")
    encoded = document.encode(found)
    check_policy(encoded)
    assert document.decode(encoded, "").models == found.models


@pytest.mark.parametrize("path", ["m/x", "./x", "x/", "x"])
def test_ignore_paths_count_from_the_model(path: str) -> None:
    found = policy("m", "--public-key", "k", "--ignore-paths", path)
    assert found.models[0].ignore_paths == ("x",)


def test_options_for_an_absent_method_are_refused() -> None:
    with pytest.raises(click.UsageError, match="Whom do you trust"):
        asked("m", "--mode", "warn")
