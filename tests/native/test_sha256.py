"""The compiled SHA-256 and hashlib's agree, whatever comes in which bits; and it is used."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import model_verify_native as native
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import Model
from verifier_cli.model import hashes
from verifier_cli.model.reading import CHUNK_BYTES
from verifier_cli.runs import Settings
from verifier_cli.verdict import Reason

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.native

# Around the ends of blocks and of the padding, and beyond what one call is given in practice.
lengths = st.sampled_from([0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 191, 4096, 100_001])
bits = st.lists(st.tuples(lengths, lengths), max_size=5)


def content(length: int, seed: int) -> bytearray:
    return bytearray(hashlib.shake_128(seed.to_bytes(8, "big")).digest(length))


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    assert native.LANES == 2, "this processor cannot do it: run this on another"


@given(bits)
def test_both_at_a_time(given: list[tuple[int, int]]) -> None:
    one, other = native.Sha256(), native.Sha256()
    ours, theirs = hashlib.sha256(), hashlib.sha256()
    for number, (length, others) in enumerate(given):
        data, more = content(length, number), content(others, -number & 0xFF)
        native.update_both(one, memoryview(data), other, memoryview(more))
        ours.update(data)
        theirs.update(more)
        # What is asked for in between changes nothing.
        assert (one.digest(), other.digest()) == (ours.digest(), theirs.digest())
    assert (one.digest(), other.digest()) == (ours.digest(), theirs.digest())


@given(st.lists(lengths, max_size=6))
def test_one_alone(given: list[int]) -> None:
    one, ours = native.Sha256(), hashlib.sha256()
    for number, length in enumerate(given):
        one.update(content(length, number))
        ours.update(content(length, number))
    assert one.digest() == ours.digest()


def test_one_that_is_fed_as_both() -> None:
    one, data = native.Sha256(), content(1000, 1)
    native.update_both(one, memoryview(data), one, memoryview(data))
    assert one.digest() == hashlib.sha256(data + data).digest()


@pytest.mark.parametrize("length", [CHUNK_BYTES, 5 * CHUNK_BYTES + 63])
def test_large_ones(length: int) -> None:
    one, other = native.Sha256(), native.Sha256()
    data, more = content(length, 1), content(length, 2)
    native.update_both(one, memoryview(data), other, memoryview(more))
    assert one.digest() == hashlib.sha256(data).digest()
    assert other.digest() == hashlib.sha256(more).digest()


def test_what_cannot_be_written_to_is_refused() -> None:
    with pytest.raises(TypeError):
        native.Sha256().update(memoryview(bytes(64)))


def test_several_threads() -> None:
    wrong: list[int] = []

    def work(seed: int) -> None:
        for number in range(50):
            one, other = native.Sha256(), native.Sha256()
            data, more = content(10_000, seed + number), content(9_000, seed - number + 1000)
            native.update_both(one, memoryview(data), other, memoryview(more))
            if one.digest() != hashlib.sha256(data).digest():
                wrong.append(seed)
            if other.digest() != hashlib.sha256(more).digest():
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(0, 4000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(("files", "paired"), [(1, 0), (2, 0), (3, 1), (5, 2)])
def test_it_is_what_hashes_large_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, paired: int
) -> None:
    """Two at a time where there are more files than threads."""
    fed: set[object] = set()

    def both(one: native.Sha256, data: memoryview, other: native.Sha256, more: memoryview) -> None:
        fed.add((id(one), id(other)))
        kept.append((one, other))
        native.update_both(one, data, other, more)

    kept: list[object] = []  # so that no id comes again
    monkeypatch.setattr(hashes, "pair_for", lambda _: (native.Sha256, both))
    model = Model(tmp_path, {f"{n}": bytes(content(3_000_000 + n, n)) for n in range(files)})
    report = model.sign_with_key().verify(settings=Settings(workers=2))
    assert report.reason is Reason.VERIFIED
    assert len(fed) == paired


def test_other_hashes_have_no_pair() -> None:
    pair = hashes.pair_for("sha256")
    assert pair is not None
    assert pair[1] is native.update_both
    assert hashes.pair_for("blake3") is None
    assert hashes.pair_for("blake2b") is None
