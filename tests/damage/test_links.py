"""Symbolic links in a model: forbidden by default, and contained where they are allowed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    FILES,
    Model,
    as_nobody,
    expect,
    findings,
    mode_of,
    public_directory,
    statement_of,
)
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = b"outside the model"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A model beside a file that is none of it; the policy allows links."""
    (tmp_path / "outside").write_bytes(SECRET)
    (tmp_path / "model-2").mkdir()
    (tmp_path / "model-2/config.json").write_bytes(SECRET)
    return Model(tmp_path).allow(allow_symlinks=True)


def linked(model: Model, target: str, *, name: str = "link", data: bytes = SECRET) -> Model:
    """The model with a link, signed as if the link were a file with that data."""
    (model.path / name).symlink_to(target)
    return sign(model, {**FILES, name: data})


def sign(model: Model, files: dict[str, bytes]) -> Model:
    return model.resign(statement_of(files))


@pytest.mark.parametrize("target", ["config.json", "missing", "../outside", "/etc/passwd", "."])
def test_every_link_is_refused_unless_links_are_allowed(model: Model, target: str) -> None:
    linked(model, target).allow(allow_symlinks=False)
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_FORBIDDEN, "link")


def test_a_link_in_the_place_of_a_signed_file(model: Model) -> None:
    sign(model, FILES).allow(allow_symlinks=False)
    (model.path / "config.json").rename(model.path.parent / "moved")
    (model.path / "config.json").symlink_to("../moved")
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_FORBIDDEN, "config.json")


def test_a_link_in_the_place_of_a_signed_directory(model: Model) -> None:
    sign(model, FILES).allow(allow_symlinks=False)
    (model.path / "sub").rename(model.path.parent / "moved")
    (model.path / "sub").symlink_to("../moved")
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_FORBIDDEN, "sub")


def test_an_unsigned_link_is_an_unsigned_file(model: Model) -> None:
    sign(model, FILES)
    (model.path / "link").symlink_to("config.json")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "link")


@pytest.mark.parametrize("who", ["policy", "signature"])
def test_a_link_that_stays_inside(model: Model, who: str) -> None:
    model.allow(allow_symlinks=who == "policy")
    (model.path / "link").symlink_to("sub/adapter.bin")
    files = FILES | {"link": FILES["sub/adapter.bin"]}
    model.resign(statement_of(files, allow_symlinks=who == "signature"))
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize(
    "target",
    [
        "./config.json",
        "sub/../config.json",
        "sub//..//./config.json",
        "{model}/config.json",
        "{model}/sub/../config.json",
    ],
)
def test_other_ways_to_stay_inside(model: Model, target: str) -> None:
    linked(model, target.format(model=model.path), data=FILES["config.json"])
    expect(model, Reason.VERIFIED)


@pytest.mark.parametrize(
    "target",
    [
        "../outside",
        "sub/../../outside",
        "../model-2/config.json",
        "../model/config.json",
        "{model}/../outside",
        "{model}-2/config.json",
        "{parent}/outside",
        "/etc/hostname",
        "/",
        "..",
        "../..",
        "//etc/hostname",
        "/proc/self/root/etc/hostname",
    ],
)
@pytest.mark.parametrize("who", ["policy", "signature"])
def test_a_link_out_of_the_model(model: Model, target: str, who: str) -> None:
    (model.path / "link").symlink_to(target.format(model=model.path, parent=model.path.parent))
    files = FILES | {"link": SECRET}
    model.allow(allow_symlinks=who == "policy")
    model.resign(statement_of(files, allow_symlinks=who == "signature"))
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_ESCAPES, "link")


def test_a_link_out_of_the_model_from_below(model: Model) -> None:
    linked(model, "../../outside", name="sub/link")
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_ESCAPES, "sub/link")


def test_a_linked_directory_outside_is_not_entered(model: Model) -> None:
    linked(model, "../model-2", name="more")
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_ESCAPES, "more")


def test_a_chain_of_links(model: Model) -> None:
    (model.path / "one").symlink_to("sub/two")
    (model.path / "sub/two").symlink_to("../config.json")
    sign(model, FILES | dict.fromkeys(("one", "sub/two"), FILES["config.json"]))
    expect(model, Reason.VERIFIED)


def test_a_chain_of_links_whose_end_is_outside(model: Model) -> None:
    (model.path / "one").symlink_to("sub/two")
    (model.path / "sub/two").symlink_to("../../outside")
    sign(model, FILES | dict.fromkeys(("one", "sub/two"), SECRET))
    escapes = Code.SYMLINK_ESCAPES
    expect(model, Reason.POLICY_VIOLATION, escapes, "one", also=[(escapes, "sub/two")])


def test_a_way_out_through_a_linked_directory(model: Model) -> None:
    (model.path / "a").symlink_to("..")
    (model.path / "b").symlink_to("a/outside")
    sign(model, FILES | {"b": SECRET})
    escapes = Code.SYMLINK_ESCAPES
    expect(model, Reason.POLICY_VIOLATION, escapes, "a", also=[(escapes, "b")])


