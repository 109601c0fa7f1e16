"""What this project assumes of model-signing. A failure says what to reconsider here."""

import base64
import importlib.metadata
import inspect
import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import model_signing
import pytest
from cryptography import x509

from tests.differential.unprivileged import as_nobody, public_directory
from tests.differential.workshop import (
    DAY,
    IDENTITY,
    ISSUER,
    TLS,
    Answer,
    Issued,
    KeyPair,
    b64,
    certificate_verifier,
    encode,
    issue,
    new_hashing,
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

# model-signing logs by a deprecated method.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")

FILES = {"config.json": b"{}", "weights": bytes(range(256)) * 10, "sub/x": b"x"}
RESOURCES = resources_of(FILES)


class Signed:
    """A model signed by a key with model-signing."""

    def __init__(self, work: Path, **hashing: Any) -> None:  # noqa: ANN401  (new_hashing's)
        self.model = plant(work / "model", FILES)
        self.signature, self.key = work / "model.sig", KeyPair(work / "keys")
        self.key.sign(self.model, self.signature, new_hashing(**hashing))

    def answer(self, hashing: model_signing.hashing.Config | None = None) -> Answer:
        """What model-signing says."""
        return theirs(self.model, self.signature, self.key.verifier, hashing)

    @property
    def predicate(self) -> Any:  # noqa: ANN401  (JSON)
        """What was signed."""
        payload = json.loads(self.signature.read_bytes())["dsseEnvelope"]["payload"]
        return json.loads(base64.b64decode(payload))["predicate"]


def test_its_version_is_the_one_that_was_measured() -> None:
    assert importlib.metadata.version("model-signing").startswith("1.1."), (
        "a new series: read tests/differential and docs/differences.md again"
    )


def test_it_imports_pyopenssl_without_declaring_it() -> None:
    requires = importlib.metadata.requires("model-signing") or []
    declared = {re.split(r"[ <>=!~;\[]", entry)[0].lower() for entry in requires}
    assert "pyopenssl" not in declared, (
        "declared at last: the reason given for pyOpenSSL in docs/dependencies.md and "
        "pyproject.toml is out of date (signature/certificate.py still needs it)"
    )
    code = (
        "import sys; sys.modules['OpenSSL'] = None\n"
        "try:\n    import model_signing\nexcept ImportError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "OpenSSL" in run.stdout, "it does without pyOpenSSL: see docs/dependencies.md"


def test_it_verifies_what_lies_beside_an_unreadable_directory() -> None:
    with public_directory() as work, ExitStack() as undo:
        signed = Signed(work)
        plant(signed.model, {"secret/planted": b"evil"})
        (signed.model / "secret").chmod(0)
        undo.callback((signed.model / "secret").chmod, 0o755)
        answer = as_nobody(signed.answer)
    assert answer.accepted, (
        "it looks into every directory now: the row `unreadable-directory` can go"
    )


def _by_certificate(work: Path, leaf: Issued, root: Issued) -> Answer:
    model, signature = plant(work / "model", FILES), work / "model.sig"
    signature.write_bytes(encode(seal_by(leaf, encode(statement(RESOURCES)))))
    return theirs(model, signature, certificate_verifier(work / "root.pem", root))


@pytest.mark.parametrize("days", [-2, 2], ids=["expired", "not-yet-valid"])
def test_it_accepts_a_certificate_that_is_not_valid_now(tmp_path: Path, days: int) -> None:
    now = datetime.now(UTC)
    root = issue("root", ca=True, start=now - 9 * DAY, end=now + 9 * DAY)
    leaf = issue("leaf", root, start=now + days * DAY, end=now + days * DAY + DAY / 2)
    assert _by_certificate(tmp_path, leaf, root).accepted, (
        "it checks validity now: the rows `certificate-expired`, `certificate-not-yet-valid` and "
        "`chain-expired` of the differences can go"
    )


def test_it_accepts_a_certificate_for_tls(tmp_path: Path) -> None:
    root = issue("root", ca=True)
    leaf = issue("leaf", root, purposes=TLS)
    assert _by_certificate(tmp_path, leaf, root).accepted, (
        "it checks the extended key usage now: the row `certificate-for-tls` can go"
    )


def test_it_knows_no_identity_of_a_certificate(tmp_path: Path) -> None:
    root = issue("root", ca=True)
    leaf = issue("leaf", root, names=[x509.RFC822Name("anybody@example.com")])
    assert _by_certificate(tmp_path, leaf, root).accepted
    options = inspect.signature(model_signing.verifying.Config.use_certificate_verifier).parameters
    assert set(options) == {"self", "certificate_chain", "log_fingerprints"}, (
        "it may take an identity now: hand it over in signature/reference.py"
    )


# Some public roots have serial numbers that cryptography calls out.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_without_anchors_it_takes_the_roots_of_the_web(tmp_path: Path) -> None:
    model, signature = plant(tmp_path / "model", FILES), tmp_path / "model.sig"

    def verifier() -> model_signing.verifying.Config:
        config = model_signing.verifying.Config()  # type: ignore[no-untyped-call]
        return config.use_certificate_verifier()

    payload = encode(statement(RESOURCES))
    signature.write_bytes(encode(seal_by(issue("own"), payload)))
    assert theirs(model, signature, verifier).why.startswith("X509StoreContextError")
    signature.write_bytes(encode(seal_by_a_public_root(payload)))
    assert theirs(model, signature, verifier).why == "InvalidSignature: ", (
        "a chain to a public root of the web is no longer accepted by default: the row "
        "`default-roots` can go"
    )


def test_a_reused_configuration_lets_a_planted_file_pass(tmp_path: Path) -> None:
    key = KeyPair(tmp_path / "keys")
    first, second = plant(tmp_path / "a", FILES), plant(tmp_path / "b", FILES)
    plant(first, {"planted": b"x"})
    key.sign(first, tmp_path / "a.sig", new_hashing(ignore=["planted"]))
    key.sign(second, tmp_path / "b.sig")
    plant(second, {"planted": b"evil"})

    reused = key.verifier()
    reused.verify(first, tmp_path / "a.sig")
    try:
        reused.verify(second, tmp_path / "b.sig")
    except ValueError:
        pytest.fail(
            "it forgets the first model's ignore paths now: docs/differences.md says otherwise "
            "(a fresh configuration for each model does no harm)"
        )
    with pytest.raises(ValueError, match="planted"):
        key.verifier().verify(second, tmp_path / "b.sig")


def test_it_prints_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    sealed = key.seal(encode(statement(RESOURCES)))
    sealed["verificationMaterial"]["publicKey"] = {"rawBytes": b64(key.pem)}
    (tmp_path / "model.sig").write_bytes(encode(sealed))
    key.verifier().verify(model, tmp_path / "model.sig")
    assert capsys.readouterr().out, (
        "it prints nothing now: signature/reference.py need not capture stdout"
    )


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("no-name", "KeyError"),
        ("no-signature", "IndexError"),
        ("no-resources", "TypeError"),
        ("junk-signature", "InvalidSignature"),
        ("other-statement", "ValueError"),
    ],
)
def test_it_raises_whatever_its_parts_raise(tmp_path: Path, damage: str, kind: str) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    signed = statement(RESOURCES, name=None if damage == "no-name" else "model")
    if damage == "no-resources":
        signed["predicate"]["resources"] = None
    if damage == "other-statement":
        signed["predicateType"] = "https://example.com/v1"
    sealed = key.seal(encode(signed))
    if damage == "no-signature":
        sealed["dsseEnvelope"]["signatures"] = []
    if damage == "junk-signature":
        sealed["dsseEnvelope"]["signatures"][0]["sig"] = b64(b"junk")
    (tmp_path / "model.sig").write_bytes(encode(sealed))
    answer = theirs(model, tmp_path / "model.sig", key.verifier)
    assert answer.why.startswith(f"{kind}: "), (
        f"its errors changed to {answer.why!r}: look at `_SAYINGS` and `_finding` of "
        "signature/reference.py"
    )


