"""What is in the images, read from their archives, and that it all works."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import stat
import tarfile
from dataclasses import dataclass
from datetime import datetime
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.images.conftest import BUILT
from tests.images.containers import FLAGS, Podman
from verifier_cli import __version__

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
HOME = PurePosixPath("opt/model-verify")
PACKAGES = HOME / "lib/python3.13/site-packages"
USR_BIN = PurePosixPath("usr/bin")
MEGABYTE = 1_000_000
# What programs start with: ELF, or the name of an interpreter.
STARTS = (b"\x7fELF", b"#!/b", b"#!/u", b"#!/o", b"#! /")
# Directories of the base that are empty.
PRIVATE = ("home/nonroot", "root", "etc/ssl/private", "var/lib/private")
LABEL = "org.opencontainers.image"
# The lowest byte of the flags in a byte code file (PEP 552): by the hash of the source, checked.
CHECKED_HASH = 0b11


class Archive:
    """The manifest, the configuration and the files of an image in an OCI archive."""

    def __init__(self, path: Path) -> None:
        self.tar = tarfile.open(path)  # noqa: SIM115  (closed by the fixture)
        (listed,) = self._json("index.json")["manifests"]
        self.digest = listed["digest"]
        self.manifest = self._json(self.digest)
        self.config = self._json(self.manifest["config"]["digest"])
        layers = [self._open(layer["digest"]) for layer in self.manifest["layers"]]
        self.layers = [tarfile.open(fileobj=layer) for layer in layers]  # noqa: SIM115  (the same)
        self.files: dict[PurePosixPath, tuple[tarfile.TarFile, tarfile.TarInfo]] = {}
        for layer in self.layers:
            for member in layer:
                assert not PurePosixPath(member.name).name.startswith(".wh."), "deletes nothing"
                self.files[PurePosixPath(member.name)] = (layer, member)

    def members(self) -> list[tarfile.TarInfo]:
        return [member for _, member in self.files.values()]

    def below(self, directory: str) -> list[str]:
        """The names in a directory."""
        parent = PurePosixPath(directory)
        return sorted(path.name for path in self.files if path.parent == parent)

    def read(self, path: PurePosixPath) -> bytes:
        layer, member = self.files[path]
        stream = layer.extractfile(member)
        assert stream is not None
        return stream.read()

    def _open(self, name: str) -> IO[bytes]:
        """A file of the archive by name, or a blob by digest."""
        path = f"blobs/{name.replace(':', '/')}" if ":" in name else name
        stream = self.tar.extractfile(path)
        assert stream is not None
        return stream

    def _json(self, name: str) -> Json:
        loaded: Json = json.load(self._open(name))
        return loaded


@dataclass(frozen=True)
class Promised:
    """What an image is to be, beyond what all are."""

    title: str
    description: str
    start: list[list[str] | None]
    commands: tuple[str, ...]
    megabytes: tuple[int, int]
    absent: tuple[str, ...] = ()
    ours: tuple[tuple[str, str], ...] = ()


START = "/opt/model-verify/bin"
PROMISED = {
    "verifier": Promised(
        title="model-verify",
        description="Verifies signed machine-learning models before a pod loads them",
        start=[[f"{START}/model-verify"], ["init"]],
        commands=("model-verify",),
        megabytes=(40, 110),
        absent=("aiohttp", "kopf", "uvicorn", "webhook", "controller", "apiserver"),
        ours=(("model-verify-native", "0.1.0"),),
    ),
    "operator": Promised(
        title="model-verify-operator",
        description="Wires the verifier of machine-learning models into pods, and reports what it"
        " says",
        start=[[f"{START}/model-verify-controller"], None],
        commands=("model-verify", "model-verify-controller", "model-verify-webhook"),
        megabytes=(60, 150),
    ),
}


@pytest.fixture(scope="module", params=PROMISED)
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def promised(which: str) -> Promised:
    return PROMISED[which]


@pytest.fixture(scope="module")
def told(described: Json, which: str) -> Json:
    """What images.json says of the image."""
    found: Json = described[which]
    return found


@pytest.fixture(scope="module")
def archive(told: Json, which: str) -> Iterator[Archive]:
    assert told
    opened = Archive(BUILT / f"{which}.oci.tar")
    yield opened
    for tar in (*opened.layers, opened.tar):
        tar.close()


def test_the_description_is_of_this_archive(archive: Archive, told: Json) -> None:
    assert told["digest"] == archive.digest
    assert told["config"] == archive.manifest["config"]["digest"]
    assert told["compressedBytes"] == sum(layer["size"] for layer in archive.manifest["layers"])
    assert set(told["bases"]) == {"BUILDER", "RUNTIME"}
    assert all(base["digest"].startswith("sha256:") for base in told["bases"].values())


def test_it_is_as_small_as_promised(archive: Archive, told: Json, promised: Promised) -> None:
    compressed, unpacked = promised.megabytes
    assert told["compressedBytes"] <= compressed * MEGABYTE
    assert told["unpackedBytes"] <= unpacked * MEGABYTE
    assert sum(member.size for member in archive.members()) < told["unpackedBytes"]


def test_it_starts_as_nobody_in_particular(archive: Archive, promised: Promised) -> None:
    config = archive.config["config"]
    assert config["User"] == "65532:65532"
    assert [config["Entrypoint"], config.get("Cmd")] == promised.start
    assert "PATH=/opt/model-verify/bin:/usr/bin" in config["Env"]
    assert "Volumes" not in config
    assert "ExposedPorts" not in config


def test_its_labels_say_what_it_is(archive: Archive, told: Json, promised: Promised) -> None:
    labels = archive.config["config"]["Labels"]
    assert labels == {
        f"{LABEL}.title": promised.title,
        f"{LABEL}.description": promised.description,
        f"{LABEL}.licenses": "Apache-2.0",
        f"{LABEL}.version": __version__,
        f"{LABEL}.revision": told["revision"],
    }
    runtime = told["bases"]["RUNTIME"]
    assert archive.manifest["annotations"] == {
        f"{LABEL}.base.name": runtime["reference"],
        f"{LABEL}.base.digest": runtime["digest"],
    }


def test_nothing_of_its_build_remains(podman: Podman, described: Json) -> None:
    assert described
    assert "working-container" not in podman("ps", "--all", "--external").stdout


def test_nothing_in_it_is_younger_than_its_commit(archive: Archive) -> None:
    created = datetime.fromisoformat(archive.config["created"])
    assert max(member.mtime for member in archive.members()) <= created.timestamp()


def test_nothing_in_it_gains_rights_or_can_be_changed(archive: Archive) -> None:
    for member in archive.members():
        assert not member.mode & (stat.S_ISUID | stat.S_ISGID), member.name
        if member.mode & stat.S_IWOTH and not member.issym():
            # /tmp and its like: in a pod they are read-only with the rest.
            assert member.isdir(), member.name
            assert member.mode & stat.S_ISVTX, member.name
        assert member.isfile() or member.isdir() or member.issym() or member.islnk(), member.name


def test_everything_belongs_to_root_and_can_be_read_by_all(archive: Archive) -> None:
    for path, (_, member) in archive.files.items():
        if str(path) in PRIVATE:
            continue
        assert (member.uid, member.gid) == (0, 0), path
        assert member.mode & stat.S_IROTH, path
        assert not member.isdir() or member.mode & stat.S_IXOTH, path


def test_there_is_nothing_to_run_but_python_and_our_own(
    archive: Archive, promised: Promised
) -> None:
    programs = [
        path
        for path, (_, member) in archive.files.items()
        if member.isfile() and member.mode & 0o111 and archive.read(path)[:4] in STARTS
    ]
    own = [path for path in programs if ".so" not in path.name]
    # Debian's own script lies about, for a shell that is not there.
    shell = [path for path in own if archive.read(path).startswith(b"#!/bin/sh")]
    python = [path for path in own if path.is_relative_to("usr/lib/python3.13")]
    ours = {HOME / "bin" / command for command in promised.commands}
    assert set(own) - {*shell, *python} == {*ours, USR_BIN / "python3.13"}
    assert archive.below("usr/bin") == ["python", "python3", "python3.13"]
    assert archive.below("usr/sbin") == []
    interpreter = ["python", "python3", "python3.13"]
    assert archive.below(f"{HOME}/bin") == [*promised.commands, *interpreter]


TOOLS = "sh bash dash busybox perl apt apt-get dpkg gcc cc ld curl wget git mount openssl mawk awk"
INSTALLERS = "pip setuptools ensurepip hatchling uv pytest"


@pytest.mark.parametrize("name", TOOLS.split())
def test_there_is_no_tool_for_an_intruder(archive: Archive, name: str) -> None:
    for path, (_, member) in archive.files.items():
        if path.name == name:
            assert not member.mode & 0o111 or member.isdir(), path


@pytest.mark.parametrize("name", INSTALLERS.split())
def test_nothing_can_be_installed(archive: Archive, name: str) -> None:
    for path in archive.files:
        assert name not in path.parts, path


def test_no_package_brings_its_tests(archive: Archive) -> None:
    for path in archive.files:
        if path.is_relative_to(PACKAGES):
            names = {"tests", "test_data", "testdata", "conftest.py"}
            assert not names & set(path.parts), path


def test_commands_run_isolated_from_the_environment(archive: Archive, promised: Promised) -> None:
    for command in promised.commands:
        first = archive.read(HOME / "bin" / command).split(b"\n", 1)[0]
        assert first == b"#!/opt/model-verify/bin/python -I"


def test_what_it_has_no_use_for_is_not_there(archive: Archive, promised: Promised) -> None:
    for path in archive.files:
        if path.is_relative_to(PACKAGES):
            assert not {*path.parts[:7]} & {*promised.absent}, path


def test_the_byte_code_is_there_and_holds_for_the_source_beside_it(archive: Archive) -> None:
    ours = PACKAGES / "verifier_cli"
    sources = [path for path in archive.files if path.suffix == ".py" and ours in path.parents]
    assert sources
    standard = [PurePosixPath(f"usr/lib/python3.13/{name}.py") for name in ("json/decoder", "ssl")]
    for source in [*sources, *standard]:
        code = archive.read(source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc")
        assert code[4] == CHECKED_HASH, source


def test_the_bill_of_materials_lists_what_is_installed(
    archive: Archive, promised: Promised
) -> None:
    bill = json.loads(archive.read(HOME / "sbom.cdx.json"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "model-verify"
    components = [
        (c.get("purl", "").split("/")[0], c["name"], c["version"]) for c in bill["components"]
    ]
    assert len(set(components)) == len(components)
    listed = {each for each in components if each[0] in ("pkg:pypi", "pkg:deb")}
    installed = {("pkg:pypi", *named(archive, path)) for path in metadata(archive)}
    installed |= {("pkg:deb", *named(archive, path)) for path in controls(archive)}
    # Ours are not from the index: the image itself, and what it lists without a package URL.
    assert {("", *each) for each in promised.ours} <= set(components)
    ours = {("pkg:pypi", *each) for each in (("model-verify", __version__), *promised.ours)}
    assert listed | ours == installed
    # What is compiled into a wheel, by the wheel's own word.
    assert {"openssl", "openssl-src"} <= {name for _, name, _ in set(components) - listed}


def test_it_holds_the_locked_versions_and_nothing_that_was_left_out(
    archive: Archive, which: str, promised: Promised
) -> None:
    locked = (ROOT / "requirements" / f"{which}.txt").read_text(encoding="utf-8")
    wanted = set(
        re.findall(r"^([a-z0-9.-]+)==(\S+)(?: ; (?!sys_platform)|  ?\\)", locked, re.MULTILINE)
    )
    found = {named(archive, path) for path in metadata(archive)}
    normal = {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in found}
    assert normal == wanted | {("model-verify", __version__), *promised.ours}


def metadata(archive: Archive) -> list[PurePosixPath]:
    return [p for p in archive.files if p.parent.parent == PACKAGES and p.name == "METADATA"]


def controls(archive: Archive) -> list[PurePosixPath]:
    status = PurePosixPath("var/lib/dpkg/status.d")
    return [p for p in archive.files if p.parent == status and p.suffix != ".md5sums"]


def named(archive: Archive, path: PurePosixPath) -> tuple[str, str]:
    fields = HeaderParser().parsestr(archive.read(path).decode())
    return fields.get("Name", fields["Package"]), fields["Version"]


def run(podman: Podman, image: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the verifier with the test data below its working directory."""
    mount = f"--volume={ROOT / 'testdata'}:/work/testdata:ro"
    options = ("--rm", *FLAGS, mount, "--workdir=/work")
    return podman("run", *options, image, *arguments, check=False)


