"""Builds every row of the table for real and asks both engines."""

import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import model_signing
import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.differential.differences import DIFFERENCES, DOCUMENT, END, START, Difference, section
from tests.differential.unprivileged import as_nobody, public_directory
from tests.differential.workshop import (
    DAY,
    IDENTITY,
    ISSUER,
    TLS,
    Answer,
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
    keyless,
    new_hashing,
    ours,
    plant,
    private_sigstore_verifier,
    resources_of,
    root_digest,
    seal_by,
    seal_by_a_public_root,
    shards_of,
    statement,
    statement_v02,
    theirs,
)
from tests.private_sigstore import PrivateSigstore
from tests.private_sigstore.ca import CertificateAuthority, Leaf
from verifier_cli.errors import ConfigError
from verifier_cli.inputs import MAX_BUNDLE_BYTES
from verifier_cli.policy import Certificate, Key, Keyless, Material

# model-signing logs by a deprecated method.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")

FILES = {"a.txt": b"a", "a/b": b"b", "weights": bytes(range(256)) * 10}
RESOURCES = resources_of(FILES)
ROOT = Path(__file__).parents[2]
LARGE = 192 << 20


@dataclass
class Lab:
    """A model, a key, and the row that the test is for."""

    row: Difference
    work: Path
    key: KeyPair

    @property
    def model(self) -> Path:
        """The model."""
        return self.work / "model"

    @property
    def signature(self) -> Path:
        """Its signature."""
        return self.work / "model.sig"

    def plant(self, files: dict[str, bytes] | None = None) -> None:
        """Writes the model."""
        plant(self.model, FILES if files is None else files)

    def ask(
        self,
        sealed: Json | bytes,
        hashing: model_signing.hashing.Config | None = None,
        **rules: Any,  # noqa: ANN401  (fields of ModelRules)
    ) -> tuple[Answer, Answer]:
        """Both engines' answers about a signature by the key."""
        self.model.mkdir(exist_ok=True)
        self.signature.write_bytes(sealed if isinstance(sealed, bytes) else encode(sealed))
        tolerate = bool(rules.get("ignore_unsigned_files"))
        return (
            ours(self.model, self.signature, self.key.signer, **rules),
            theirs(
                self.model,
                self.signature,
                self.key.verifier,
                hashing,
                ignore_unsigned_files=tolerate,
            ),
        )

    def ask_of(
        self,
        signed: Json | bytes,
        hashing: model_signing.hashing.Config | None = None,
        **rules: Any,  # noqa: ANN401  (fields of ModelRules)
    ) -> tuple[Answer, Answer]:
        """Both engines' answers about a statement that the key signed."""
        payload = signed if isinstance(signed, bytes) else encode(signed)
        return self.ask(self.key.seal(payload), hashing, **rules)

    def agree(self, answers: tuple[Answer, Answer]) -> None:
        """Asserts that both accept, so that the difference lies in what is changed next."""
        assert [answer.accepted for answer in answers] == [True, True], answers

    def differ(self, answers: tuple[Answer, Answer], because: str = "") -> None:
        """Asserts the answers of the row; `because` is a pattern of the refusal's reason."""
        mine, reference = answers
        accepted = {"model-verify": mine.accepted, "model-signing": reference.accepted}
        refusal = mine if self.row.stricter == "model-verify" else reference
        expected = {side: side != self.row.stricter for side in accepted}
        assert accepted == expected, (self.row.name, answers)
        assert re.search(because, refusal.why), refusal.why


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    name = request.node.function.__name__
    (row,) = (row for row in DIFFERENCES if row.test == name)
    return Lab(row, tmp_path, KeyPair(tmp_path / "keys"))


# --- the table itself -----------------------------------------------------------------------


def test_every_row_has_its_test_and_every_test_its_row() -> None:
    tests = {name for name, value in globals().items() if _takes_lab(value)}
    assert tests == {row.test for row in DIFFERENCES}
    assert len({row.name for row in DIFFERENCES}) == len(DIFFERENCES)


def _takes_lab(value: object) -> bool:
    code = getattr(value, "__code__", None)
    return (
        code is not None
        and code.co_name.startswith("test_")
        and "lab" in code.co_varnames[: code.co_argcount]
    )


def test_the_document_shows_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    shown = text[text.index(START) : text.index(END) + len(END)]
    assert shown == section(), "run `python -m tests.differential.differences`"


# --- the tree -------------------------------------------------------------------------------