def test_a_linked_directory_in_the_model(model: Model) -> None:
    (model.path / "alias").symlink_to("sub")
    sign(model, FILES | {"alias/adapter.bin": FILES["sub/adapter.bin"]})
    expect(model, Reason.VERIFIED)
    model.write("sub/adapter.bin", b"other")
    expect(
        model,
        Reason.CONTENT_MISMATCH,
        Code.FILE_MODIFIED,
        "alias/adapter.bin",
        also=[(Code.FILE_MODIFIED, "sub/adapter.bin")],
    )


def test_an_unsigned_file_shows_under_every_name(model: Model) -> None:
    (model.path / "alias").symlink_to("sub")
    sign(model, FILES | {"alias/adapter.bin": FILES["sub/adapter.bin"]})
    model.write("sub/new", b"")
    unsigned = Code.FILE_UNSIGNED
    expect(model, Reason.CONTENT_MISMATCH, unsigned, "alias/new", also=[(unsigned, "sub/new")])


@pytest.mark.parametrize(
    "target", ["missing", "sub/missing", "config.json/x", "{model}/missing", "missing/../x"]
)
def test_a_dangling_link(model: Model, target: str) -> None:
    linked(model, target.format(model=model.path))
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_DANGLING, "link")


@pytest.mark.parametrize("target", ["config.json/.", "config.json/", "config.json/../config.json"])
def test_a_link_through_a_file_leads_nowhere(model: Model, target: str) -> None:
    linked(model, target, data=FILES["config.json"])
    with pytest.raises(NotADirectoryError):
        (model.path / "link").read_bytes()
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_DANGLING, "link")


@pytest.mark.parametrize("target", ["link", "./link", "sub/../link", "{model}/link"])
def test_a_link_to_itself(model: Model, target: str) -> None:
    linked(model, target.format(model=model.path))
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_CYCLE, "link")


def test_two_links_to_each_other(model: Model) -> None:
    (model.path / "one").symlink_to("two")
    (model.path / "two").symlink_to("one")
    sign(model, FILES | {"one": b"", "two": b""})
    cycle = Code.SYMLINK_CYCLE
    expect(model, Reason.POLICY_VIOLATION, cycle, "one", also=[(cycle, "two")])


@pytest.mark.parametrize(
    ("name", "target"),
    [("sub/up", ".."), ("sub/here", "."), ("up", "."), ("sub/up", "{model}"), ("up", "{model}/")],
)
def test_a_link_to_a_directory_above_itself(model: Model, name: str, target: str) -> None:
    (model.path / name).symlink_to(target.format(model=model.path))
    sign(model, FILES)
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_CYCLE, name)


def test_two_directories_linked_to_each_other(model: Model) -> None:
    model.write("a/file", b"a")
    model.write("b/file", b"b")
    (model.path / "a/b").symlink_to("../b")
    (model.path / "b/a").symlink_to("../a")
    sign(model, FILES | {"a/file": b"a", "b/file": b"b", "a/b/file": b"b", "b/a/file": b"a"})
    cycle = Code.SYMLINK_CYCLE
    expect(model, Reason.POLICY_VIOLATION, cycle, "a/b/a", also=[(cycle, "b/a/b")])


def test_forty_links_are_followed_and_not_one_more(model: Model) -> None:
    for number in range(41):
        target = "config.json" if number == 0 else str(number - 1)
        (model.path / str(number)).symlink_to(target)
    sign(model, FILES | {str(number): FILES["config.json"] for number in range(41)})
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_CYCLE, "40")


def test_a_link_to_a_fifo(model: Model) -> None:
    os.mkfifo(model.path / "pipe")
    linked(model, "pipe")
    special = Code.SPECIAL_FILE
    expect(model, Reason.POLICY_VIOLATION, special, "link", also=[(special, "pipe")])


def test_links_that_multiply_directories(model: Model) -> None:
    """Twelve directories, each with two links to the next: 4096 ways to the last one."""
    for number in range(12):
        (model.path / f"d{number}").mkdir()
        for way in "ab":
            (model.path / f"d{number}/{way}").symlink_to(f"../d{number + 1}")
    model.write("d12/file", b"x")
    report = sign(model, FILES).verify()
    assert report.reason is Reason.MODEL_UNREADABLE
    assert Code.TOO_LARGE in {finding.code for finding in findings(report)}


@pytest.fixture
def public() -> Iterator[Path]:
    with public_directory() as directory:
        yield directory


def test_a_link_into_a_directory_that_cannot_be_entered(public: Path) -> None:
    model = Model(public).allow(allow_symlinks=True)
    (model.path / "link").symlink_to("sub/adapter.bin")
    sign(model, FILES | {"link": FILES["sub/adapter.bin"]})
    expect(model, Reason.VERIFIED)
    with mode_of(model.path / "sub", 0):
        unreadable = Code.UNREADABLE
        as_nobody(
            lambda: expect(
                model, Reason.MODEL_UNREADABLE, unreadable, "link", also=[(unreadable, "sub")]
            )
        )