CASES = json.loads((ROOT / "testdata/cases.json").read_bytes())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_case_ends_as_promised_in_the_image(
    podman: Podman, verifier: str, case: Json
) -> None:
    ran = run(podman, verifier, "verify", *case["arguments"], "--output=json")
    assert ran.returncode == case["exitCode"], ran.stderr
    assert json.loads(ran.stdout)["reason"] == case["reason"]


@pytest.mark.parametrize("method", ["key", "certificate", "sigstore"])
def test_the_reference_engine_works_in_the_image(
    podman: Podman, verifier: str, method: str
) -> None:
    (case,) = [case for case in CASES if case["name"] == f"savedmodel-{method}"]
    ran = run(podman, verifier, "verify", *case["arguments"], "--engine=both", "--output=json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["engine"] == "both"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("version",), f"model-verify       {__version__}"),
        (("--help",), "Usage: model-verify"),
        (("inspect", "testdata/savedmodel-sigstore/model.sig"), "release@example.com"),
        (("policy", "check", "testdata/policies/sigstore.yaml"), "sigstore.yaml"),
        (("render", "-f", "testdata/policies/sigstore.yaml"), "kind: ConfigMap"),
    ],
    ids=["version", "help", "inspect", "policy-check", "render"],
)
def test_every_command_works_in_the_image(
    podman: Podman, verifier: str, arguments: tuple[str, ...], shown: str
) -> None:
    ran = run(podman, verifier, *arguments)
    assert ran.returncode == 0, ran.stderr
    assert shown in ran.stdout