@pytest.mark.slow
def test_changed_while_hashing(lab: Lab) -> None:
    def overwrite(model: Path) -> None:
        file = model / "weights"
        before = file.stat()
        with file.open("r+b") as opened:
            opened.write(b"EVIL")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def restore(model: Path) -> None:
        with (model / "weights").open("r+b") as opened:
            opened.write(bytes(4))

    lab.differ(_while_hashing(lab, overwrite, restore), "CHANGED_WHILE_READ")


@pytest.mark.slow
def test_added_while_hashing(lab: Lab) -> None:
    def add(model: Path) -> None:
        (model / "planted.py").write_text("evil")

    def remove(model: Path) -> None:
        (model / "planted.py").unlink()

    lab.differ(_while_hashing(lab, add, remove), "CHANGED_WHILE_READ")


def _while_hashing(
    lab: Lab, change: Callable[[Path], None], undo: Callable[[Path], None]
) -> tuple[Answer, Answer]:
    """Changes the model after some of it was hashed, and before all of it was."""
    lab.model.mkdir()
    with (lab.model / "weights").open("wb") as file:
        file.truncate(LARGE)
    lab.key.sign(lab.model, lab.signature)
    answers = []
    for engine in ("native", "library"):
        answers.append(_interrupted(lab, engine, change, undo))
        undo(lab.model)
    return answers[0], answers[1]


def _interrupted(
    lab: Lab, engine: str, change: Callable[[Path], None], undo: Callable[[Path], None]
) -> Answer:
    for _ in range(10):
        with _asking(lab, engine, lab.signature) as asked:
            if _stopped_halfway(asked, lab.model / "weights"):
                change(lab.model)
                os.kill(asked.pid, signal.SIGCONT)
                return _answer(asked)
            asked.kill()
    undo(lab.model)
    pytest.fail(f"{engine} was never caught while it read")


