"""The statement decoder accepts exactly what is well-formed."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.property.strategies import relative_paths
from tests.unit.signing import resources, shards, statement
from verifier_cli.inputs import Malformed
from verifier_cli.signature.statement import SignedManifest, decode_statement

Json = dict[str, Any]
contents = st.binary(max_size=30)
ignorable = relative_paths.filter(lambda path: not set(path) & set("*?["))


@st.composite
def signed(draw: st.DrawFn) -> tuple[dict[str, bytes], Json]:
    """Files, and a sound statement over them in one of its forms."""
    files = draw(st.dictionaries(relative_paths, contents, max_size=6))
    hash_type = draw(st.sampled_from(["sha256", "blake2b", "blake3"]))
    form: Json = {
        "hash_type": hash_type,
        "allow_symlinks": draw(st.booleans()),
        "ignore_paths": draw(st.lists(ignorable, max_size=2)),
    }
    if draw(st.booleans()):
        files = {name: data for name, data in files.items() if data}
        size = draw(st.integers(1, 40))
        rows = shards(files, size, hash_type)
        return files, statement(rows, method="shards", shard_size=size, **form)
    return files, statement(resources(files, hash_type), **form)


def decode(document: object) -> SignedManifest:
    return decode_statement(json.dumps(document).encode())


def meaning(manifest: SignedManifest) -> tuple[object, ...]:
    """What decides about a model; how it was written does not."""
    return (
        manifest.files,
        manifest.hash_type,
        manifest.allow_symlinks,
        manifest.ignore_paths,
        manifest.root_digest,
        manifest.sharded,
    )


@given(signed())
def test_what_is_well_formed_is_accepted(case: tuple[dict[str, bytes], Json]) -> None:
    files, document = case
    found = decode(document)
    assert set(found.files) == set(files)
    assert found.findings == ()
    for name, pieces in found.files.items():
        covered = b"".join(files[name][piece.start : piece.end] for piece in pieces)
        assert covered == files[name]


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document that holds something."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, child in value.items():
            found += places(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            found += places(child, (*path, index))
    return found


MUTATIONS = ["drop", "null", "empty", "other text", "number", "list", "twice", "flip", "upper"]


def mutate(value: Any, kind: str) -> Any:  # noqa: ANN401, PLR0911
    """Another value in the place of one."""
    match kind:
        case "null":
            return None
        case "empty":
            return type(value)() if isinstance(value, (str, list, dict)) else ""
        case "other text":
            return f"{value}x"
        case "number":
            return 7 if value != 7 else 8
        case "list":
            return [value]
        case "flip" if isinstance(value, bool):
            return not value
        case "flip" if isinstance(value, str) and value:
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case "upper" if isinstance(value, str):
            return value.swapcase()
        case "twice" if isinstance(value, list):
            return value * 2
        case _:
            return {"x": value}


@given(signed(), st.data())
def test_one_change_is_refused_or_changes_nothing(
    case: tuple[dict[str, bytes], Json], data: st.DataObject
) -> None:
    _, document = case
    before = meaning(decode(document))
    *way, last = data.draw(st.sampled_from(places(document)), label="place")
    kind = data.draw(st.sampled_from(MUTATIONS), label="mutation")
    changed = copy.deepcopy(document)
    holder: Any = changed
    for step in way:
        holder = holder[step]
    if kind == "drop":
        del holder[last]
    else:
        holder[last] = mutate(holder[last], kind)
    try:
        after = meaning(decode(changed))
    except Malformed:
        return
    named = [last, *way]
    if after != before:
        # A statement is not a signature: another name, flag or ignored path is well-formed too.
        assert {"name", "allow_symlinks", "ignore_paths", "serialization"} & set(named), way


@given(signed(), st.binary(min_size=1, max_size=3), st.integers(0, 10**6))
def test_bytes_put_in_anywhere_never_crash_it(
    case: tuple[dict[str, bytes], Json], junk: bytes, where: int
) -> None:
    raw = json.dumps(case[1]).encode()
    position = where % (len(raw) + 1)
    for changed in (raw[:position] + junk + raw[position:], raw[:position], junk):
        with contextlib.suppress(Malformed):
            decode_statement(changed)
