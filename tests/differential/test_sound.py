"""Both engines accept every sound model, and each refuses it for another signer."""

import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.differential.workshop import (
    METHODS,
    Bench,
    KeyPair,
    b64,
    encode,
    new_hashing,
    ours,
    plant,
    resources_of,
    statement,
    statement_v02,
    theirs,
)
from verifier_cli.policy import GIT_PATHS


def _nothing(_: Path) -> None:
    pass


@dataclass(frozen=True)
class Shape:
    """A model, and how to sign and to verify it.

    Attributes:
        prepare: what is to be done to the model besides writing its files.
        hashing: options of `new_hashing` for signing.
        told: the options that model-signing must be told when verifying; None lets it guess.
        rules: what the policy must say.
        single: the model is the one file of `files`.
        inside: the signature lies in the model.
    """

    files: Mapping[str, bytes]
    prepare: Callable[[Path], None] = _nothing
    hashing: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    single: bool = False
    inside: bool = False


def _link(name: str, target: str) -> Callable[[Path], None]:
    def prepare(model: Path) -> None:
        (model / name).symlink_to(target)

    return prepare


def _two_links(model: Path) -> None:
    (model / "one").symlink_to("sub/two")
    (model / "sub" / "two").symlink_to("../weights")


def _absolute_link(model: Path) -> None:
    (model / "link").symlink_to(model / "weights")


PLAIN = {"config.json": b"{}", "weights": bytes(range(256)) * 10}
LINKS = {"links": True}
GIT = {f"{name}/x" if name in (".git", ".github") else name: b"git" for name in GIT_PATHS}

SHAPES: dict[str, Shape] = {
    "plain": Shape(PLAIN),
    "one-empty-file": Shape({"empty": b""}),
    "empty-files": Shape({**PLAIN, "a": b"", "b/c": b""}),
    "nested": Shape({"a/b/x": b"1", "a/x": b"2", "/".join("abcdefghijklmnopqrstuvwxyz"): b"3"}),
    "empty-directory": Shape(PLAIN, prepare=lambda model: (model / "empty").mkdir()),
    # By code point `a-b` < `a.txt` < `a/b` < `a0`; by component `a/b` comes first.
    "sorts-differently": Shape(
        {name: name.encode() for name in ("a/b", "a.txt", "a-b", "a0", "a b", "B", "a!/c", "Z/z")}
    ),
    "unicode": Shape(
        {unicodedata.normalize(form, "ünïcode"): form.encode() for form in ("NFC", "NFD")}
        | {"モデル/重み": b"1", "🤗": b"2", "\uffff": b"3", "ÿ": b"4"}
    ),
    "odd-names": Shape(
        {
            name: name.encode()
            for name in (
                "with space",
                "new\nline",
                "tab\t",
                "back\\slash",
                'quo"te',
                "star*",
                "[x]",
                "..hidden",
                "...",
                "a:0:10",
                "-rf",
                "\x1b[31m",
                "\u202egpj.exe",
            )
        }
    ),
    "hidden-files": Shape({**PLAIN, ".hidden": b"1", "sub/.git/x": b"2", "sub/.gitignore": b"3"}),
    "long-name": Shape({"n" * 255: b"1", "d" * 255 + "/" + "f" * 255: b"2"}),
    "many-files": Shape({f"{number % 7}/{number}": b"%d" % number for number in range(300)}),
    "around-the-small-size": Shape(
        {str(size): b"x" * size for size in (2**17 - 1, 2**17, 2**17 + 1, 2**20, 2**20 + 1)}
    ),
    "git-paths": Shape({**PLAIN, **GIT}),
    "git-paths-signed": Shape(
        {**PLAIN, **GIT},
        hashing={"git": False},
        told={"git": False},
        rules={"ignore_git_paths": False},
    ),
    "ignored-file": Shape({**PLAIN, "log": b"x"}, hashing={"ignore": ["log"]}),
    "ignored-directory": Shape(
        {**PLAIN, "cache/a": b"x", "cache/b/c": b"y", "cached": b"z"}, hashing={"ignore": ["cache"]}
    ),
    "ignored-by-the-verifier": Shape(
        PLAIN,
        prepare=_nothing,
        hashing={},
        told={"ignore": ["late"]},
        rules={"ignore_paths": ("late",)},
    ),
    "signature-inside": Shape(PLAIN, inside=True),
    "single-file": Shape({"model.gguf": b"weights"}, single=True),
    "single-empty-file": Shape({"model.gguf": b""}, single=True),
    "link-to-a-file": Shape(PLAIN, prepare=_link("link", "weights"), hashing=LINKS, told=LINKS),
    "link-to-a-link": Shape(
        {**PLAIN, "sub/x": b"1"},
        prepare=_two_links,
        hashing=LINKS,
        told=LINKS,
    ),
    "absolute-link-inside": Shape(PLAIN, prepare=_absolute_link, hashing=LINKS, told=LINKS),
    "links-allowed-but-none": Shape(PLAIN, hashing=LINKS),
    "links-allowed-by-the-policy": Shape(
        PLAIN,
        prepare=_link("link", "weights"),
        hashing=LINKS,
        told=LINKS,
        rules={"allow_symlinks": True},
    ),
    "blake3": Shape(PLAIN, hashing={"algorithm": "blake3"}),
    "blake3-shards": Shape(PLAIN, hashing={"algorithm": "blake3", "method": "shards"}),
    "blake2": Shape(PLAIN, hashing={"algorithm": "blake2"}, told={"algorithm": "blake2"}),
    "shards": Shape(PLAIN, hashing={"method": "shards"}, told={"method": "shards"}),
    "shards-blake2": Shape(
        PLAIN,
        hashing={"method": "shards", "algorithm": "blake2"},
        told={"method": "shards", "algorithm": "blake2"},
    ),
    "shards-of-whole-files": Shape(
        {"a/b": b"x" * 1000, "a.txt": b"x" * 2000, "c": b"y" * 999},
        hashing={"method": "shards"},
        told={"method": "shards"},
    ),
    # The names sort as text in another order than the offsets do as numbers.
    "many-shards": Shape(
        {"w": os.urandom(12_345)}, hashing={"method": "shards"}, told={"method": "shards"}
    ),
    "shards-single-file": Shape(
        {"model.gguf": b"w" * 2500},
        hashing={"method": "shards"},
        told={"method": "shards"},
        single=True,
    ),
}

