"""A signed model with one single thing changed is never TRUSTED."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.schemas import check_report
from tests.unit.signing import Signer, read_tree
from verifier_cli.host.logs import Log
from verifier_cli.model.progress import Progress
from verifier_cli.policy import Key, Material, ModelRules, Policy
from verifier_cli.report.document import to_document
from verifier_cli.runs import Settings, verify
from verifier_cli.verdict import Reason, Verdict

SIGNER = Signer()
FILES = {
    "a.bin": bytes(range(256)),
    "B.txt": b"hello",
    "empty": b"",
    "d/weights": b"w" * 5000,
    "d/e/deep": b"x",
    "only/one": b"1",
    "tail": b"\n",
}
NAMES = sorted(FILES)
DIRECTORIES = ["d", "d/e", "only"]
names, directories = st.sampled_from(NAMES), st.sampled_from(DIRECTORIES)
positions = st.integers(0, 10**6)


Draw = Callable[[st.SearchStrategy[Any]], Any]


@contextlib.contextmanager
def signed_model() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        model = Path(directory, "m")
        SIGNER.sign_tree(model, FILES)
        yield model


def reason(model: Path, *, allow_symlinks: bool = False) -> Reason:
    policy = Policy(
        (ModelRules(str(model), allow_symlinks=allow_symlinks),),
        (Key(Material(text=SIGNER.pem.decode())),),
        sha256="ab" * 32,
        source="here",
    )
    report = verify([policy], Settings(), Log(io.StringIO()), Progress())
    check_report(to_document(report))
    assert (report.verdict is Verdict.TRUSTED) == (report.exit_code == 0)
    return report.reason


def flip(model: Path, draw: Draw) -> None:
    path = model / draw(names)
    data = bytearray(path.read_bytes())
    assume(data)
    position = draw(positions) % len(data)
    data[position] ^= 1 << draw(st.integers(0, 7))
    path.write_bytes(data)


def insert(model: Path, draw: Draw) -> None:
    path = model / draw(names)
    data = path.read_bytes()
    position = draw(positions) % (len(data) + 1)
    path.write_bytes(data[:position] + b"\0" + data[position:])


def delete(model: Path, draw: Draw) -> None:
    path = model / draw(names)
    data = path.read_bytes()
    assume(data)
    position = draw(positions) % len(data)
    path.write_bytes(data[:position] + data[position + 1 :])


def append(model: Path, draw: Draw) -> None:
    with (model / draw(names)).open("ab") as file:
        file.write(b"\n")


def add(model: Path, draw: Draw) -> None:
    where = draw(st.sampled_from(["", *DIRECTORIES, "new"]))
    name = draw(st.sampled_from(["x", ".x", "model.sig.bak", ".git", "x.sig", "..data", "A.BIN"]))
    # At the top, git's own paths are left out by default, and said to be.
    assume(where or name != ".git")
    path = model / where / name
    path.parent.mkdir(exist_ok=True)
    path.touch()


def remove(model: Path, draw: Draw) -> None:
    (model / draw(names)).unlink()


def remove_directory(model: Path, draw: Draw) -> None:
    shutil.rmtree(model / draw(directories))


def rename(model: Path, draw: Draw) -> None:
    path = model / draw(names)
    path.rename(path.with_name(path.name + draw(st.sampled_from(["x", " ", ".", "\u0301"]))))


def change_case(model: Path, draw: Draw) -> None:
    path = model / draw(names)
    path.rename(path.with_name(path.name.swapcase()))


def move(model: Path, draw: Draw) -> None:
    path, directory = model / draw(names), draw(directories)
    assume(path.parent != model / directory)
    path.rename(model / directory / path.name)


def move_directory(model: Path, draw: Draw) -> None:
    path = model / draw(directories)
    path.rename(path.with_name("moved"))


def swap(model: Path, draw: Draw) -> None:
    one, other = (model / draw(names) for _ in range(2))
    assume(one.read_bytes() != other.read_bytes())
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def replace_by_directory(model: Path, draw: Draw) -> None:
    path = model / draw(names)
    path.unlink()
    path.mkdir()


def replace_by_fifo(model: Path, draw: Draw) -> None:
    path = model / draw(names)
    path.unlink()
    os.mkfifo(path)


def replace_by_link(model: Path, draw: Draw) -> None:
    """By a link to its very own content: inside the model, outside of it, or nowhere."""
    path = model / draw(names)
    elsewhere = draw(st.sampled_from([model.parent / "outside", model / "new", Path("nowhere")]))
    if elsewhere.is_absolute():
        elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)


def replace_directory_by_link(model: Path, draw: Draw) -> None:
    path = model / draw(directories)
    path.rename(model.parent / "outside")
    path.symlink_to(model.parent / "outside")


MUTATIONS = [
    flip,
    insert,
    delete,
    append,
    add,
    remove,
    remove_directory,
    rename,
    change_case,
    move,
    move_directory,
    swap,
    replace_by_directory,
    replace_by_fifo,
    replace_by_link,
    replace_directory_by_link,
]


def test_unchanged_it_is_trusted() -> None:
    with signed_model() as model:
        assert reason(model) is Reason.VERIFIED
        assert reason(model, allow_symlinks=True) is Reason.VERIFIED


@settings(max_examples=150)
@given(st.sampled_from(MUTATIONS), st.data())
def test_one_change_and_it_is_not(
    mutation: Callable[[Path, Draw], None], data: st.DataObject
) -> None:
    with signed_model() as model:
        before = read_tree(model)
        mutation(model, data.draw)
        allow_symlinks = data.draw(st.booleans())
        found = reason(model, allow_symlinks=allow_symlinks)
        assert found in (Reason.CONTENT_MISMATCH, Reason.POLICY_VIOLATION), mutation.__name__
        assert before == FILES


@settings(max_examples=80)
@given(st.sampled_from(["flip", "insert", "delete", "cut"]), positions, st.integers(0, 255))
def test_the_signature_file_cannot_be_touched(kind: str, where: int, byte: int) -> None:
    with signed_model() as model:
        path = model / "model.sig"
        data = path.read_bytes()
        position = where % len(data)
        changed = {
            "flip": data[:position] + bytes([byte]) + data[position + 1 :],
            "insert": data[:position] + bytes([byte]) + data[position:],
            "delete": data[:position] + data[position + 1 :],
            "cut": data[:position],
        }[kind]
        assume(changed != data)
        path.write_bytes(changed)
        found = reason(model)
        if found is Reason.VERIFIED:
            # White space and the like between the fields is no part of what is signed.
            assert meaning(changed) == meaning(data)
        else:
            assert found in (Reason.SIGNATURE_INVALID, Reason.SIGNER_UNTRUSTED)


def meaning(raw: bytes) -> object:
    """What of a signature file the verdict rests on."""
    document = json.loads(raw)
    envelope = document["dsseEnvelope"]
    hint = (document["verificationMaterial"].get("publicKey") or {}).get("hint") or ""
    return (
        envelope["payload"],
        envelope["payloadType"],
        envelope["signatures"][0]["sig"],
        hint.lower() if hint else None,
    )


@settings(max_examples=50)
@given(st.sampled_from(["payload", "sig"]), positions, st.integers(1, 255))
def test_neither_can_what_was_signed_nor_the_signature(field: str, where: int, mask: int) -> None:
    with signed_model() as model:
        path = model / "model.sig"
        document = json.loads(path.read_bytes())
        envelope = document["dsseEnvelope"]
        holder = envelope if field == "payload" else envelope["signatures"][0]
        data = bytearray(b64decode(holder[field]))
        data[where % len(data)] ^= mask
        holder[field] = b64encode(data).decode()
        path.write_text(json.dumps(document), encoding="utf-8")
        assert reason(model) is Reason.SIGNATURE_INVALID
