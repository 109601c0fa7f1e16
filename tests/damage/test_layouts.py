"""The two layouts in which people's models hold links: the Hugging Face cache, and volumes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.builders import Model, check, expect, findings, statement_of
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"weights"


class Snapshot(Model):
    """A snapshot of a Hugging Face cache; its one link leads to `target`."""

    def __init__(
        self, parent: Path, target: str = "../../blobs/abc", *, snapshots: str = "snapshots"
    ) -> None:
        repository = parent / "models--org--name"
        super().__init__(repository / snapshots, {}, name="0123abcd")
        self.blobs = repository / "blobs"
        self.blobs.mkdir()
        (self.blobs / "abc").write_bytes(DATA)
        (repository / "other").mkdir()
        (repository / "other/x").write_bytes(DATA)
        (self.path / "weights.bin").symlink_to(target)
        self.allow(allow_symlinks=True).resign(statement_of({"weights.bin": DATA}))


def test_a_snapshot(tmp_path: Path) -> None:
    expect(Snapshot(tmp_path), Reason.VERIFIED)


def test_a_snapshot_with_links_from_below(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    (model.path / "sub").mkdir()
    (model.path / "sub/more.bin").symlink_to("../../../blobs/abc")
    model.resign(statement_of({"weights.bin": DATA, "sub/more.bin": DATA}))
    expect(model, Reason.VERIFIED)


def test_a_whole_repository_of_the_cache(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    model.signature.unlink()
    repository = model.path.parents[1]
    model.allow(path=str(repository), signature_path=str(tmp_path / "repository.sig"))
    model.signature = tmp_path / "repository.sig"
    names = ("blobs/abc", "other/x", "snapshots/0123abcd/weights.bin")
    model.resign(statement_of(dict.fromkeys(names, DATA)))
    expect(model, Reason.VERIFIED)


def test_a_changed_blob(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    (model.blobs / "abc").write_bytes(b"Weights")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "weights.bin")


def test_the_layout_does_not_allow_links_by_itself(tmp_path: Path) -> None:
    model = Snapshot(tmp_path).allow(allow_symlinks=False)
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_FORBIDDEN, "weights.bin")


def test_a_missing_blob(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    (model.blobs / "abc").unlink()
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_DANGLING, "weights.bin")


def test_a_missing_blob_store(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    (model.blobs / "abc").unlink()
    model.blobs.rmdir()
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_DANGLING, "weights.bin")


def test_a_blob_that_is_a_link(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    (model.blobs / "abc").rename(model.blobs / "def")
    (model.blobs / "abc").symlink_to("def")
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_ESCAPES, "weights.bin")


def test_a_blob_that_is_a_directory(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    (model.blobs / "abc").unlink()
    (model.blobs / "abc").mkdir()
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_ESCAPES, "weights.bin")


def test_a_blob_that_is_a_fifo(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    (model.blobs / "abc").unlink()
    os.mkfifo(model.blobs / "abc")
    expect(model, Reason.POLICY_VIOLATION, Code.SPECIAL_FILE, "weights.bin")


def test_a_blob_store_that_is_a_link(tmp_path: Path) -> None:
    model = Snapshot(tmp_path)
    model.blobs.rename(model.blobs.parent / "elsewhere")
    model.blobs.symlink_to("elsewhere")
    report = model.verify()
    assert report.reason is Reason.POLICY_VIOLATION
    assert findings(report)[0].path == "weights.bin"


@pytest.mark.parametrize(
    "target",
    [
        "../../blobs/..",
        "../../blobs/.",
        "../../blobs/",
        "../../blobs",
        "../../blobs/../other/x",
        "../../blobs/sub/abc",
        "../../other/x",
        "../../../blobs/abc",
        "../blobs/abc",
        "../../blobs/abc/../abc",
        "../../BLOBS/abc",
        "../../blobs/abc/",
    ],
)
def test_other_ways_out_of_a_snapshot(tmp_path: Path, target: str) -> None:
    model = Snapshot(tmp_path, target)
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_ESCAPES, "weights.bin")


@pytest.mark.parametrize("snapshots", ["snapshot", "Snapshots", "snapshots/more"])
def test_only_a_snapshot_may_lead_to_blobs(tmp_path: Path, snapshots: str) -> None:
    model = Snapshot(tmp_path, snapshots=snapshots)
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_ESCAPES, "weights.bin")


VERSION = "..2024_01_01_12_00_00.1234567890"


class Volume(Model):
    """A projected volume, as the kubelet's atomic writer lays it out."""

    def __init__(self, parent: Path, *, published: str = VERSION) -> None:
        super().__init__(parent, {f"{published}/config.json": DATA}, name="volume")
        (self.path / "..data").symlink_to(published)
        (self.path / "config.json").symlink_to("..data/config.json")
        self.signature = parent / "volume.sig"
        self.allow(allow_symlinks=True).resign(statement_of({"config.json": DATA}))