CASES = [
    *[(shape, "key-p256") for shape in SHAPES],
    *[
        (shape, method)
        for shape in ("plain", "sorts-differently", "unicode", "single-file", "signature-inside")
        for method in METHODS
        if method != "key-p256"
    ],
    *[
        (shape, method)
        for shape in ("blake3", "shards", "link-to-a-file", "ignored-directory", "odd-names")
        for method in ("certificate-p256", "sigstore")
    ],
]


@pytest.mark.parametrize(("shape", "method"), CASES)
def test_both_accept_a_sound_model(bench: Bench, tmp_path: Path, shape: str, method: str) -> None:
    case, how = SHAPES[shape], bench[method]
    model = plant(tmp_path / "model", case.files)
    case.prepare(model)
    if case.single:
        (model,) = model.iterdir()
    signature = (model if case.inside else tmp_path) / "model.sig"
    inside = [signature] if case.inside else []
    options = dict(case.hashing)
    options["ignore"] = [*(model / name for name in options.get("ignore", ())), *inside]
    how.sign(model, signature, new_hashing(**options))
    if shape == "ignored-by-the-verifier":
        plant(model, {"late/file": b"x"})

    told = None
    if case.told is not None or case.inside:
        told = new_hashing(**{"ignore": inside, **(case.told or {})})
    yes, theirs_yes = (
        ours(model, signature, how.signer, **case.rules),
        theirs(model, signature, how.verifier, told),
    )
    assert (yes.accepted, theirs_yes.accepted) == (True, True), (yes.why, theirs_yes.why)

    # The same case with another signer shows that the yes above meant something.
    no, theirs_no = (
        ours(model, signature, how.other, **case.rules),
        theirs(model, signature, how.other_verifier, told),
    )
    assert (no.accepted, theirs_no.accepted) == (False, False)


@pytest.mark.parametrize("form", ["to-the-letter", "by-component", "v02", "v02-unsorted"])
def test_both_accept_each_order_and_form(tmp_path: Path, form: str) -> None:
    files = SHAPES["sorts-differently"].files
    model, key = plant(tmp_path / "model", files), KeyPair(tmp_path / "keys")
    resources = resources_of(files)
    if form == "by-component":
        resources.sort(key=lambda resource: resource["name"].split("/"))
        assert resources != resources_of(files)
    if form.startswith("v02"):
        old = statement_v02(files)
        if form == "v02-unsorted":
            old["subject"].reverse()
        sealed = key.seal_v02(encode(old))
    else:
        sealed = key.seal(encode(statement(resources)))
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(sealed))

    assert ours(model, signature, key.signer).accepted
    assert theirs(model, signature, key.verifier).accepted
    (model / "a0").write_bytes(b"changed")
    assert not ours(model, signature, key.signer).accepted
    assert not theirs(model, signature, key.verifier).accepted


@pytest.mark.parametrize(
    "fields",
    [
        {"hint": ""},
        {"hint": None},
        {},
        {"rawBytes": "own", "keyDetails": "PKIX_ECDSA_P256_SHA_256"},
    ],
    ids=["empty-hint", "null-hint", "no-hint", "own-key"],
)
def test_both_accept_what_older_releases_said_of_the_key(
    tmp_path: Path, fields: dict[str, str | None]
) -> None:
    model, key = plant(tmp_path / "model", PLAIN), KeyPair(tmp_path / "keys")
    sealed = key.seal(encode(statement(resources_of(PLAIN))))
    if fields.get("rawBytes"):
        fields = {**fields, "rawBytes": b64(key.pem)}
    sealed["verificationMaterial"]["publicKey"] = fields
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(sealed))
    assert ours(model, signature, key.signer).accepted
    assert theirs(model, signature, key.verifier).accepted


@pytest.mark.parametrize("keyid", ["", "anything", None, ...], ids=repr)
def test_both_accept_any_key_id(tmp_path: Path, keyid: object) -> None:
    model, key = plant(tmp_path / "model", PLAIN), KeyPair(tmp_path / "keys")
    sealed = key.seal(encode(statement(resources_of(PLAIN))))
    entry = sealed["dsseEnvelope"]["signatures"][0]
    if keyid is ...:
        del entry["keyid"]
        del sealed["verificationMaterial"]["tlogEntries"]
    else:
        entry["keyid"] = keyid
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(sealed))
    assert ours(model, signature, key.signer).accepted
    assert theirs(model, signature, key.verifier).accepted


def test_both_accept_fields_that_the_predicate_may_grow(tmp_path: Path) -> None:
    model, key = plant(tmp_path / "model", PLAIN), KeyPair(tmp_path / "keys")
    signed = statement(resources_of(PLAIN), name="anything")
    signed["predicate"]["modelCard"] = {"of": "later"}
    signature = tmp_path / "model.sig"
    signature.write_bytes(encode(key.seal(encode(signed))))
    assert ours(model, signature, key.signer).accepted
    assert theirs(model, signature, key.verifier).accepted