def _asking(lab: Lab, engine: str, signature: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.differential.ask", engine]
    arguments = [str(lab.model), str(signature), str(lab.key.public_path)]
    return subprocess.Popen(command + arguments, stdout=subprocess.PIPE, cwd=ROOT, text=True)


def _answer(asked: "subprocess.Popen[str]") -> Answer:
    said, _ = asked.communicate()
    return Answer(said == "yes\n", said)


def _stopped_halfway(asked: "subprocess.Popen[str]", file: Path) -> bool:
    """Stops the process once it has read a part of the file, but not all."""
    before: int | None = None
    while asked.poll() is None:
        read = _read_by(asked.pid) if _has_open(asked.pid, file) else None
        if read is None:
            continue
        before = read if before is None else before
        if (1 << 20) < read - before < LARGE // 2:
            os.kill(asked.pid, signal.SIGSTOP)
            while _state(asked.pid) != "T":
                time.sleep(0.001)
            return _has_open(asked.pid, file) and (_read_by(asked.pid) or 0) - before < LARGE
    return False


def _has_open(process: int, file: Path) -> bool:
    try:
        found = [each.readlink() for each in Path(f"/proc/{process}/fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return file in found


def _read_by(process: int) -> int | None:
    """How many bytes a process has read, by whatever call; None if it has ended."""
    try:
        text = Path(f"/proc/{process}/io").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text.split()[1])


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_unreadable_directory(lab: Lab) -> None:
    with public_directory() as work, ExitStack() as undo:
        model = plant(work / "model", FILES)
        key, signature = KeyPair(work / "keys"), work / "model.sig"
        key.sign(model, signature)
        plant(model, {"secret/planted.py": b"evil"})
        assert not theirs(model, signature, key.verifier).accepted
        (model / "secret").chmod(0)
        undo.callback((model / "secret").chmod, 0o755)
        answers = as_nobody(
            lambda: (ours(model, signature, key.signer), theirs(model, signature, key.verifier))
        )
    lab.differ(answers, "UNREADABLE secret")


def test_link_out_of_the_model(lab: Lab) -> None:
    lab.plant()
    outside = lab.work / "outside"
    outside.write_bytes(b"x")
    (lab.model / "link").symlink_to(outside)
    signed = statement(resources_of({**FILES, "link": b"x"}), allow_symlinks=True)
    lab.differ(lab.ask_of(signed, new_hashing(links=True)), "SYMLINK_ESCAPES link")


@pytest.mark.parametrize("target", ["a", "../outside"])
def test_linked_directory(lab: Lab, target: str) -> None:
    lab.plant()
    plant(lab.work / "outside", {"x": b"x"})
    links = new_hashing(links=True)
    lab.agree(lab.ask_of(statement(RESOURCES, allow_symlinks=True), links))
    (lab.model / "link").symlink_to(target)
    answers = lab.ask_of(statement(RESOURCES, allow_symlinks=True), links)
    lab.differ(answers, "FILE_UNSIGNED link/b" if target == "a" else "SYMLINK_ESCAPES link")


@pytest.mark.parametrize("target", [".", "..", "../../model"])
def test_linked_directory_cycle(lab: Lab, target: str) -> None:
    lab.plant()
    (lab.model / "a" / "link").symlink_to(target)
    signed = statement(RESOURCES, allow_symlinks=True)
    answers = lab.ask_of(signed, new_hashing(links=True))
    lab.differ(answers, "SYMLINK_(CYCLE|ESCAPES) a/link")


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK])
def test_tolerated_special_file(lab: Lab, kind: int) -> None:
    lab.plant()
    lab.agree(lab.ask_of(statement(RESOURCES), ignore_unsigned_files=True))
    try:
        os.mknod(lab.model / "special", kind | 0o644, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("device nodes need root")
    answers = lab.ask_of(statement(RESOURCES), ignore_unsigned_files=True)
    lab.differ(answers, "SPECIAL_FILE special")


def test_tolerated_link(lab: Lab) -> None:
    lab.plant()
    (lab.model / "link").symlink_to("weights")
    answers = lab.ask_of(statement(RESOURCES), ignore_unsigned_files=True)
    lab.differ(answers, "SYMLINK_FORBIDDEN link")


def test_empty_file_beside_shards(lab: Lab) -> None:
    lab.plant()
    shards = shards_of(FILES, 1000, "sha256-sharded-1000")
    signed = statement(shards, method="shards", shard_size=1000)
    lab.agree(lab.ask_of(signed))
    (lab.model / "empty").touch()
    lab.differ(lab.ask_of(signed), "FILE_UNSIGNED empty")


def test_nothing_signed(lab: Lab) -> None:
    lab.differ(lab.ask_of(statement([])), "NO_FILE_SIGNED")


# --- who signed -----------------------------------------------------------------------------


def _by_certificate(
    lab: Lab,
    leaf: Issued,
    root: Issued,
    *links: Issued,
    identity: str | None = None,
) -> tuple[Answer, Answer]:
    lab.plant()
    lab.signature.write_bytes(encode(seal_by(leaf, encode(statement(RESOURCES)), *links)))
    signer = Certificate(Material(text=root.pem.decode()), identity)
    verifier = certificate_verifier(lab.work / "root.pem", root)
    return ours(lab.model, lab.signature, signer), theirs(lab.model, lab.signature, verifier)


def test_certificate_expired(lab: Lab) -> None:
    root, now = issue("root", ca=True), datetime.now(UTC)
    lab.agree(_by_certificate(lab, issue("leaf", root), root))
    leaf = issue("leaf", root, start=now - DAY, end=now - DAY / 2)
    lab.differ(_by_certificate(lab, leaf, root), "CERTIFICATE_EXPIRED.*CN=leaf has expired")


def test_certificate_not_yet_valid(lab: Lab) -> None:
    root, now = issue("root", ca=True), datetime.now(UTC)
    leaf = issue("leaf", root, start=now + DAY / 4, end=now + DAY / 2)
    answers = _by_certificate(lab, leaf, root)
    lab.differ(answers, "CERTIFICATE_EXPIRED.*CN=leaf is not valid yet")


@pytest.mark.parametrize("old", ["root", "middle"])
def test_chain_expired(lab: Lab, old: str) -> None:
    now = datetime.now(UTC)
    end = {old: now - DAY}
    start = now - 3 * DAY
    root = issue("root", ca=True, start=start, end=end.get("root"))
    middle = issue("middle", root, ca=True, start=start, end=end.get("middle"))
    leaf = issue("leaf", middle, start=now - 2 * DAY)
    answers = _by_certificate(lab, leaf, root, middle)
    lab.differ(answers, f"CERTIFICATE_EXPIRED.*CN={old} has expired")


def test_certificate_for_tls(lab: Lab) -> None:
    root = issue("root", ca=True)
    lab.differ(_by_certificate(lab, issue("leaf", root, purposes=TLS), root), "CERTIFICATE_PURPOSE")


@pytest.mark.parametrize("limited", ["root", "middle"])
def test_authority_for_tls(lab: Lab, limited: str) -> None:
    root = issue("root", ca=True, purposes=TLS if limited == "root" else None)
    middle = issue("middle", root, ca=True, purposes=TLS if limited == "middle" else None)
    answers = _by_certificate(lab, issue("leaf", middle), root, middle)
    lab.differ(answers, f"CERTIFICATE_PURPOSE.*CN={limited}")


def test_certificate_without_purpose(lab: Lab) -> None:
    root = issue("root", ca=True)
    leaf = issue("leaf", root, purposes=())
    lab.differ(_by_certificate(lab, leaf, root), "CERTIFICATE_PURPOSE")
    tolerant = Certificate(Material(text=root.pem.decode()), require_code_signing=False)
    assert ours(lab.model, lab.signature, tolerant).accepted


def test_certificate_key_usage(lab: Lab) -> None:
    root = issue("root", ca=True)
    leaf = issue("leaf", root, usage=key_usage("key_agreement"))
    lab.differ(_by_certificate(lab, leaf, root), "CERTIFICATE_PURPOSE")


def test_certificate_weak_key(lab: Lab) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  (the point)
    root = issue("root", ca=True, key=weak)
    lab.differ(_by_certificate(lab, issue("leaf", root), root), "CERTIFICATE_WEAK")


def test_certificate_identity(lab: Lab) -> None:
    root = issue("root", ca=True)
    leaf = issue("leaf", root, names=[x509.RFC822Name("other@example.com")])
    lab.agree(_by_certificate(lab, leaf, root, identity="other@example.com"))
    answers = _by_certificate(lab, leaf, root, identity=IDENTITY)
    lab.differ(answers, "IDENTITY_MISMATCH")


# Some public roots have serial numbers that cryptography calls out.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_default_roots(lab: Lab) -> None:
    """Nobody here has a public root's key: that the chain is accepted shows in what comes next."""
    lab.plant()
    payload = encode(statement(RESOURCES))

    def verifier() -> model_signing.verifying.Config:
        config = model_signing.verifying.Config()  # type: ignore[no-untyped-call]
        return config.use_certificate_verifier()

    lab.signature.write_bytes(encode(seal_by_a_public_root(payload)))
    assert theirs(lab.model, lab.signature, verifier).why == "InvalidSignature: "

    own = issue("own")
    lab.signature.write_bytes(encode(seal_by(own, payload)))
    refused = theirs(lab.model, lab.signature, verifier)
    assert refused.why.startswith("X509StoreContextError")

    assert lab.row.stricter == "model-verify"
    with pytest.raises(ConfigError, match="holds no"):
        ours(lab.model, lab.signature, Certificate(Material(text="")))


@pytest.mark.parametrize("place", ["before", "after"])
def test_key_file_with_more(lab: Lab, place: str) -> None:
    lab.plant()
    lab.agree(lab.ask_of(statement(RESOURCES)))
    more = b"the key of somebody\n"
    text = more + lab.key.pem if place == "before" else lab.key.pem + more
    path = lab.work / "more.pub"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match="is not a PEM public key") as refusal:
        ours(lab.model, lab.signature, Key(Material(text=text.decode())))
    reference = theirs(lab.model, lab.signature, key_verifier(path))
    lab.differ((Answer(accepted=False, why=str(refusal.value)), reference))