def test_a_projected_volume(tmp_path: Path) -> None:
    report = expect(Volume(tmp_path), Reason.VERIFIED)
    assert report.models[0].ignored == (VERSION, "..data")


def test_a_projected_volume_with_a_directory(tmp_path: Path) -> None:
    model = Volume(tmp_path)
    model.write(f"{VERSION}/sub/more", b"more")
    (model.path / "sub").symlink_to("..data/sub")
    model.resign(statement_of({"config.json": DATA, "sub/more": b"more"}))
    expect(model, Reason.VERIFIED)


def test_a_changed_file_in_a_projected_volume(tmp_path: Path) -> None:
    model = Volume(tmp_path)
    model.write(f"{VERSION}/config.json", b"Weights")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "config.json")


def test_a_projected_volume_needs_links_to_be_allowed(tmp_path: Path) -> None:
    forbidden = Code.SYMLINK_FORBIDDEN
    report = Volume(tmp_path).allow(allow_symlinks=False).verify()
    check(
        report,
        Reason.CONTENT_MISMATCH,
        (forbidden, "..data"),
        (forbidden, "config.json"),
        (Code.FILE_UNSIGNED, f"{VERSION}/config.json"),
    )


@pytest.mark.parametrize(
    "name", ["..evil/payload", "..evil", "..data2", "...", "..2024_01_01_12_00_00.1/old"]
)
def test_such_a_volume_hides_nothing_else(tmp_path: Path, name: str) -> None:
    model = Volume(tmp_path)
    model.write(name, b"x")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, name)


@pytest.mark.parametrize("name", ["..evil", "..2024", "..2024_01_01_12_00_00.x", "...data"])
def test_a_published_directory_with_another_name_hides_nothing(tmp_path: Path, name: str) -> None:
    report = Volume(tmp_path, published=name).verify()
    assert report.reason is Reason.CONTENT_MISMATCH
    assert (Code.FILE_UNSIGNED, f"{name}/config.json") in [
        (f.code, f.path) for f in findings(report)
    ]
    assert report.models[0].ignored == ()


@pytest.mark.parametrize(
    "where", ["/srv", "../other", "..", "sub", f"{VERSION}/../{VERSION}", VERSION, "."]
)
def test_a_published_link_to_elsewhere_hides_nothing(tmp_path: Path, where: str) -> None:
    model = Model(tmp_path, {"config.json": DATA, "..evil": b"x"}).allow(allow_symlinks=True)
    (model.path / "..data").symlink_to(where)
    model.resign(statement_of({"config.json": DATA}))
    report = model.verify()
    assert report.reason in (Reason.POLICY_VIOLATION, Reason.CONTENT_MISMATCH)
    assert (Code.FILE_UNSIGNED, "..evil") in [(f.code, f.path) for f in findings(report)]
    assert "..data" not in report.models[0].ignored


def test_the_layout_counts_at_the_top_only(tmp_path: Path) -> None:
    model = Model(tmp_path, {"sub/..v1/file": DATA}).allow(allow_symlinks=True)
    (model.path / "sub/..data").symlink_to("..v1")
    (model.path / "sub/file").symlink_to("..data/file")
    model.resign(statement_of({"sub/file": DATA}))
    expect(
        model,
        Reason.CONTENT_MISMATCH,
        Code.FILE_UNSIGNED,
        "sub/..data/file",
        also=[(Code.FILE_UNSIGNED, "sub/..v1/file")],
    )


def test_a_directory_called_data_is_not_the_layout(tmp_path: Path) -> None:
    model = Model(tmp_path, {"config.json": DATA, "..data/file": DATA, "..evil": DATA})
    model.allow(allow_symlinks=True).resign(statement_of({"config.json": DATA}))
    unsigned = Code.FILE_UNSIGNED
    expect(model, Reason.CONTENT_MISMATCH, unsigned, "..data/file", also=[(unsigned, "..evil")])
