"""Which paths a policy may hold."""

from __future__ import annotations

import pytest

from verifier_cli.policy import is_absolute_path, is_ignore_path, is_relative_path

RELATIVE = ["a", "a/b", ".git", "..a", "a..", "...", "ünï/c", "a b", "a\nb", "-", "a/...", "\x01"]
NOT_RELATIVE = [
    "",
    ".",
    "..",
    "/",
    "/a",
    "a/",
    "a//b",
    "./a",
    "a/./b",
    "a/.",
    "../a",
    "a/../b",
    "a/..",
    "a\0b",
    "\udcff",
    "ü\ud800",
]


@pytest.mark.parametrize("path", RELATIVE)
def test_relative_paths(path: str) -> None:
    assert is_relative_path(path)
    assert is_absolute_path(f"/{path}")
    assert not is_absolute_path(path)


@pytest.mark.parametrize("path", NOT_RELATIVE)
def test_what_is_no_normalised_relative_path(path: str) -> None:
    assert not is_relative_path(path)
    assert not is_absolute_path(f"/{path}")
    assert not is_ignore_path(path)


@pytest.mark.parametrize("path", ["a*", "a?", "[a]", "a/[0-9]", "*"])
def test_an_ignore_path_holds_no_glob(path: str) -> None:
    assert is_relative_path(path)
    assert not is_ignore_path(path)


def test_an_ignore_path_is_exact() -> None:
    assert is_ignore_path("cache/tmp]")