def test_other_raw_key(lab: Lab) -> None:
    lab.plant()
    other = KeyPair(lab.work / "other")
    sealed = lab.key.seal(encode(statement(RESOURCES)))
    sealed["verificationMaterial"]["publicKey"] = {"rawBytes": b64(other.pem)}
    lab.differ(lab.ask(sealed), "KEY_MISMATCH")


def test_empty_issuer(lab: Lab, bench: Bench) -> None:
    lab.plant()
    sigstore, payload = bench.sigstore, encode(statement(RESOURCES))
    lab.signature.write_text(
        sigstore.sign_statement(payload, identity=IDENTITY, issuer="https://any.example.com")
    )
    root = Material(text=sigstore.trusted_root())
    anybody = private_sigstore_verifier(sigstore, lab.work / "trust.json", issuer="")
    answers = (
        ours(lab.model, lab.signature, Keyless("", IDENTITY, trust_root=root)),
        theirs(lab.model, lab.signature, anybody),
    )
    lab.differ(answers, "IDENTITY_MISMATCH")


OLD_ISSUER, NEW_ISSUER = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
USER_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")


class _Fulcio(CertificateAuthority):
    """Issues leaves in which one extension is another, or not there."""

    def __init__(self, oid: str, value: x509.ExtensionType | None) -> None:
        super().__init__()
        self._oid, self._value = oid, value

    def _leaf_builder(self, leaf: Leaf) -> x509.CertificateBuilder:
        builder = super()._leaf_builder(leaf)
        builder._extensions = [
            extension
            for extension in builder._extensions
            if extension.oid.dotted_string != self._oid
        ]
        if self._value is None:
            return builder
        # The subject is empty, so the SAN must be critical.
        critical = isinstance(self._value, x509.SubjectAlternativeName)
        return builder.add_extension(self._value, critical=critical)


