"""Makes everything in this directory anew: models, signatures, trust material, policies, cases.

`nox -s testdata` installs what it needs and runs it. Whatever it writes, it holds against
`model_signing` before it ends. Private keys live in a temporary directory and are forgotten.
"""

import json
import re
import shutil
import sys
from argparse import ArgumentParser
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent

from model_signing import hashing, verifying

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from testdata import models  # noqa: E402
from testdata.signers import CertificateSigner, KeySigner, Signer, SigstoreSigner  # noqa: E402
from tests.private_sigstore import PrivateSigstore  # noqa: E402
from verifier_cli.verdict import Reason  # noqa: E402

EMAIL = "release@example.com"
ISSUER = "https://idp.example.com"
WORKFLOW = "https://github.com/example/models/.github/workflows/release.yml@refs/tags/v1.0"
GITHUB = "https://token.actions.githubusercontent.com"

KEY = ("--public-key", "testdata/trust/key.pub")
CHAIN = ("--certificate-chain", "testdata/trust/ca.pem")
CERTIFICATE = (*CHAIN, "--certificate-identity", EMAIL)
INSTANCE = ("--trust-config", "testdata/trust/trust-config.json")
KEYLESS = (*INSTANCE, "--identity", EMAIL, "--identity-provider", ISSUER)
BY_WORKFLOW = (*INSTANCE, "--identity", WORKFLOW, "--identity-provider", GITHUB)

WEIGHTS = "variables/variables.data-00000-of-00001"
CACHE = Path("huggingface-cache", "models--org--tiny")


@dataclass(frozen=True)
class Team:
    """All signers: those whom the policies trust, and their doubles."""

    key: KeySigner
    other_key: KeySigner
    certificate: CertificateSigner
    other_certificate: CertificateSigner
    sigstore: SigstoreSigner
    workflow: SigstoreSigner
    other_identity: SigstoreSigner
    other_sigstore: SigstoreSigner


@dataclass(frozen=True)
class Case:
    """One call of `model-verify verify` and its answer.

    Attributes:
        name: Names the case.
        shows: What it shows, in one sentence.
        model: The model, below this directory.
        options: The options of the call.
        reason: How `model-verify` ends.
        refusal: A pattern for what `model_signing` says against the model; "" if it accepts it.
    """

    name: str
    shows: str
    model: str
    options: tuple[str, ...]
    reason: Reason = Reason.VERIFIED
    refusal: str = ""

    @property
    def arguments(self) -> list[str]:
        """The arguments of the call, made in the root of the repository."""
        return [f"testdata/{self.model}", *self.options]


