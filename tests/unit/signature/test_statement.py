"""The signed statement is decoded strictly; what no honest signer writes is refused."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.signing import digest, resources, shards, statement, statement_v02
from verifier_cli.inputs import Malformed
from verifier_cli.signature.serialization import Piece
from verifier_cli.signature.statement import SignedManifest, decode_statement
from verifier_cli.verdict import Code

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
FILES = {"a": b"1", "b/c": b"", "b/d": b"3"}
BIG = {"a": b"x" * 25, "b": b"y" * 10}


def decode(document: object) -> SignedManifest:
    return decode_statement(json.dumps(document).encode())


def rooted(document: Json) -> Json:
    """Makes the root digest right again, so that only what was changed is wrong."""
    rows = document["predicate"]["resources"]
    root = hashlib.sha256(b"".join(bytes.fromhex(row["digest"]) for row in rows)).hexdigest()
    document["subject"][0]["digest"]["sha256"] = root
    return document


def reason(document: object) -> str:
    with pytest.raises(Malformed) as caught:
        decode(document)
    return str(caught.value)


@pytest.mark.parametrize("hash_type", ["sha256", "blake2b", "blake3"])
def test_a_statement_over_files(hash_type: str) -> None:
    rows = resources(FILES, hash_type)
    found = decode(statement(rows, hash_type=hash_type))
    assert found.format == "v1.0"
    assert found.hash_type == hash_type
    assert found.files == {
        name: (Piece(0, None, bytes.fromhex(digest(data, hash_type))),)
        for name, data in FILES.items()
    }
    assert not found.sharded
    assert not found.allow_symlinks
    assert found.ignore_paths == ()
    assert found.findings == ()
    together = b"".join(bytes.fromhex(row["digest"]) for row in rows)
    assert found.root_digest == hashlib.sha256(together).hexdigest()


@pytest.mark.parametrize("hash_type", ["sha256", "blake2b", "blake3"])
def test_a_statement_over_shards(hash_type: str) -> None:
    rows = shards(BIG, 10, hash_type)
    found = decode(statement(rows, hash_type=hash_type, method="shards", shard_size=10))
    assert found.sharded
    assert [(piece.start, piece.end) for piece in found.files["a"]] == [(0, 10), (10, 20), (20, 25)]
    assert [(piece.start, piece.end) for piece in found.files["b"]] == [(0, 10)]
    assert found.files["a"][2].digest.hex() == digest(b"x" * 5, hash_type)
    assert found.findings == ()


def test_what_the_signer_says_about_links_and_ignored_paths() -> None:
    found = decode(
        statement(resources(FILES), allow_symlinks=True, ignore_paths=[".git", "tmp/cache"])
    )
    assert found.allow_symlinks
    assert found.ignore_paths == (".git", "tmp/cache")


def test_a_statement_over_nothing_is_well_formed() -> None:
    assert decode(statement([])).files == {}


def test_a_single_file_is_named_by_a_dot() -> None:
    assert list(decode(statement(resources({".": b"1"}))).files) == ["."]


@pytest.mark.parametrize("subject_name", ["", None])
def test_older_signers_did_not_name_the_model(subject_name: str | None) -> None:
    document = statement(resources(FILES), name=subject_name or "")
    if subject_name is None:
        del document["subject"][0]["name"]
    (finding,) = decode(document).findings
    assert finding.code is Code.NOT_TO_THE_LETTER
    assert "subject[0].name" in finding.detail


def test_names_may_be_sorted_by_code_point_or_by_component() -> None:
    # "a-b" < "a/b" by code point; by component "a/b" comes first.
    by_code_point = resources({"a-b": b"1", "a/b": b"2"})
    assert list(decode(statement(by_code_point)).files) == ["a-b", "a/b"]
    by_component = by_code_point[::-1]
    assert list(decode(statement(by_component)).files) == ["a/b", "a-b"]


def test_shards_may_be_sorted_by_code_point_or_by_offset() -> None:
    data = {"a": b"x" * 101}
    by_code_point = shards(data, 10)
    by_offset = sorted(by_code_point, key=lambda row: int(row["name"].split(":")[1]))
    assert by_code_point != by_offset
    for rows in (by_code_point, by_offset):
        found = decode(statement(rows, method="shards", shard_size=10))
        assert [piece.start for piece in found.files["a"]] == list(range(0, 101, 10))


def test_a_file_name_may_look_like_a_shard() -> None:
    found = decode(statement(shards({"a:0:5": b"12345"}, 5), method="shards", shard_size=5))
    assert list(found.files) == ["a:0:5"]
    assert list(decode(statement(resources({"a:0:5": b"1"}))).files) == ["a:0:5"]


def test_what_model_signing_writes_for_shards_is_understood() -> None:
    rows = shards(BIG, 10)
    for row in rows:
        row["algorithm"] = "sha256-sharded-10"
    found = decode(statement(rows, method="shards", shard_size=10.0, hash_type="sha256-sharded-10"))
    assert found.hash_type == "sha256"
    assert {finding.code for finding in found.findings} == {Code.NOT_TO_THE_LETTER}
    said = " ".join(finding.detail for finding in found.findings)
    assert "shard_size is written 10.0" in said
    assert said.count("algorithm is written 'sha256-sharded-10'") == 1
    assert "hash_type is written 'sha256-sharded-10'" in said


@pytest.mark.parametrize("algorithm", ["sha256-sharded-11", "sha512", "SHA256", 1, None])
def test_an_algorithm_that_does_not_fit(algorithm: object) -> None:
    rows = shards(BIG, 10)
    rows[1]["algorithm"] = algorithm
    fault = reason(statement(rows, method="shards", shard_size=10))
    assert fault == f"resources[1].algorithm is {algorithm!r}, not 'sha256'"


def test_the_name_for_shards_is_not_accepted_for_files() -> None:
    rows = resources({"a": b"1"})
    rows[0]["algorithm"] = "sha256-sharded-10"
    assert "algorithm is 'sha256-sharded-10'" in reason(statement(rows))


def edit(change: Callable[[Json], object], *, root: bool = True) -> Json:
    document = statement(resources(FILES))
    change(document)
    return rooted(document) if root else document


def serialization(**fields: object) -> Callable[[Json], object]:
    return lambda d: d["predicate"]["serialization"].update(fields)


def resource(index: int = 0, **fields: object) -> Callable[[Json], object]:
    return lambda d: d["predicate"]["resources"][index].update(fields)


FAULTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "another statement type": (
        lambda d: d.update(_type="https://in-toto.io/Statement/v0.1"),
        "_type is 'https://in-toto.io/Statement/v0.1', not",
    ),
    "no statement type": (lambda d: d.pop("_type"), "_type is None, not"),
    "another predicate type": (
        lambda d: d.update(predicateType="https://slsa.dev/provenance/v1"),
        "predicateType is 'https://slsa.dev/provenance/v1', not",
    ),
    "predicate type v0.1 of the same name": (
        lambda d: d.update(predicateType="https://model_signing/signature/v0.1"),
        "predicateType is",
    ),
    "subjects missing": (lambda d: d.pop("subject"), "subject is missing"),
    "subjects an object": (lambda d: d.update(subject={}), "subject is not a list"),
    "no subject": (lambda d: d.update(subject=[]), "subject has 0 entries"),
    "two subjects": (lambda d: d["subject"].append(d["subject"][0]), "subject has 2 entries"),
    "subject a text": (lambda d: d.update(subject=["x"]), "subject[0] is not an object"),
    "subject's name a number": (
        lambda d: d["subject"][0].update(name=1),
        "subject[0].name is not text",
    ),
    "subject without digest": (
        lambda d: d["subject"][0].pop("digest"),
        "subject[0].digest is missing",
    ),
    "subject's digest too short": (
        lambda d: d["subject"][0].update(digest={"sha256": "ab"}),
        "subject[0].digest.sha256 is not a SHA-256 digest",
    ),
    "subject's digest in upper case": (
        lambda d: d["subject"][0].update(digest={"sha256": "AB" * 32}),
        "subject[0].digest.sha256 is not a SHA-256 digest",
    ),
    "another root digest": (
        lambda d: d["subject"][0].update(digest={"sha256": "00" * 32}),
        "the root digest is 0000",
    ),
    "predicate missing": (lambda d: d.pop("predicate"), "predicate is missing"),
    "predicate a list": (lambda d: d.update(predicate=[]), "predicate is not an object"),
    "serialization missing": (
        lambda d: d["predicate"].pop("serialization"),
        "serialization is missing",
    ),
    "resources missing": (lambda d: d["predicate"].pop("resources"), "resources is missing"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_refused(name: str) -> None:
    change, fault = FAULTS[name]
    assert fault in reason(edit(change, root=False))


ROOTED_FAULTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "unknown parameter": (serialization(x=1), "serialization holds the unknown parameter 'x'"),
    "unknown method": (serialization(method="tree"), "method is 'tree', neither"),
    "no method": (serialization(method=None), "method is None, neither"),
    "shard size without shards": (serialization(shard_size=10), "shard_size must be absent"),
    "shard size null without shards": (serialization(shard_size=None), "shard_size must be absent"),
    "no shard size": (serialization(method="shards"), "shard_size is None, not a positive"),
    "shard size zero": (
        serialization(method="shards", shard_size=0),
        "shard_size is 0, not a positive",
    ),
    "shard size negative": (
        serialization(method="shards", shard_size=-1),
        "shard_size is -1, not a positive",
    ),
    "shard size true": (
        serialization(method="shards", shard_size=True),
        "shard_size is True, not a positive",
    ),
    "shard size broken": (
        serialization(method="shards", shard_size=1.5),
        "shard_size is 1.5, not a positive",
    ),
    "shard size a text": (
        serialization(method="shards", shard_size="10"),
        "shard_size is '10', not a positive",
    ),
    "unknown hash": (serialization(hash_type="sha1"), "hash_type is 'sha1', not one of"),
    "hash a list": (serialization(hash_type=["sha256"]), "hash_type is ['sha256'], not one of"),
    "hash for shards of files": (
        serialization(hash_type="sha256-sharded-10"),
        "hash_type is 'sha256-sharded-10', not one of",
    ),
    "links neither true nor false": (
        serialization(allow_symlinks="false"),
        "allow_symlinks is 'false', neither true nor false",
    ),
    "links zero": (serialization(allow_symlinks=0), "allow_symlinks is 0, neither"),
    "links missing": (
        lambda d: d["predicate"]["serialization"].pop("allow_symlinks"),
        "allow_symlinks is None, neither",
    ),
    "ignored paths a text": (serialization(ignore_paths=".git"), "ignore_paths is not a list"),
    "ignored path a number": (serialization(ignore_paths=[1]), "ignore_paths holds 1"),
    "ignored path a glob": (serialization(ignore_paths=["*"]), "ignore_paths holds '*'"),
    "ignored path leads out": (
        serialization(ignore_paths=["../x"]),
        "ignore_paths holds '../x'",
    ),
    "ignored path absolute": (serialization(ignore_paths=["/x"]), "ignore_paths holds '/x'"),
    "ignored path is everything": (serialization(ignore_paths=["."]), "ignore_paths holds '.'"),
    "name a number": (resource(name=1), "resources[0].name is not text"),
    "name missing": (lambda d: d["predicate"]["resources"][0].pop("name"), "name is not text"),
    "digest of another length": (
        resource(digest="ab" * 20),
        "resources[0].digest is not a sha256 digest in hex",
    ),
    "digest in upper case": (
        resource(digest="AB" * 32),
        "resources[0].digest is not a sha256 digest in hex",
    ),
    "name twice": (resource(1, name="a"), "resources 'a' stands there twice"),
    "names unsorted": (resource(0, name="z"), "resources are not sorted by name"),
}


@pytest.mark.parametrize("name", ROOTED_FAULTS)
def test_what_is_refused_though_the_root_digest_is_right(name: str) -> None:
    change, fault = ROOTED_FAULTS[name]
    assert fault in reason(edit(change))


@pytest.mark.parametrize(
    "name",
    ["", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a/.", "..", "a\0"],
)
def test_a_name_that_is_no_normalised_relative_path(name: str) -> None:
    fault = "is not a normalised relative path"
    assert fault in reason(statement([dict(resources({"a": b""})[0], name=name)]))
    assert fault in reason(statement_v02({name: b"1"}))
    if name:
        rows = [dict(row, name=f"{name}:0:1") for row in resources({"a": b"1"})]
        assert fault in reason(statement(rows, method="shards", shard_size=1))


@pytest.mark.parametrize("document", [[], "x", None, 1])
def test_what_is_no_statement(document: object) -> None:
    assert reason(document) == "the statement is not an object"


def test_a_resource_that_is_no_object() -> None:
    document = statement([])
    document["predicate"]["resources"] = ["a"]
    assert reason(document) == "resources[0] is not an object"


@pytest.mark.parametrize("payload", [b"", b"{", b'{"a":1,"a":2}', b"\xff", b"[" * 90 + b"]" * 90])
def test_what_is_no_strict_json(payload: bytes) -> None:
    with pytest.raises(Malformed):
        decode_statement(payload)


SHARD_FAULTS = {
    "gap at the start": (["a:10:20"], "leave a gap or overlap at byte 0"),
    "gap": (["a:0:10", "a:20:30"], "leave a gap or overlap at byte 10"),
    "overlap": (["a:0:10", "a:5:15"], "leave a gap or overlap at byte 10"),
    "short one in the middle": (["a:0:5", "a:5:15"], "leave a gap or overlap at byte 0"),
    "too long": (["a:0:11"], "leave a gap or overlap at byte 0"),
    "backwards": (["a:0:10", "a:10:5"], "leave a gap or overlap at byte 10"),
    "empty": (["a:0:10", "a:10:10"], "leave a gap or overlap at byte 10"),
    "no range": (["a"], "resources[0].name 'a' is not <path>:<start>:<end>"),
    "leading zero": (["a:0:010"], "is not <path>:<start>:<end>"),
    "negative": (["a:-1:9"], "is not <path>:<start>:<end>"),
    "not ASCII": (["a:0:\u0661"], "is not <path>:<start>:<end>"),
    "too many digits": (["a:0:" + "9" * 30], "is not <path>:<start>:<end>"),
    "no name": ([":0:10"], "is not <path>:<start>:<end>"),
    "twice": (["a:0:10", "a:0:10"], "'a:0:10' stands there twice"),
    "ends at zero": (["a:0:0"], "is not <path>:<start>:<end>"),
}


@pytest.mark.parametrize("name", SHARD_FAULTS)
def test_shards_that_do_not_tile_their_file(name: str) -> None:
    names, fault = SHARD_FAULTS[name]
    rows = [dict(resources({"x": b"1"})[0], name=each) for each in names]
    assert fault in reason(statement(rows, method="shards", shard_size=10))


def test_a_statement_of_v02() -> None:
    found = decode(statement_v02(FILES))
    assert found.format == "v0.2"
    assert found.hash_type == "sha256"
    assert set(found.files) == set(FILES)
    assert not found.allow_symlinks
    together = b"".join(hashlib.sha256(data).digest() for data in FILES.values())
    assert found.root_digest == hashlib.sha256(together).hexdigest()
    assert [finding.code for finding in found.findings] == [Code.FORMAT_DEPRECATED]


def test_a_statement_of_v02_with_its_annotation() -> None:
    document = statement_v02(FILES)
    document["subject"][0]["annotations"] = {"actual_hash_algorithm": "file-sha256"}
    assert decode(document).format == "v0.2"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"annotations": {"actual_hash_algorithm": "file-blake2"}}, "is hashed by 'file-blake2'"),
        ({"annotations": []}, "annotations is not an object"),
        ({"name": "b/c"}, "subject[1].name 'b/c' stands there twice"),
        ({"digest": {"sha256": 1}}, "subject[0].digest.sha256 is not a SHA-256 digest"),
    ],
)
def test_what_is_refused_of_v02(change: Json, fault: str) -> None:
    document = copy.deepcopy(statement_v02(FILES))
    document["subject"][0].update(change)
    assert fault in reason(document)