def _by_fulcio(
    lab: Lab, oid: str, value: x509.ExtensionType | None, identity: str = IDENTITY
) -> tuple[Answer, Answer]:
    lab.plant()
    with PrivateSigstore() as sigstore:
        sigstore._authority = _Fulcio(oid, value)
        payload = encode(statement(RESOURCES))
        sealed = sigstore.sign_statement(payload, identity=identity, issuer=ISSUER)
    lab.signature.write_text(sealed)
    other = keyless(sigstore, identity, "https://other.example.com")
    assert not ours(lab.model, lab.signature, other).accepted
    verifier = private_sigstore_verifier(sigstore, lab.work / "trust.json", identity)
    mine = ours(lab.model, lab.signature, keyless(sigstore, identity))
    return mine, theirs(lab.model, lab.signature, verifier)


def test_issuers_that_contradict(lab: Lab) -> None:
    other = asn1.encode_der("https://other.example.com")
    value = x509.UnrecognizedExtension(x509.ObjectIdentifier(NEW_ISSUER), other)
    lab.differ(_by_fulcio(lab, NEW_ISSUER, value), "IDENTITY_MISMATCH")


def test_issuer_in_the_new_extension(lab: Lab) -> None:
    lab.differ(_by_fulcio(lab, OLD_ISSUER, None), "OIDCIssuer")


def test_user_name_as_identity(lab: Lab) -> None:
    name = x509.OtherName(USER_NAME, asn1.encode_der("user!example.com"))
    san = x509.SubjectAlternativeName([name])
    answers = _by_fulcio(lab, san.oid.dotted_string, san, "user!example.com")
    lab.differ(answers, "SANs do not match")


# --- the signature file ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["key-p256", "certificate-p256", "sigstore"])
def test_bundle_with_a_key_twice(lab: Lab, bench: Bench, method: str) -> None:
    lab.plant()
    how = bench[method]
    sealed = encode(how.seal(encode(statement(RESOURCES))))
    lab.signature.write_bytes(b'{"mediaType": "another",' + sealed[1:])
    answers = (
        ours(lab.model, lab.signature, how.signer),
        theirs(lab.model, lab.signature, how.verifier),
    )
    lab.differ(answers, "BUNDLE_MALFORMED.*'mediaType' twice")


@pytest.mark.parametrize("method", ["key-p256", "certificate-p256"])
def test_second_signature(lab: Lab, bench: Bench, method: str) -> None:
    lab.plant()
    how = bench[method]
    sealed = how.seal(encode(statement(RESOURCES)))
    sealed["dsseEnvelope"]["signatures"].append({"sig": b64(b"junk"), "keyid": ""})
    lab.signature.write_bytes(encode(sealed))
    answers = (
        ours(lab.model, lab.signature, how.signer),
        theirs(lab.model, lab.signature, how.verifier),
    )
    lab.differ(answers, "BUNDLE_MALFORMED.*signatures has 2 entries")


@pytest.mark.parametrize("junk", ["\n", "!", " ", "unused bits"])
@pytest.mark.parametrize("method", ["key-p256", "sigstore"])
def test_loose_base64(lab: Lab, bench: Bench, method: str, junk: str) -> None:
    lab.plant()
    how, payload = bench[method], encode(statement(RESOURCES))
    sealed = how.seal(payload + b" " * ((1 - len(payload)) % 3))  # so that two `=` end it
    text = sealed["dsseEnvelope"]["payload"]
    loose = text[:8] + junk + text[8:]
    if junk == "unused bits":
        assert text.endswith(("A==", "Q==", "g=="))
        loose = text[:-3] + chr(ord(text[-3]) + 1) + "=="
        assert b64decode(loose) == b64decode(text)
    sealed["dsseEnvelope"]["payload"] = loose
    lab.signature.write_bytes(encode(sealed))
    answers = (
        ours(lab.model, lab.signature, how.signer),
        theirs(lab.model, lab.signature, how.verifier),
    )
    lab.differ(answers, "BUNDLE_MALFORMED.*payload is not (canonical )?base64")