def cases() -> list[Case]:
    """Returns all cases; `shows` is what README.md says of each."""
    (snapshot,) = (HERE / CACHE / "snapshots").iterdir()
    return [
        Case(
            "savedmodel-key",
            "A TensorFlow SavedModel signed with a key.",
            "savedmodel-key",
            KEY,
        ),
        Case(
            "savedmodel-certificate",
            "A TensorFlow SavedModel signed with a certificate of a company's own authority.",
            "savedmodel-certificate",
            CERTIFICATE,
        ),
        Case(
            "savedmodel-sigstore",
            "A TensorFlow SavedModel signed by a person through a private sigstore.",
            "savedmodel-sigstore",
            KEYLESS,
        ),
        Case(
            "huggingface-sigstore",
            "A Hugging Face snapshot signed by a GitHub workflow through a private sigstore.",
            "huggingface-sigstore",
            BY_WORKFLOW,
        ),
        Case(
            "huggingface-cache",
            "A repository in the Hugging Face cache, whose links stay within it.",
            str(CACHE),
            (*KEY, "--allow-symlinks"),
        ),
        Case(
            "huggingface-snapshot",
            "One snapshot of that cache, whose links lead to the blobs beside it.",
            str(snapshot.relative_to(HERE)),
            (*KEY, "--signature", "testdata/huggingface-cache/snapshot.sig", "--allow-symlinks"),
        ),
        Case(
            "gguf-key",
            "A single GGUF file, with the signature beside it.",
            "gguf/tiny.gguf",
            KEY,
        ),
        Case(
            "onnx-certificate",
            "A single ONNX file, with the signature beside it.",
            "onnx/tiny.onnx",
            CERTIFICATE,
        ),
        Case(
            "savedmodel-extra-file-ignored",
            "A file was added that nobody signed, and the caller puts up with that.",
            "savedmodel-extra-file",
            (*KEY, "--ignore-unsigned-files"),
        ),
        Case(
            "savedmodel-tampered",
            "One byte of the weights was changed after signing through sigstore.",
            "savedmodel-tampered",
            KEYLESS,
            Reason.CONTENT_MISMATCH,
            f"Hash mismatch for '{WEIGHTS}'",
        ),
        Case(
            "huggingface-tampered",
            "One byte of the weights was changed after signing with a certificate.",
            "huggingface-tampered",
            CERTIFICATE,
            Reason.CONTENT_MISMATCH,
            "Hash mismatch for 'model.safetensors'",
        ),
        Case(
            "gguf-tampered",
            "One byte of a single file was changed after signing with a key.",
            "gguf-tampered/tiny.gguf",
            KEY,
            Reason.CONTENT_MISMATCH,
            r"Hash mismatch for '\.'",
        ),
        Case(
            "savedmodel-missing-file",
            "A signed file is gone, although TensorFlow would load the model without it.",
            "savedmodel-missing-file",
            KEY,
            Reason.CONTENT_MISMATCH,
            "Missing files .*: fingerprint.pb",
        ),
        Case(
            "savedmodel-extra-file",
            "A file was added that nobody signed.",
            "savedmodel-extra-file",
            KEY,
            Reason.CONTENT_MISMATCH,
            "Extra files .*: assets.extra/vocabulary.txt",
        ),
        Case(
            "savedmodel-unsigned",
            "There is no signature.",
            "savedmodel-unsigned",
            KEYLESS,
            Reason.SIGNATURE_MISSING,
            "FileNotFoundError",
        ),
        Case(
            "savedmodel-forged",
            "The weights were changed and the signed digests with them, but not the signature.",
            "savedmodel-forged",
            KEY,
            Reason.SIGNATURE_INVALID,
            "InvalidSignature",
        ),
        Case(
            "savedmodel-other-key",
            "The signature is good, but by another key.",
            "savedmodel-other-key",
            KEY,
            Reason.SIGNER_UNTRUSTED,
            "Key mismatch",
        ),
        Case(
            "savedmodel-other-ca",
            "The certificate names the right signer, but another authority issued it.",
            "savedmodel-other-ca",
            CERTIFICATE,
            Reason.SIGNER_UNTRUSTED,
            "unable to get local issuer certificate",
        ),
        Case(
            "savedmodel-certificate-of-somebody-else",
            "The authority is the right one, but the certificate names another signer; "
            "`model_signing` does not look at the name.",
            "savedmodel-certificate",
            (*CHAIN, "--certificate-identity", "somebody.else@example.com"),
            Reason.SIGNER_UNTRUSTED,
        ),
        Case(
            "savedmodel-other-identity",
            "The private sigstore vouches for the signer, but it is another one.",
            "savedmodel-other-identity",
            KEYLESS,
            Reason.SIGNER_UNTRUSTED,
            "SANs do not match",
        ),
        Case(
            "savedmodel-other-issuer",
            "The name of the signer is right, but another identity provider knows it.",
            "savedmodel-sigstore",
            (*INSTANCE, "--identity", EMAIL, "--identity-provider", GITHUB),
            Reason.SIGNER_UNTRUSTED,
            "OIDCIssuer does not match",
        ),
        Case(
            "savedmodel-other-sigstore",
            "Signer and issuer are right, but another sigstore vouches for them.",
            "savedmodel-other-sigstore",
            KEYLESS,
            Reason.SIGNER_UNTRUSTED,
            "candidates exhausted",
        ),
        Case(
            "savedmodel-other-method",
            "The signature is good, but made through sigstore where a key is asked for.",
            "savedmodel-sigstore",
            KEY,
            Reason.SIGNER_UNTRUSTED,
            "AttributeError: 'NoneType' object has no attribute 'hint'",
        ),
        Case(
            "savedmodel-link",
            "A signed file was replaced by a symbolic link, and nobody allowed links.",
            "savedmodel-link",
            KEY,
            Reason.POLICY_VIOLATION,
            "because it is a symlink",
        ),
    ]


def main() -> None:
    """Makes everything."""
    with (
        TemporaryDirectory() as directory,
        PrivateSigstore() as sigstore,
        PrivateSigstore() as other_sigstore,
    ):
        work = Path(directory)
        team = Team(
            key=KeySigner(work / "key"),
            other_key=KeySigner(work / "other-key"),
            certificate=CertificateSigner(work / "ca", EMAIL),
            other_certificate=CertificateSigner(work / "other-ca", EMAIL),
            sigstore=SigstoreSigner(sigstore, EMAIL, ISSUER),
            workflow=SigstoreSigner(sigstore, WORKFLOW, GITHUB),
            other_identity=SigstoreSigner(sigstore, "somebody.else@example.com", ISSUER),
            other_sigstore=SigstoreSigner(other_sigstore, EMAIL, ISSUER),
        )
        for old in HERE.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
        write_savedmodels(work / "savedmodel", team)
        write_huggingface(work / "huggingface", team)
        write_files(team)
        write_trust(team)
        write_policies(team)
    write_cases(cases())
    check(cases())


