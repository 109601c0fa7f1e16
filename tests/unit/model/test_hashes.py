"""The hashes of the algorithm registry, against published test vectors of b"abc"."""

from __future__ import annotations

import importlib.abc
import sys

import pytest

from verifier_cli.model.hashes import hasher_for, pair_for
from verifier_cli.signature.serialization import HEX_DIGITS

VECTORS = {
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "blake2b": "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
    "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
    "blake3": "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
}


@pytest.mark.parametrize("name", HEX_DIGITS)
def test_a_vector(name: str) -> None:
    hasher = hasher_for(name)()
    hasher.update(memoryview(b"a"))
    hasher.update(memoryview(b"bc"))
    assert hasher.digest().hex() == VECTORS[name]
    assert len(VECTORS[name]) == HEX_DIGITS[name]


def test_an_unknown_hash() -> None:
    with pytest.raises(KeyError):
        hasher_for("md5")


@pytest.mark.parametrize("fault", [ImportError, OSError, AttributeError])
def test_where_the_compiled_one_cannot_be_loaded_there_is_none(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    """Not there, for another processor, or not to be executed: hashlib does it too."""

    class Broken(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "model_verify_native":
                raise fault("sha256.so: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "model_verify_native", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    assert pair_for("sha256") is None