def test_the_call_in_the_documentation_works(podman: Podman, verifier: str) -> None:
    page = (ROOT / "docs/image.md").read_text(encoding="utf-8")
    (call,) = re.findall(r"^docker (run .* verify .*)$", page, re.MULTILINE)
    assert verifier in call
    options = shlex.split(call.replace("$PWD", str(ROOT / "testdata")))
    filled = {"MODEL": "savedmodel-key", "release.pub": "trust/key.pub"}
    assert "TRUSTED" in podman(*(filled.get(option, option) for option in options)).stdout


def test_people_at_a_terminal_get_colour_and_a_table(podman: Podman, verifier: str) -> None:
    mount = f"--volume={ROOT / 'testdata'}:/work/testdata:ro"
    command = ("run", "--rm", "--tty", *FLAGS, mount, "--workdir=/work", verifier)
    shown = podman(*command, "verify", *CASES[0]["arguments"]).stdout
    assert "\x1b[" in shown
    assert "TRUSTED" in shown


IMPORT_ALL = """
import importlib, pkgutil, verifier_cli
for module in pkgutil.walk_packages(verifier_cli.__path__, "verifier_cli."):
    importlib.import_module(module.name)
print("imported")
"""


@pytest.mark.parametrize("image", ["verifier", "operator"])
def test_every_module_can_be_imported_without_what_was_left_out(
    podman: Podman, image: str, request: pytest.FixtureRequest
) -> None:
    reference = request.getfixturevalue(image)
    python = ("run", "--rm", *FLAGS, "--entrypoint=/opt/model-verify/bin/python", reference)
    assert podman(*python, "-I", "-c", IMPORT_ALL).stdout == "imported\n"


BOTH = """
import model_verify_native as native
one, other = (native.Sha256(), native.Sha256()) if native.LANES else (None, None)
if one:
    native.update_both(one, memoryview(bytearray(b"a" * 64)), other, memoryview(bytearray(b"b")))
print(native.LANES, *(each.digest().hex() for each in (one, other) if each))
"""


def test_two_files_at_a_time_where_the_processor_can(podman: Podman, verifier: str) -> None:
    python = ("run", "--rm", *FLAGS, "--entrypoint=/opt/model-verify/bin/python", verifier)
    said = podman(*python, "-I", "-c", BOTH).stdout.split()
    able = "sha_ni" in Path("/proc/cpuinfo").read_text("ascii").split()
    digests = [hashlib.sha256(data).hexdigest() for data in (b"a" * 64, b"b")]
    assert said == (["2", *digests] if able else ["0"])