def write_savedmodels(original: Path, team: Team) -> None:
    """Writes a SavedModel for each of its cases."""
    models.tensorflow_saved_model(original)
    signers: dict[str, Signer] = {
        "savedmodel-key": team.key,
        "savedmodel-certificate": team.certificate,
        "savedmodel-sigstore": team.sigstore,
        "savedmodel-tampered": team.sigstore,
        "savedmodel-missing-file": team.key,
        "savedmodel-extra-file": team.key,
        "savedmodel-link": team.key,
        "savedmodel-other-key": team.other_key,
        "savedmodel-other-ca": team.other_certificate,
        "savedmodel-other-identity": team.other_identity,
        "savedmodel-other-sigstore": team.other_sigstore,
    }
    for name, signer in signers.items():
        signed_copy(original, name, signer)
    change_a_byte(HERE / "savedmodel-tampered" / WEIGHTS)
    (HERE / "savedmodel-missing-file" / "fingerprint.pb").unlink()
    linked = HERE / "savedmodel-link" / "fingerprint.pb"
    linked.unlink()
    linked.symlink_to("saved_model.pb")
    extra = HERE / "savedmodel-extra-file" / "assets.extra" / "vocabulary.txt"
    extra.parent.mkdir()
    extra.write_text("never signed\n", encoding="utf-8")
    shutil.copytree(original, HERE / "savedmodel-unsigned")
    forge(original, "savedmodel-forged", team)


def forge(original: Path, name: str, team: Team) -> None:
    """Writes a changed model whose bundle fits it, but for the signature itself."""
    honest = signed_copy(original, name, team.key)
    bundle = json.loads((honest / "model.sig").read_bytes())
    change_a_byte(honest / WEIGHTS)
    team.other_key.sign(honest, honest / "model.sig")
    forged = json.loads((honest / "model.sig").read_bytes())
    bundle["dsseEnvelope"]["payload"] = forged["dsseEnvelope"]["payload"]
    (honest / "model.sig").write_text(json.dumps(bundle), encoding="utf-8")


def write_huggingface(original: Path, team: Team) -> None:
    """Writes a Hugging Face model as a snapshot and as the cache keeps it."""
    models.huggingface(original)
    signed_copy(original, "huggingface-sigstore", team.workflow)
    tampered = signed_copy(original, "huggingface-tampered", team.certificate)
    change_a_byte(tampered / "model.safetensors")
    snapshot = models.huggingface_cache(HERE / CACHE, original)
    team.key.sign(HERE / CACHE, HERE / CACHE / "model.sig", allow_symlinks=True)
    team.key.sign(snapshot, HERE / CACHE.parent / "snapshot.sig", allow_symlinks=True)


def write_files(team: Team) -> None:
    """Writes the models that are a single file."""
    for name in ("gguf", "gguf-tampered", "onnx"):
        (HERE / name).mkdir()
    models.gguf(HERE / "gguf" / "tiny.gguf")
    team.key.sign(HERE / "gguf" / "tiny.gguf", HERE / "gguf" / "tiny.gguf.sig")
    shutil.copytree(HERE / "gguf", HERE / "gguf-tampered", dirs_exist_ok=True)
    change_a_byte(HERE / "gguf-tampered" / "tiny.gguf")
    models.onnx(HERE / "onnx" / "tiny.onnx")
    team.certificate.sign(HERE / "onnx" / "tiny.onnx", HERE / "onnx" / "tiny.onnx.sig")


def signed_copy(original: Path, name: str, signer: Signer) -> Path:
    """Copies a model here and signs the copy."""
    model = HERE / name
    shutil.copytree(original, model)
    signer.sign(model, model / "model.sig")
    return model


