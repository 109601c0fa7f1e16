"""Signature files that are no bundle, no file, or not where they seem to be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    Model,
    expect,
    findings,
    process,
)
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

MALFORMED = (Reason.SIGNATURE_INVALID, Code.BUNDLE_MALFORMED)
UNREADABLE = (Reason.SIGNATURE_INVALID, Code.BUNDLE_UNREADABLE)
MIB = 1 << 20


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path).sign_with_key()


NOT_BUNDLES = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "not JSON": b"{",
    "two documents": b"{}{}",
    "pickle": b"\x80\x04}.",
    "not UTF-8": b'{"mediaType": "\xff"}',
    "UTF-16": '{"mediaType": "x"}'.encode("utf-16"),
    "trailing comma": b'{"mediaType": "x",}',
    "comment": b'{"mediaType": "x" /* y */}',
    "single quotes": b"{'mediaType': 'x'}",
    "control character": b'{"mediaType": "\x01"}',
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "long number": b'{"mediaType": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("raw", NOT_BUNDLES.values(), ids=NOT_BUNDLES)
def test_what_is_no_bundle_at_all(model: Model, raw: bytes) -> None:
    expect(model.rewrite(raw), *MALFORMED)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_are_not_json(model: Model, constant: str) -> None:
    text = model.signature.read_text()
    model.rewrite(text.replace('"tlogEntries"', f'"tlogEntries": [{constant}], "x"', 1).encode())
    report = expect(model, *MALFORMED)
    assert constant in findings(report)[0].detail


def test_more_items_than_any_bundle_has(model: Model) -> None:
    bundle = model.bundle
    bundle["verificationMaterial"]["publicKey"]["validFor"] = [0] * 20_000
    expect(model.rewrite(bundle), *MALFORMED)


def test_a_byte_order_mark(model: Model) -> None:
    model.rewrite(b"\xef\xbb\xbf" + model.signature.read_bytes())
    expect(model, *MALFORMED)


@pytest.mark.parametrize("levels", [61, 62])
def test_how_deep_a_bundle_may_nest(model: Model, levels: int) -> None:
    """The bundle, the material and the key are three levels, and at most 64 are read."""
    nested: list[object] = []
    for _ in range(levels - 1):
        nested = [nested]
    bundle = model.bundle
    bundle["verificationMaterial"]["publicKey"]["validFor"] = nested
    model.rewrite(bundle)
    if levels == 61:
        expect(model, Reason.VERIFIED)
    else:
        report = expect(model, *MALFORMED)
        assert "64" in findings(report)[0].detail


@pytest.mark.parametrize("size", [32 * MIB, 32 * MIB + 1, 1 << 40])
def test_a_huge_signature_file(model: Model, size: int) -> None:
    os.truncate(model.signature, size)
    kind = MALFORMED if size == 32 * MIB else UNREADABLE
    report = expect(model, *kind)
    assert (str(32 * MIB) in findings(report)[0].detail) == (kind is UNREADABLE)


def test_a_fifo_as_signature(model: Model) -> None:
    model.signature.unlink()
    os.mkfifo(model.signature)
    expect(model, *UNREADABLE)


def test_a_directory_as_signature(model: Model) -> None:
    model.signature.unlink()
    model.signature.mkdir()
    expect(model, *UNREADABLE)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty", "/dev/full"])
def test_a_device_as_signature(model: Model, device: str) -> None:
    expect(model.allow(signature_path=device), *UNREADABLE)


@pytest.mark.parametrize("target", ["missing", "config.json/x", "/nowhere/x"])
def test_a_dangling_link_as_signature(model: Model, target: str) -> None:
    model.signature.unlink()
    model.signature.symlink_to(target)
    expect(model, Reason.SIGNATURE_MISSING, Code.SIGNATURE_NOT_FOUND)


def test_a_cyclic_link_as_signature(model: Model) -> None:
    model.signature.unlink()
    model.signature.symlink_to("model.sig")
    expect(model, *UNREADABLE)


def test_a_signature_behind_a_link(model: Model) -> None:
    model.signature.rename(model.path.parent / "real.sig")
    model.signature.symlink_to("../real.sig")
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize("time", ["99999999999999999999", "253402300800", "18446744073709551615"])
def test_inspect_survives_a_time_beyond_the_calendar(model: Model, time: str) -> None:
    entry = {"logIndex": "1", "integratedTime": time, "inclusionPromise": {"x": ""}}
    bundle = model.bundle
    bundle["verificationMaterial"]["tlogEntries"] = [entry]
    model.rewrite(bundle)
    ended = process("inspect", model.signature)
    assert ended.returncode in (0, 3), ended.stderr
    assert b"internal" not in ended.stderr