@pytest.mark.parametrize("method", ["key-p256", "certificate-p256"])
def test_log_entry_of_a_key(lab: Lab, bench: Bench, method: str) -> None:
    lab.plant()
    how, payload = bench[method], encode(statement(RESOURCES))
    logged = bench["sigstore"].seal(payload)
    sealed = how.seal(payload)
    entries = logged["verificationMaterial"]["tlogEntries"]
    sealed["verificationMaterial"]["tlogEntries"] = entries
    lab.signature.write_bytes(encode(sealed))
    answers = (
        ours(lab.model, lab.signature, how.signer),
        theirs(lab.model, lab.signature, how.verifier),
    )
    lab.differ(answers, "BUNDLE_MALFORMED.*never checks")


def test_long_chain(lab: Lab) -> None:
    root, stranger = issue("root", ca=True), issue("stranger", ca=True)
    leaf = issue("leaf", root)
    lab.agree(_by_certificate(lab, leaf, root, *[stranger] * 15))
    lab.differ(_by_certificate(lab, leaf, root, *[stranger] * 16), "BUNDLE_MALFORMED.*17")


def test_protobuf_names(lab: Lab, bench: Bench) -> None:
    lab.plant()
    how = bench["sigstore"]
    sealed = how.seal(encode(statement(RESOURCES)))
    sealed["media_type"] = sealed.pop("mediaType")
    lab.signature.write_bytes(encode(sealed))
    answers = (
        ours(lab.model, lab.signature, how.signer),
        theirs(lab.model, lab.signature, how.verifier),
    )
    lab.differ(answers, "BUNDLE_MALFORMED.*unknown field 'media_type'")


def test_fifo_as_signature(lab: Lab) -> None:
    lab.plant()
    fifo = lab.work / "fifo.sig"
    os.mkfifo(fifo)
    mine = ours(lab.model, fifo, lab.key.signer)  # without a writer: it must not wait for one
    with _asking(lab, "library", fifo) as asked:
        writer = _open_when_read(fifo, asked)
        os.write(writer, encode(lab.key.seal(encode(statement(RESOURCES)))))
        os.close(writer)
        reference = _answer(asked)
    lab.differ((mine, reference), "BUNDLE_UNREADABLE.*is not a regular file")


def _open_when_read(fifo: Path, reader: "subprocess.Popen[str]") -> int:
    """Opens a FIFO for writing, which succeeds once somebody waits at its other end."""
    while reader.poll() is None:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.01)
    pytest.fail("nobody read the FIFO")


def test_huge_bundle(lab: Lab) -> None:
    lab.plant()
    sealed = encode(lab.key.seal(encode(statement(RESOURCES))))
    lab.agree(lab.ask(sealed + b" " * 1000))
    answers = lab.ask(sealed + b" " * (MAX_BUNDLE_BYTES - len(sealed) + 1))
    lab.differ(answers, "BUNDLE_UNREADABLE.*more than the 33554432")
    wide = json.loads(sealed)
    wide["dsseEnvelope"]["signatures"][0]["keyid"] = "," * 20_000
    lab.differ(lab.ask(wide), "BUNDLE_MALFORMED.*more than 20000 entries")


# --- the statement --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["key-p256", "sigstore"])
def test_payload_with_a_key_twice(lab: Lab, bench: Bench, method: str) -> None:
    lab.plant()
    how = bench[method]
    payload = b'{"predicateType": "another",' + encode(statement(RESOURCES))[1:]
    lab.signature.write_bytes(encode(how.seal(payload)))
    answers = (
        ours(lab.model, lab.signature, how.signer),
        theirs(lab.model, lab.signature, how.verifier),
    )
    lab.differ(answers, "STATEMENT_MALFORMED.*'predicateType' twice")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_payload_with_nan(lab: Lab, number: float) -> None:
    lab.plant()
    signed = {**statement(RESOURCES), "more": number}
    lab.differ(lab.ask_of(signed), "STATEMENT_MALFORMED.*which is not JSON")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_payload_in_another_encoding(lab: Lab, encoding: str) -> None:
    lab.plant()
    payload = json.dumps(statement(RESOURCES)).encode(encoding)
    lab.differ(lab.ask_of(payload), "STATEMENT_MALFORMED.*is not (UTF-8|JSON)")
    half = {**statement(RESOURCES), "more": "\ud800"}
    lab.differ(lab.ask_of(half), "STATEMENT_MALFORMED.*half a surrogate pair")


def test_payload_nested_deeply(lab: Lab) -> None:
    lab.plant()
    deep: list[Any] = []
    for _ in range(62):
        deep = [deep]
    lab.agree(lab.ask_of({**statement(RESOURCES), "more": deep}))
    answers = lab.ask_of({**statement(RESOURCES), "more": [deep]})
    lab.differ(answers, "STATEMENT_MALFORMED.*deeper than 64")