def change_a_byte(path: Path) -> None:
    """Flips the lowest bit of the byte in the middle: of a weight, in all these formats."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def write_trust(team: Team) -> None:
    """Writes what the verifier is to trust, and what it is not."""
    trust = HERE / "trust"
    trust.mkdir()
    (trust / "key.pub").write_bytes(team.key.public_key)
    (trust / "other-key.pub").write_bytes(team.other_key.public_key)
    (trust / "ca.pem").write_bytes(team.certificate.root)
    (trust / "other-ca.pem").write_bytes(team.other_certificate.root)
    (trust / "trust-config.json").write_text(team.sigstore.trust_config, encoding="utf-8")


def write_policies(team: Team) -> None:
    """Writes ModelValidation manifests, for each method one inline and one with a path."""
    directory = HERE / "policies"
    directory.mkdir()
    identity = f"certificateIdentity: {EMAIL}\n"
    keyless = (
        f"sigstoreConfig:\n  {identity}  certificateOidcIssuer: {ISSUER}\nclientTrustConfig:\n"
    )
    configs = {
        "key": f"publicKeyConfig:\n{literal('key', team.key.public_key.decode())}",
        "key-path": "publicKeyConfig:\n  keyPath: /trust/key.pub\n",
        "certificate": "pkiConfig:\n"
        f"{literal('certificateAuthority', team.certificate.root.decode())}  {identity}",
        "certificate-path": f"pkiConfig:\n  certificateAuthority: /trust/ca.pem\n  {identity}",
        "sigstore": f"{keyless}{literal('trustConfig', team.sigstore.trust_config)}",
        "sigstore-path": f"{keyless}  trustConfigPath: /trust/trust-config.json\n",
    }
    for name, config in configs.items():
        (directory / f"{name}.yaml").write_text(policy(name, config), encoding="utf-8")


def literal(field: str, text: str) -> str:
    """Returns a member of a nested mapping as a YAML literal block."""
    return f"  {field}: |\n{indent(text, '    ')}"


def policy(name: str, config: str) -> str:
    """Returns a ModelValidation manifest."""
    return f"""\
apiVersion: ml.sigstore.dev/v1alpha1
kind: ModelValidation
metadata:
  name: {name}
spec:
  config:
{indent(config, "    ")}\
  model:
    path: /data/tensorflow_saved_model
    signaturePath: /data/tensorflow_saved_model/model.sig
"""


def write_cases(everything: list[Case]) -> None:
    """Writes cases.json and the table in README.md."""
    rows = ["| Case | Shows | Verdict | Reason | Exit |", "|---|---|---|---|---|"]
    entries = []
    for case in everything:
        verdict, reason = case.reason.verdict.value, case.reason.name
        rows.append(
            f"| `{case.name}` | {case.shows} | {verdict} | {reason} | {case.reason.exit_code} |"
        )
        entries.append(
            {
                "name": case.name,
                "shows": case.shows,
                "arguments": case.arguments,
                "verdict": verdict,
                "reason": reason,
                "exitCode": case.reason.exit_code,
            }
        )
    (HERE / "cases.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    readme = HERE / "README.md"
    start, end = "<!-- cases -->\n", "<!-- end of cases -->"
    before, rest = readme.read_text(encoding="utf-8").split(start)
    after = rest.partition(end)[2]
    table = "\n".join(rows)
    readme.write_text(f"{before}{start}{table}\n{end}{after}", encoding="utf-8")


def check(everything: list[Case]) -> None:
    """Holds every case against `model_signing`.

    Raises:
        SystemExit: It accepts or refuses one that it should not, or for another reason.
    """
    surprises = []
    with chdir(ROOT):
        for case in everything:
            said = refusal(case.arguments)
            expected = re.search(case.refusal, said) if case.refusal else not said
            print(f"{case.name}: {said or 'accepted'}")
            if not expected:
                surprises.append(f"{case.name}: {said or 'accepted'}, not {case.refusal!r}")
    if surprises:
        raise SystemExit("\n".join(["model_signing differs:", *surprises]))


def refusal(arguments: list[str]) -> str:
    """Returns what `model_signing` says against a model, or "" if it accepts it."""
    parser = ArgumentParser()
    parser.add_argument("model", type=Path)
    for option in ("--signature", "--public-key", "--certificate-chain", "--trust-config"):
        parser.add_argument(option, type=Path)
    for option in ("--identity", "--identity-provider", "--certificate-identity"):
        parser.add_argument(option)
    parser.add_argument("--ignore-unsigned-files", action="store_true")
    parser.add_argument("--allow-symlinks", action="store_true")
    options = parser.parse_args(arguments)

    config = verifying.Config()  # type: ignore[no-untyped-call]
    if options.public_key:
        config.use_elliptic_key_verifier(public_key=options.public_key)
    elif options.certificate_chain:
        config.use_certificate_verifier(certificate_chain=[options.certificate_chain])
    else:
        config.use_sigstore_verifier(
            identity=options.identity,
            oidc_issuer=options.identity_provider,
            trust_config=options.trust_config,
        )
    files = hashing.Config()  # type: ignore[no-untyped-call]
    # Left to guess, it takes the links from the signature and then forbids them all the same.
    config.set_hashing_config(files.set_allow_symlinks(options.allow_symlinks))
    config.set_ignore_unsigned_files(options.ignore_unsigned_files)
    beside = options.model.with_name(f"{options.model.name}.sig")
    found = options.model / "model.sig" if options.model.is_dir() else beside
    try:
        config.verify(options.model, options.signature or found)
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    main()