WORDS = {
    "Key mismatch": "other-key",
    "SANs do not match": "other-identity",
    "Certificate's OIDCIssuer": "other-issuer",
    "cannot be used for signing": "no-usage",
    "is a symlink": "link",
    "as file or directory": "fifo",
    "Signature mismatch": "modified",
}


@pytest.mark.parametrize("words", WORDS)
def test_its_errors_say_the_words_that_are_looked_for(
    sigstore: PrivateSigstore, tmp_path: Path, words: str
) -> None:
    """The adapter knows an error by these words, since it has no class of its own."""
    case, signed = WORDS[words], Signed(tmp_path)
    verifier = signed.key.verifier
    if case == "other-key":
        verifier = KeyPair(tmp_path / "other").verifier
    elif case.startswith("other"):
        sigstore.sign(signed.model, signed.signature, identity=IDENTITY, issuer=ISSUER)
        others = {"identity": "x@y.z"} if "identity" in case else {"issuer": "https://x.example"}
        verifier = private_sigstore_verifier(sigstore, tmp_path / "trust.json", **others)
    elif case == "no-usage":
        root = issue("root", ca=True)
        leaf = issue("leaf", root, usage=None, purposes=())
        signed.signature.write_bytes(encode(seal_by(leaf, encode(statement(RESOURCES)))))
        verifier = certificate_verifier(tmp_path / "root.pem", root)
    elif case == "link":
        (signed.model / "link").symlink_to("weights")
    elif case == "fifo":
        os.mkfifo(signed.model / "fifo")
    else:
        (signed.model / "weights").write_bytes(b"changed")
    answer = theirs(signed.model, signed.signature, verifier)
    assert not answer.accepted
    assert words in answer.why, "it says it in other words: `_SAYINGS` of signature/reference.py"