def test_names_unsorted(lab: Lab) -> None:
    lab.plant()
    lab.agree(lab.ask_of(statement(RESOURCES)))
    answers = lab.ask_of(statement(RESOURCES[::-1]))
    lab.differ(answers, "STATEMENT_MALFORMED.*not sorted")


@pytest.mark.parametrize("form", ["v1.0", "v1.0 with two digests", "v0.2"])
def test_name_twice(lab: Lab, form: str) -> None:
    lab.plant()
    if form == "v0.2":
        old = statement_v02(FILES)
        old["subject"].append(old["subject"][-1])
        answers = lab.ask(lab.key.seal_v02(encode(old)))
    else:
        first = dict(RESOURCES[-1])
        if form != "v1.0":
            first["digest"] = "00" * 32
        answers = lab.ask_of(statement([*RESOURCES[:-1], first, RESOURCES[-1]]))
    lab.differ(answers, "STATEMENT_MALFORMED.*twice")


@pytest.mark.parametrize("name", ["./a.txt", "a//b", "a/./b", "weights/"])
def test_name_not_normalised(lab: Lab, name: str) -> None:
    lab.plant()
    same = {str(Path(name)): name}
    named = [{**entry, "name": same.get(entry["name"], entry["name"])} for entry in RESOURCES]
    named.sort(key=lambda entry: entry["name"])
    lab.differ(lab.ask_of(statement(named)), "STATEMENT_MALFORMED.*not a normalised relative path")


@pytest.mark.parametrize("hash_type", ["md5", "blake3", "SHA256", ""])
def test_hash_that_does_not_fit(lab: Lab, hash_type: str) -> None:
    lab.plant()
    lab.agree(lab.ask_of(statement(RESOURCES), new_hashing()))
    answers = lab.ask_of(statement(RESOURCES, hash_type=hash_type), new_hashing())
    lab.differ(answers, "STATEMENT_MALFORMED.*(hash_type|algorithm)")


def test_shard_size_that_does_not_fit(lab: Lab) -> None:
    lab.plant()
    shards = shards_of(FILES, 1000, "sha256-sharded-1000")
    told = new_hashing(method="shards")
    lab.agree(lab.ask_of(statement(shards, method="shards", shard_size=1000), told))
    answers = lab.ask_of(statement(shards, method="shards", shard_size=999), told)
    lab.differ(answers, "STATEMENT_MALFORMED")


@pytest.mark.parametrize(
    "write", [str.upper, lambda text: re.sub("(..)", r"\1 ", text)], ids=["upper", "spaced"]
)
def test_loose_digest(lab: Lab, write: Callable[[str], str]) -> None:
    lab.plant()
    written = [{**entry, "digest": write(entry["digest"])} for entry in RESOURCES]
    assert root_digest(written) == root_digest(RESOURCES)
    lab.differ(lab.ask_of(statement(written)), "STATEMENT_MALFORMED.*digest is not a sha256 digest")


@pytest.mark.parametrize("value", ["false", "true", None, 0, 1])
def test_allow_symlinks_not_boolean(lab: Lab, value: object) -> None:
    lab.plant()
    answers = lab.ask_of(statement(RESOURCES, allow_symlinks=value))
    lab.differ(answers, "STATEMENT_MALFORMED.*allow_symlinks")


@pytest.mark.parametrize("more", [{"chunk_size": 5}, {"shard_size": 1000}])
def test_unknown_parameter(lab: Lab, more: Json) -> None:
    lab.plant()
    answers = lab.ask_of(statement(RESOURCES, **more))
    lab.differ(answers, "STATEMENT_MALFORMED.*(unknown parameter|must be absent)")


@pytest.mark.parametrize("path", ["*.tmp", "/etc", "../x", "./x", "x/", "x//y", "x?", "[x]"])
def test_loose_ignore_path(lab: Lab, path: str) -> None:
    lab.plant()
    answers = lab.ask_of(statement(RESOURCES, ignore_paths=[path]))
    lab.differ(answers, "STATEMENT_MALFORMED.*ignore_paths")


def test_old_encoding_of_a_new_statement(lab: Lab) -> None:
    lab.plant()
    lab.agree(lab.ask(lab.key.seal_v02(encode(statement_v02(FILES)))))
    lab.differ(lab.ask(lab.key.seal_v02(encode(statement(RESOURCES)))), "SIGNATURE_WRONG")


# --- where model-signing is stricter --------------------------------------------------------


