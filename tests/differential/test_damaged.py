"""Both engines refuse every damaged model and every damaged signature."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.differential.workshop import (
    DAY,
    IDENTITY,
    ISSUER,
    Bench,
    Issued,
    Json,
    KeyPair,
    b64,
    certificate_verifier,
    encode,
    issue,
    key_usage,
    key_verifier,
    new_hashing,
    ours,
    plant,
    resources_of,
    seal_by,
    statement,
    theirs,
)
from tests.private_sigstore import Fault
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Certificate, Key, Material

# model-signing logs by a deprecated method.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")

FILES = {
    "config.json": b"{}",
    "weights": bytes(range(256)) * 10,
    "sub/adapter": b"adapter",
    "sub/deep/x": b"x",
    "sub/deep/y": b"y",
    "empty": b"",
}


def _write(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        path = model / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def _add(name: str, data: bytes = b"planted") -> Callable[[Path], None]:
    return lambda model: (plant(model, {name: data}), None)[-1]


def _remove(name: str) -> Callable[[Path], None]:
    return lambda model: (model / name).unlink()


def _rename(name: str, to: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        (model / name).rename(model / to)

    return damage


def _special(name: str, kind: int, *, instead: bool = False) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        if instead:
            (model / name).unlink()
        os.mknod(model / name, kind | 0o644, os.makedev(1, 3))

    return damage


def _link(name: str, target: str) -> Callable[[Path], None]:
    return lambda model: (model / name).symlink_to(target)


def _swap(one: str, other: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        first, second = (model / one).read_bytes(), (model / other).read_bytes()
        (model / one).write_bytes(second)
        (model / other).write_bytes(first)

    return damage


def _move_out_and_link(model: Path) -> None:
    shutil.move(model / "weights", model.parent / "weights")
    (model / "weights").symlink_to(model.parent / "weights")


def _link_to_an_equal_file(model: Path) -> None:
    (model / "sub" / "deep" / "z").write_bytes(b"x")
    (model / "sub" / "deep" / "x").unlink()
    (model / "sub" / "deep" / "z").rename(model / "sub" / "deep" / "x")
    (model / "sub" / "deep" / "y").unlink()
    (model / "sub" / "deep" / "y").symlink_to("x")


def _directory_instead(model: Path) -> None:
    (model / "weights").unlink()
    (model / "weights").mkdir()


def _file_instead(model: Path) -> None:
    shutil.rmtree(model / "sub" / "deep")
    (model / "sub" / "deep").write_bytes(b"x")


def _everything_gone(model: Path) -> None:
    shutil.rmtree(model)
    model.mkdir()


# What no rule excuses.
ALTERED: dict[str, Callable[[Path], None]] = {
    "first-byte": _write("weights", lambda data: b"\xff" + data[1:]),
    "last-byte": _write("weights", lambda data: data[:-1] + b"\x00"),
    "appended": _write("weights", lambda data: data + b"\x00"),
    "truncated": _write("weights", lambda data: data[:-1]),
    "emptied": _write("sub/adapter", lambda _: b""),
    "empty-filled": _write("empty", lambda _: b"x"),
    "reversed": _write("weights", lambda data: data[::-1]),
    "swapped": _swap("sub/deep/x", "sub/deep/y"),
    "removed": _remove("config.json"),
    "removed-below": _remove("sub/deep/y"),
    "empty-removed": _remove("empty"),
    "renamed": _rename("config.json", "config2.json"),
    "case-renamed": _rename("config.json", "Config.json"),
    "moved-up": _rename("sub/deep/x", "x"),
    "directory-renamed": _rename("sub", "sub2"),
    "directory-instead-of-a-file": _directory_instead,
    "file-instead-of-a-directory": _file_instead,
    "fifo-instead-of-a-file": _special("weights", stat.S_IFIFO, instead=True),
    "socket-instead-of-a-file": _special("weights", stat.S_IFSOCK, instead=True),
    "moved-out-and-linked": _move_out_and_link,
    "linked-to-an-equal-file": _link_to_an_equal_file,
    "everything-gone": _everything_gone,
}
# What is tolerated only where unsigned files are.
ADDED: dict[str, Callable[[Path], None]] = {
    "added": _add("planted.py"),
    "added-below": _add("sub/deep/planted.py"),
    "added-in-a-new-directory": _add("new/planted.py"),
    "added-empty": _add("__init__.py", b""),
    "added-hidden": _add(".hidden"),
    "added-signature": _add("other.sig"),
    "added-git-below": _add("sub/.git/hooks"),
    "added-github-below": _add("sub/.github/x"),
    "added-like-git": _add(".gitmodules"),
    "added-copy": _add("weights2", FILES["weights"]),
    "added-with-trailing-space": _add("weights "),
    "added-not-utf8": _add(os.fsdecode(b"\xff\xfe")),
}
UNTRUE: dict[str, Callable[[Path], None]] = {
    "added-fifo": _special("pipe", stat.S_IFIFO),
    "added-socket": _special("sub/socket", stat.S_IFSOCK),
    "added-link": _link("link", "weights"),
    "added-dangling-link": _link("link", "nowhere"),
    "added-link-to-itself": _link("link", "link"),
    "added-link-to-a-directory": _link("link", "sub"),
    "added-link-out": _link("link", "/etc/hostname"),
}
DAMAGES = ALTERED | ADDED | UNTRUE
FORMS: dict[str, Json] = {
    "files": {},
    "blake3": {"algorithm": "blake3"},
    "blake2": {"algorithm": "blake2"},
    "shards": {"method": "shards"},
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("method", ["key-p256", "certificate-p256", "sigstore"])
def test_both_refuse_a_damaged_model(
    bench: Bench, tmp_path: Path, method: str, damage: str
) -> None:
    _refused(bench, tmp_path, method, DAMAGES[damage], {}, FILES)


@pytest.mark.parametrize("damage", [name for name in DAMAGES if "empty" not in name])
@pytest.mark.parametrize("form", ["blake3", "blake2", "shards"])
def test_both_refuse_a_damaged_model_in_each_form(
    bench: Bench, tmp_path: Path, form: str, damage: str
) -> None:
    files = {name: data for name, data in FILES.items() if data}  # shards cannot sign empty ones
    _refused(bench, tmp_path, "key-p256", DAMAGES[damage], FORMS[form], files)


@pytest.mark.parametrize("damage", [*ALTERED, *ADDED])
def test_both_tolerate_what_was_added_and_nothing_else(
    bench: Bench, tmp_path: Path, damage: str
) -> None:
    how, model, signature = bench["key-p256"], plant(tmp_path / "model", FILES), tmp_path / "sig"
    how.sign(model, signature, None)
    DAMAGES[damage](model)
    mine = ours(model, signature, how.signer, ignore_unsigned_files=True)
    reference = theirs(model, signature, how.verifier, ignore_unsigned_files=True)
    assert (mine.accepted, reference.accepted) == (damage in ADDED,) * 2, (mine.why, reference.why)


def _refused(  # noqa: PLR0913, PLR0917
    bench: Bench,
    work: Path,
    method: str,
    damage: Callable[[Path], None],
    form: Json,
    files: dict[str, bytes],
) -> None:
    how, model, signature = bench[method], plant(work / "model", files), work / "model.sig"
    how.sign(model, signature, new_hashing(**form))
    assert ours(model, signature, how.signer).accepted
    assert theirs(model, signature, how.verifier, new_hashing(**form)).accepted
    damage(model)
    mine = ours(model, signature, how.signer)
    reference = theirs(model, signature, how.verifier, new_hashing(**form))
    assert (mine.accepted, reference.accepted) == (False, False), (mine.why, reference.why)


@pytest.mark.parametrize(
    "damage",
    ["first-byte", "appended", "emptied", "gone", "directory", "fifo", "link"],
)
def test_both_refuse_a_damaged_single_file(tmp_path: Path, damage: str) -> None:
    key, model = KeyPair(tmp_path / "keys"), tmp_path / "model.gguf"
    model.write_bytes(b"weights")
    signature = tmp_path / "model.gguf.sig"
    key.sign(model, signature)
    assert ours(model, signature, key.signer).accepted
    assert theirs(model, signature, key.verifier).accepted
    model.unlink()
    if damage == "directory":
        plant(model, {"weights": b"weights"})
    elif damage == "fifo":
        os.mkfifo(model)
    elif damage == "link":
        model.symlink_to("nowhere")
    elif damage != "gone":
        model.write_bytes({"first-byte": b"Weights", "appended": b"weights\n"}.get(damage, b""))
    assert not ours(model, signature, key.signer).accepted
    assert not theirs(model, signature, key.verifier).accepted


def _change(path: str, change: Callable[[Any], Any]) -> Callable[[Json], Json]:
    """Changes one value of a bundle; `path` is dotted, with numbers for lists."""

    def damage(sealed: Json) -> Json:
        steps: list[str | int] = [int(s) if s.isdigit() else s for s in path.split(".")]
        holder: Any = sealed
        for step in steps[:-1]:
            holder = holder[step]
        holder[steps[-1]] = change(holder[steps[-1]])
        return sealed

    return damage


def _drop(path: str) -> Callable[[Json], Json]:
    def damage(sealed: Json) -> Json:
        *steps, last = path.split(".")
        holder: Any = sealed
        for step in steps:
            holder = holder[step]
        del holder[last]
        return sealed

    return damage


def _add_field(path: str) -> Callable[[Json], Json]:
    def damage(sealed: Json) -> Json:
        holder: Any = sealed
        for step in path.split(".") if path else []:
            holder = holder[int(step) if step.isdigit() else step]
        holder["unknown"] = "x"
        return sealed

    return damage


def _other_payload(text: str) -> str:
    other = statement(resources_of({"weights": b"other"}))
    assert text
    return b64(encode(other))


BUNDLES: dict[str, Callable[[Json], Json | bytes]] = {
    "payload-replaced": _change("dsseEnvelope.payload", _other_payload),
    "payload-flipped": _change("dsseEnvelope.payload", lambda text: text[:100] + "A" + text[101:]),
    "payload-empty": _change("dsseEnvelope.payload", lambda _: ""),
    "payload-missing": _drop("dsseEnvelope.payload"),
    "payload-null": _change("dsseEnvelope.payload", lambda _: None),
    "payload-a-number": _change("dsseEnvelope.payload", lambda _: 5),
    "signature-flipped": _change(
        "dsseEnvelope.signatures.0.sig",
        lambda text: text[:20] + ("B" + text[20:])[: len(text) - 20],
    ),
    "signature-empty": _change("dsseEnvelope.signatures.0.sig", lambda _: ""),
    "signature-junk": _change("dsseEnvelope.signatures.0.sig", lambda _: b64(b"junk")),
    "signatures-none": _change("dsseEnvelope.signatures", lambda _: []),
    "signatures-null": _change("dsseEnvelope.signatures", lambda _: None),
    "signatures-junk-first": _change(
        "dsseEnvelope.signatures", lambda found: [{"sig": b64(b"junk")}, *found]
    ),
    "payload-type-text": _change("dsseEnvelope.payloadType", lambda _: "text/plain"),
    "payload-type-empty": _change("dsseEnvelope.payloadType", lambda _: ""),
    "media-type-other": _change("mediaType", lambda _: "application/json"),
    "media-type-missing": _drop("mediaType"),
    "material-missing": _drop("verificationMaterial"),
    "envelope-missing": _drop("dsseEnvelope"),
    "envelope-null": _change("dsseEnvelope", lambda _: None),
    "log-entries-text": _change("verificationMaterial.tlogEntries", lambda _: "x"),
    "unknown-top": _add_field(""),
    "unknown-material": _add_field("verificationMaterial"),
    "unknown-envelope": _add_field("dsseEnvelope"),
    "unknown-signature": _add_field("dsseEnvelope.signatures.0"),
    "snake-case": lambda sealed: {
        "media_type": sealed["mediaType"],
        "verification_material": sealed["verificationMaterial"],
        "dsse_envelope": sealed["dsseEnvelope"],
    },
    "blob-signature": lambda sealed: {
        "mediaType": sealed["mediaType"],
        "verificationMaterial": sealed["verificationMaterial"],
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": b64(bytes(32))},
            "signature": sealed["dsseEnvelope"]["signatures"][0]["sig"],
        },
    },
    "a-list": lambda sealed: encode([sealed]),
    "cut": lambda sealed: encode(sealed)[:-10],
    "with-a-tail": lambda sealed: encode(sealed) + b"{}",
    "with-a-byte-order-mark": lambda sealed: b"\xef\xbb\xbf" + encode(sealed),
    "utf-16": lambda sealed: json.dumps(sealed).encode("utf-16"),
    "not-json": lambda _: b"signature",
    "empty": lambda _: b"",
    "null": lambda _: b"null",
}


@pytest.mark.parametrize(
    ("method", "damage"),
    [
        (method, damage)
        for method in ("key-p256", "certificate-p256", "sigstore")
        for damage in BUNDLES
        if (method, damage) != ("sigstore", "snake-case")  # test_protobuf_names
    ],
)
def test_both_refuse_a_damaged_signature(
    bench: Bench, tmp_path: Path, method: str, damage: str
) -> None:
    how, model, signature = bench[method], plant(tmp_path / "model", FILES), tmp_path / "sig"
    sealed = how.seal(encode(statement(resources_of(FILES))))
    signature.write_bytes(encode(sealed))
    assert ours(model, signature, how.signer).accepted
    assert theirs(model, signature, how.verifier).accepted
    spoilt = BUNDLES[damage](sealed)
    signature.write_bytes(spoilt if isinstance(spoilt, bytes) else encode(spoilt))
    mine, reference = ours(model, signature, how.signer), theirs(model, signature, how.verifier)
    assert (mine.accepted, reference.accepted) == (False, False), (mine.why, reference.why)


@pytest.mark.parametrize("kind", ["missing", "directory", "dangling-link"])
def test_both_refuse_a_signature_that_is_no_file(tmp_path: Path, kind: str) -> None:
    model, key, signature = plant(tmp_path / "m", FILES), KeyPair(tmp_path / "k"), tmp_path / "sig"
    if kind == "directory":
        signature.mkdir()
    elif kind == "dangling-link":
        signature.symlink_to("nowhere")
    assert not ours(model, signature, key.signer).accepted
    assert not theirs(model, signature, key.verifier).accepted


@pytest.mark.parametrize(
    ("written", "signed"),
    [
        ("text/plain", "text/plain"),
        ("text/plain", "application/vnd.in-toto+json"),
        ("application/vnd.in-toto+json", "text/plain"),
    ],
)
def test_both_refuse_another_payload_type(tmp_path: Path, written: str, signed: str) -> None:
    model, key, signature = plant(tmp_path / "m", FILES), KeyPair(tmp_path / "k"), tmp_path / "sig"
    payload = encode(statement(resources_of(FILES)))
    signature.write_bytes(encode(key.seal(payload, written, signed_type=signed)))
    assert not ours(model, signature, key.signer).accepted
    assert not theirs(model, signature, key.verifier).accepted


def test_both_refuse_another_payload_type_through_sigstore(bench: Bench, tmp_path: Path) -> None:
    how, model, signature = bench["sigstore"], plant(tmp_path / "m", FILES), tmp_path / "sig"
    payload = encode(statement(resources_of(FILES)))
    for payload_type, accepted in (("application/vnd.in-toto+json", True), ("text/plain", False)):
        sealed = bench.sigstore.sign_statement(
            payload, identity=IDENTITY, issuer=ISSUER, payload_type=payload_type
        )
        signature.write_text(sealed)
        assert ours(model, signature, how.signer).accepted is accepted
        assert theirs(model, signature, how.verifier).accepted is accepted


@pytest.mark.parametrize("fault", Fault)
def test_both_refuse_every_fault_of_a_sigstore_bundle(
    bench: Bench, tmp_path: Path, fault: Fault
) -> None:
    how, model, signature = bench["sigstore"], plant(tmp_path / "m", FILES), tmp_path / "sig"
    bench.sigstore.sign(model, signature, identity=IDENTITY, issuer=ISSUER, fault=fault)
    assert not ours(model, signature, how.signer).accepted
    assert not theirs(model, signature, how.verifier).accepted


def _without(*path: str) -> Callable[[Json], Json]:
    return _drop(".".join(path))


STATEMENTS: dict[str, Callable[[Json], Json]] = {
    "type": _change("_type", lambda _: "https://in-toto.io/Statement/v0.1"),
    "no-type": _without("_type"),
    "predicate-type": _change("predicateType", lambda _: "https://slsa.dev/provenance/v1"),
    "no-predicate-type": _without("predicateType"),
    "no-subject": _change("subject", lambda _: []),
    "two-subjects": _change("subject", lambda found: found * 2),
    "root-digest": _change("subject.0.digest.sha256", lambda _: "00" * 32),
    "root-digest-upper": _change("subject.0.digest.sha256", str.upper),
    "root-digest-of-another-algorithm": _change("subject.0.digest", lambda d: {"md5": d["sha256"]}),
    "no-predicate": _without("predicate"),
    "no-serialization": _without("predicate", "serialization"),
    "no-resources": _without("predicate", "resources"),
    "resources-dropped": _change("predicate.resources", lambda found: found[1:]),
    "resource-added": _change(
        "predicate.resources",
        lambda found: [*found, {"name": "z", "algorithm": "sha256", "digest": "00" * 32}],
    ),
    "digest-changed": _change("predicate.resources.0.digest", lambda _: "00" * 32),
    "digest-short": _change("predicate.resources.0.digest", lambda text: text[:-2]),
    "digest-odd": _change("predicate.resources.0.digest", lambda text: text[:-1]),
    "digest-not-hex": _change("predicate.resources.0.digest", lambda text: "z" + text[1:]),
    "algorithm": _change("predicate.resources.0.algorithm", lambda _: "sha512"),
    "no-algorithm": _change(
        "predicate.resources",
        lambda found: [{"name": r["name"], "digest": r["digest"]} for r in found],
    ),
    "name-changed": _change("predicate.resources.0.name", lambda _: "another"),
    "name-absolute": _change("predicate.resources.0.name", lambda _: "/etc/passwd"),
    "name-leading-out": _change("predicate.resources.0.name", lambda _: "../config.json"),
    "name-empty": _change("predicate.resources.0.name", lambda _: ""),
    "name-a-number": _change("predicate.resources.0.name", lambda _: 5),
    "method": _change("predicate.serialization.method", lambda _: "tensors"),
    "no-method": _without("predicate", "serialization", "method"),
    "method-shards": _change("predicate.serialization.method", lambda _: "shards"),
    "hash-type": _change("predicate.serialization.hash_type", lambda _: "blake3"),
    "no-hash-type": _without("predicate", "serialization", "hash_type"),
    "no-allow-symlinks": _without("predicate", "serialization", "allow_symlinks"),
    "ignores-a-signed-file": _change(
        "predicate.serialization",
        lambda form: {**form, "ignore_paths": ["config.json"]},
    ),
    "ignores-a-signed-directory": _change(
        "predicate.serialization", lambda form: {**form, "ignore_paths": ["sub"]}
    ),
}


@pytest.mark.parametrize("damage", STATEMENTS)
@pytest.mark.parametrize("method", ["key-p256", "sigstore"])
def test_both_refuse_a_wrong_statement_that_was_signed(
    bench: Bench, tmp_path: Path, method: str, damage: str
) -> None:
    how, model, signature = bench[method], plant(tmp_path / "m", FILES), tmp_path / "sig"
    signed = STATEMENTS[damage](statement(resources_of(FILES)))
    signature.write_bytes(encode(how.seal(encode(signed))))
    mine, reference = ours(model, signature, how.signer), theirs(model, signature, how.verifier)
    assert (mine.accepted, reference.accepted) == (False, False), (mine.why, reference.why)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"5", b'"x"', b"{}", b"{", b"\xff"])
def test_both_refuse_a_payload_that_is_no_statement(tmp_path: Path, payload: bytes) -> None:
    model, key, signature = plant(tmp_path / "m", FILES), KeyPair(tmp_path / "k"), tmp_path / "sig"
    signature.write_bytes(encode(key.seal(payload)))
    assert not ours(model, signature, key.signer).accepted
    assert not theirs(model, signature, key.verifier).accepted


def _chains() -> dict[str, tuple[Issued, Issued, list[Issued]]]:
    """Chains that both refuse: leaf, root and what lies between."""
    now = datetime.now(UTC)
    root = issue("root", ca=True)
    middle = issue("middle", root, ca=True)
    no_ca = issue("middle", root)
    short = issue("short", root, ca=True, path_length=0)
    below = issue("below", short, ca=True)
    constrained = issue(
        "constrained",
        root,
        ca=True,
        constraints=x509.NameConstraints([x509.DNSName("good.example")], None),
    )
    old = issue("root", ca=True, start=now - 9 * DAY, end=now - 8 * DAY)
    return {
        "foreign": (issue("leaf", issue("root", ca=True)), root, []),
        "self-signed": (issue("leaf"), root, []),
        "intermediate-missing": (issue("leaf", middle), root, []),
        "intermediate-is-no-ca": (issue("leaf", no_ca), root, [no_ca]),
        "path-too-long": (issue("leaf", below), root, [below, short]),
        "name-forbidden": (
            issue("leaf", constrained, names=[x509.DNSName("bad.example")]),
            root,
            [constrained],
        ),
        "no-usage-at-all": (issue("leaf", root, usage=None, purposes=()), root, []),
        "usage-without-signatures": (
            issue("leaf", root, usage=key_usage("key_agreement"), purposes=()),
            root,
            [],
        ),
        "root-expired-before-the-leaf": (issue("leaf", old), old, []),
    }


@pytest.mark.parametrize("name", _chains())
def test_both_refuse_a_chain(tmp_path: Path, name: str) -> None:
    leaf, root, links = _chains()[name]
    model, signature = plant(tmp_path / "m", FILES), tmp_path / "sig"
    signature.write_bytes(encode(seal_by(leaf, encode(statement(resources_of(FILES))), *links)))
    signer = Certificate(Material(text=root.pem.decode()))
    verifier = certificate_verifier(tmp_path / "root.pem", root)
    assert not ours(model, signature, signer).accepted
    refused = theirs(model, signature, verifier)
    assert not refused.accepted
    assert refused.why.startswith(
        ("X509StoreContextError", "ValueError: Signing certificate cannot")
    )


def test_both_refuse_an_intermediate_as_the_only_anchor(tmp_path: Path) -> None:
    middle = issue("middle", issue("root", ca=True), ca=True)
    leaf = issue("leaf", middle)
    model, signature = plant(tmp_path / "m", FILES), tmp_path / "sig"
    signature.write_bytes(encode(seal_by(leaf, encode(statement(resources_of(FILES))))))
    with pytest.raises(ConfigError, match="must end in one"):
        ours(model, signature, Certificate(Material(text=middle.pem.decode())))
    verifier = certificate_verifier(tmp_path / "middle.pem", middle)
    assert not theirs(model, signature, verifier).accepted


@pytest.mark.parametrize("material", ["private", "certificate", "empty", "junk"])
def test_both_refuse_what_is_no_public_key(tmp_path: Path, material: str) -> None:
    model, key, signature = plant(tmp_path / "m", FILES), KeyPair(tmp_path / "k"), tmp_path / "sig"
    signature.write_bytes(encode(key.seal(encode(statement(resources_of(FILES))))))
    texts = {
        "private": key.private_path.read_bytes(),
        "certificate": issue("x").pem,
        "empty": b"",
        "junk": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    }
    path = tmp_path / "material"
    path.write_bytes(texts[material])
    with pytest.raises(ConfigError):
        ours(model, signature, Key(Material(path=str(path))))
    assert not theirs(model, signature, key_verifier(path)).accepted


@pytest.mark.parametrize("here", [".", "sub", "sub/.github"])
def test_the_working_directory_decides_nothing(tmp_path: Path, here: str) -> None:
    """Asked from below, an implementation that resolves `.github` there would ignore it."""
    model, key, signature = plant(tmp_path / "m", FILES), KeyPair(tmp_path / "k"), tmp_path / "sig"
    key.sign(model, signature)
    plant(model, {"sub/.github/x": b"planted"})
    relative = os.path.relpath(model, model / here)
    commands = [
        ["model-verify", "verify", relative, "--public-key", str(key.public_path)],
        ["model_signing", "verify", "key", relative, "--public_key", str(key.public_path)],
    ]
    for command in commands:
        run = subprocess.run(
            [Path(sys.executable).parent / command[0], *command[1:], "--signature", str(signature)],
            cwd=model / here,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode in (1, 12), run
        assert "sub/.github/x" in run.stdout + run.stderr