def test_a_guessed_configuration_forbids_links(tmp_path: Path) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    (model / "link").symlink_to("weights")
    key.sign(model, tmp_path / "model.sig", new_hashing(links=True))
    told = theirs(model, tmp_path / "model.sig", key.verifier, new_hashing(links=True))
    assert told.accepted
    assert not theirs(model, tmp_path / "model.sig", key.verifier).accepted, (
        "it heeds the recorded `allow_symlinks` now: `_hashing` of signature/reference.py need not"
        " tell it, and the row `links-that-the-signature-allows` can go"
    )


def test_shards_have_a_float_for_a_size_and_a_name_of_their_own(tmp_path: Path) -> None:
    signed = Signed(tmp_path, method="shards")
    size = signed.predicate["serialization"]["shard_size"]
    names = {entry["algorithm"] for entry in signed.predicate["resources"]}
    advice = "shards follow the specification now: see the departures in signature/statement.py"
    assert (type(size), size) == (float, 1000.0), advice
    assert names == {"sha256-sharded-1000"}, advice
    assert signed.predicate["serialization"]["hash_type"] == "sha256"
    assert signed.answer().why.startswith("TypeError: 'float'"), (
        "it verifies its own shards now: the row `shards-as-model-signing-writes-them` can go, and "
        "`_hashing` of signature/reference.py need not convert the size"
    )


def test_shards_to_the_letter_are_refused(tmp_path: Path) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    shards = statement(shards_of(FILES, 1000), method="shards", shard_size=1000)
    (tmp_path / "model.sig").write_bytes(encode(key.seal(encode(shards))))
    assert not theirs(model, tmp_path / "model.sig", key.verifier).accepted, (
        "it reads shards after the specification now: the row `shards-to-the-letter` can go"
    )


def test_blake2b_cannot_be_verified_untold(tmp_path: Path) -> None:
    signed = Signed(tmp_path, algorithm="blake2")
    assert signed.predicate["serialization"]["hash_type"] == "blake2b"
    assert signed.answer(new_hashing(algorithm="blake2")).accepted
    assert "Unsupported hashing method blake2b" in signed.answer().why, (
        "it reads its own BLAKE2b now: the row `blake2b` can go, and `_hashing` of "
        "signature/reference.py need not translate the name"
    )


def test_its_order_is_by_component_and_counts_as_sorted(tmp_path: Path) -> None:
    names = dict.fromkeys(("a/b", "a.txt", "a-b"), b"x")
    model, key = plant(tmp_path / "model", names), KeyPair(tmp_path / "keys")
    key.sign(model, tmp_path / "model.sig")
    signed = Signed.__new__(Signed)
    signed.signature = tmp_path / "model.sig"
    order = [entry["name"] for entry in signed.predicate["resources"]]
    assert order == ["a/b", "a-b", "a.txt"], (
        "it sorts by code point now, as the specification says: `_component_key` of "
        "signature/statement.py serves old signatures only"
    )
    assert order != sorted(order)
    assert root_digest(signed.predicate["resources"])


def test_the_signature_records_what_was_ignored(tmp_path: Path) -> None:
    signed = Signed(tmp_path, ignore=["sub"])
    recorded = set(signed.predicate["serialization"]["ignore_paths"])
    assert recorded == {".git", ".gitattributes", ".github", ".gitignore", "sub"}, (
        "other default ignore paths: GIT_PATHS of policy.py"
    )


def test_old_signatures_by_keys_on_large_curves_are_refused(tmp_path: Path) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys", "p384")
    sealed = key.seal_v02(encode(statement_v02(FILES)))
    (tmp_path / "model.sig").write_bytes(encode(sealed))
    assert not theirs(model, tmp_path / "model.sig", key.verifier).accepted, (
        "it hashes as v0.2 did now: the row `old-key-on-a-large-curve` can go"
    )


def test_it_looks_at_no_file_behind_a_linked_directory(tmp_path: Path) -> None:
    model, key = plant(tmp_path / "model", FILES), KeyPair(tmp_path / "keys")
    (model / "link").symlink_to("sub")
    key.sign(model, tmp_path / "model.sig", new_hashing(links=True))
    signed = Signed.__new__(Signed)
    signed.signature = tmp_path / "model.sig"
    names = {entry["name"] for entry in signed.predicate["resources"]}
    assert names == set(FILES), "it follows linked directories now: the row `linked-directory`"


def test_importing_it_is_slow_and_so_it_is_imported_late() -> None:
    """Not the time, which no test should measure, but what is loaded without being asked for."""
    code = (
        "import sys\n"
        "import verifier_cli.runs, verifier_cli.signature.key, verifier_cli.cli.commands\n"
        "print(sorted({'model_signing', 'sigstore', 'OpenSSL', 'yaml'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]", (
        "a module that the key method does not need is imported early"
    )