@pytest.mark.parametrize("curve", ["p384", "p521"])
def test_old_key_on_a_large_curve(lab: Lab, curve: str) -> None:
    lab.plant()
    lab.key = KeyPair(lab.work / "large", curve)
    lab.differ(lab.ask(lab.key.seal_v02(encode(statement_v02(FILES)))), "InvalidSignature")


def test_blake2b(lab: Lab) -> None:
    lab.plant()
    signed = statement(resources_of(FILES, "blake2b"), hash_type="blake2b")
    lab.differ(lab.ask_of(signed), "Unsupported hashing method blake2b")


@pytest.mark.parametrize("told", [None, {"method": "shards"}])
def test_shards_to_the_letter(lab: Lab, told: Json | None) -> None:
    lab.plant()
    signed = statement(shards_of(FILES, 1000), method="shards", shard_size=1000)
    hashing = new_hashing(**told) if told else None
    lab.differ(lab.ask_of(signed, hashing), "Hash mismatch")


def test_shards_as_model_signing_writes_them(lab: Lab) -> None:
    lab.plant()
    lab.key.sign(lab.model, lab.signature, new_hashing(method="shards"))
    lab.differ(lab.ask(lab.signature.read_bytes()), "TypeError: 'float' object")


def test_colon_in_a_sharded_name(lab: Lab) -> None:
    files = {"a:0:5": b"x" * 10}
    lab.plant(files)
    lab.key.sign(lab.model, lab.signature, new_hashing(method="shards"))
    answers = lab.ask(lab.signature.read_bytes(), new_hashing(method="shards"))
    lab.differ(answers, "expected 3 components")


def test_subject_without_name(lab: Lab) -> None:
    lab.plant()
    lab.differ(lab.ask_of(statement(RESOURCES, name=None)), "KeyError: 'name'")


@pytest.mark.parametrize("form", ["upper case", "DER"])
def test_key_hint_in_another_form(lab: Lab, form: str) -> None:
    lab.plant()
    hint = lab.key.hint.upper()
    if form == "DER":
        der = lab.key.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        hint = hashlib.sha256(der).hexdigest()
    sealed = lab.key.seal(encode(statement(RESOURCES)))
    sealed["verificationMaterial"]["publicKey"]["hint"] = hint
    lab.differ(lab.ask(sealed), "Key mismatch")


def test_several_keys(lab: Lab) -> None:
    lab.plant()
    lab.agree(lab.ask_of(statement(RESOURCES)))
    keys = KeyPair(lab.work / "first").pem + lab.key.pem
    path = lab.work / "keys.pub"
    path.write_bytes(keys)
    answers = (
        ours(lab.model, lab.signature, Key(Material(text=keys.decode()))),
        theirs(lab.model, lab.signature, key_verifier(path)),
    )
    lab.differ(answers, "Key mismatch")


def test_model_behind_a_link(lab: Lab) -> None:
    lab.plant()
    lab.agree(lab.ask_of(statement(RESOURCES)))
    link = lab.work / "current"
    link.symlink_to("model")
    answers = (
        ours(link, lab.signature, lab.key.signer),
        theirs(link, lab.signature, lab.key.verifier),
    )
    lab.differ(answers, "is a symlink")


def test_links_that_the_signature_allows(lab: Lab) -> None:
    lab.plant()
    (lab.model / "link").symlink_to("weights")
    lab.key.sign(lab.model, lab.signature, new_hashing(links=True))
    lab.differ(lab.ask(lab.signature.read_bytes()), "is a symlink")


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo"])
def test_ignored_links_and_special_files(lab: Lab, kind: str) -> None:
    lab.plant()
    inside = lab.model / ".git"
    inside.mkdir()
    lab.agree(lab.ask_of(statement(RESOURCES)))
    if kind == "fifo":
        os.mkfifo(inside / "x")
    else:
        (inside / "x").symlink_to("../weights" if kind == "link" else "nowhere")
    lab.differ(lab.ask_of(statement(RESOURCES)), "Cannot use")


@pytest.mark.parametrize("name", ["model.gguf", "other.gguf"])
def test_single_file_by_its_name(lab: Lab, name: str) -> None:
    file = plant(lab.work / "single", {"model.gguf": b"weights"}) / "model.gguf"
    signed = statement(resources_of({name: b"weights"}), name="model.gguf")
    lab.signature.write_bytes(encode(lab.key.seal(encode(signed))))
    answers = (
        ours(file, lab.signature, lab.key.signer),
        theirs(file, lab.signature, lab.key.verifier),
    )
    if name == "model.gguf":
        lab.differ(answers, "Signature mismatch")
    else:
        assert [answer.accepted for answer in answers] == [False, False]
