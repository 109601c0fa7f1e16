"""Every case in which this project and model-signing answer differently, as one table.

`test_differences.py` builds each case for real and asserts both answers; docs/differences.md
shows this table (`python -m tests.differential.differences` writes it anew).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DOCUMENT = Path(__file__).parents[2] / "docs" / "differences.md"
START, END = "<!-- differences -->", "<!-- end of differences -->"

Side = Literal["model-verify", "model-signing"]


@dataclass(frozen=True)
class Difference:
    """One row.

    Attributes:
        name: the row's name; its test is `test_` and the name with underscores.
        stricter: who refuses; the other accepts.
        case: what both were given, for readers.
        why: why this project answers as it does.
    """

    name: str
    stricter: Side
    case: str
    why: str

    @property
    def test(self) -> str:
        """The function that pins it."""
        return f"test_{self.name.replace('-', '_')}"


_OURS = [
    # The tree
    (
        "changed-while-hashing",
        (
            "A file is overwritten after it was hashed, before the verdict; its modification "
            "time is set back"
        ),
        "What was verified would not be what is there when the verdict falls.",
    ),
    (
        "added-while-hashing",
        "A file is added after the tree was listed, before the verdict",
        "The verdict is about the model that is there at its end.",
    ),
    (
        "unreadable-directory",
        "An unsigned file lies in a directory that may not be listed",
        "Nothing that could not be looked at is called verified.",
    ),
    (
        "link-out-of-the-model",
        "Links are allowed, and a signed name is a link to a file outside the model",
        "What a link leads to outside can change without anybody noticing.",
    ),
    (
        "linked-directory",
        "Links are allowed, and one leads to a directory, inside the model or outside",
        (
            "model-signing does not look behind such links; a program that loads the model does. "
            "Inside, what lies behind counts as files of the model; outside is refused."
        ),
    ),
    (
        "linked-directory-cycle",
        "Links are allowed, and one leads to a directory that it is in",
        "A program that follows it never ends.",
    ),
    (
        "tolerated-special-file",
        "Unsigned files are tolerated, and a FIFO, a socket or a device is among them",
        "A special file is never part of a model, tolerated or not.",
    ),
    (
        "tolerated-link",
        "Unsigned files are tolerated, links are not, and an unsigned link is there",
        "To tolerate unsigned files is not to allow links.",
    ),
    (
        "empty-file-beside-shards",
        "An unsigned empty file lies in a model that is signed in shards",
        (
            "An empty file can switch a program's behaviour by its name. The specification has "
            "signers leave empty files out and verifiers refuse unlisted ones; we refuse."
        ),
    ),
    (
        "nothing-signed",
        "The signature lists no file, and the model is empty",
        "Such a signature vouches for nothing.",
    ),
    # Who signed
    (
        "certificate-expired",
        "The leaf has expired",
        "OMS 8.2. model-signing checks the chain at the moment the leaf became valid, always.",
    ),
    ("certificate-not-yet-valid", "The leaf is not valid yet", "As above."),
    (
        "chain-expired",
        "The root, or an intermediate, has expired since the leaf was issued",
        "Every link must be valid now.",
    ),
    (
        "certificate-for-tls",
        "The leaf's extended key usage is TLS only",
        "A web server's certificate must not sign models.",
    ),
    (
        "authority-for-tls",
        "The extended key usage of the root, or of an intermediate, is TLS only",
        "What an authority may not do, it may not let others do.",
    ),
    (
        "certificate-without-purpose",
        "The leaf has no extended key usage",
        "Only with `requireCodeSigning: false` does the policy take it.",
    ),
    (
        "certificate-key-usage",
        "The leaf's key usage forbids signatures, its extended key usage is code signing",
        "Both extensions bind (RFC 5280, 4.2.1.12).",
    ),
    (
        "certificate-weak-key",
        "The root has an RSA key of 1024 bits",
        "It can be factored.",
    ),
    (
        "certificate-identity",
        "The policy names an identity, and the leaf bears another one",
        "model-signing knows no identity for certificates: any leaf under the root will do.",
    ),
    (
        "default-roots",
        "No certificate authority is given, and the chain ends in a public root of the web",
        "Anybody can get a certificate under those. Here it is a configuration error.",
    ),
    (
        "key-file-with-more",
        "Text stands before or after the public key in its file",
        "Whoever wrote it meant something that would be overlooked.",
    ),
    (
        "other-raw-key",
        "The signature file holds another public key than the one that made it",
        "A file that contradicts itself; model-signing drops the field.",
    ),
    (
        "empty-issuer",
        "sigstore: the expected issuer is empty",
        "sigstore takes it to mean any issuer. Policies must name one.",
    ),
    (
        "issuers-that-contradict",
        "sigstore: the certificate's two issuer extensions name two issuers",
        "model-signing looks at the older extension only. All that are there must agree.",
    ),
    # The signature file
    (
        "bundle-with-a-key-twice",
        "A JSON key stands twice in the signature file",
        "Two parsers may read two signatures.",
    ),
    (
        "second-signature",
        "Key and certificate: a second signature, which is junk, follows the good one",
        "OMS 4.2 wants exactly one; a reader could take the other one.",
    ),
    (
        "loose-base64",
        "Line breaks or other characters stand within the base64, or its unused bits are set",
        "One encoding for one value.",
    ),
    (
        "log-entry-of-a-key",
        "Key and certificate: the signature file holds a transparency-log entry",
        "These methods check nothing of it, so it must not look as if it had been checked.",
    ),
    (
        "long-chain",
        "The signature file holds more than 16 certificates",
        "Real chains have two to four; to build a path through many is costly.",
    ),
    (
        "protobuf-names",
        "sigstore: the fields of the signature file have their protobuf names (`media_type`)",
        "Two names for one field let two values stand there.",
    ),
    (
        "fifo-as-signature",
        "The signature file is a FIFO",
        "Opening it can hang forever, and it can be read once only.",
    ),
    (
        "huge-bundle",
        "The signature file is larger than 32 MiB, or has more than 20 000 entries",
        "Memory is bounded whatever the input.",
    ),
    # The statement
    (
        "payload-with-a-key-twice",
        "A JSON key stands twice in the signed statement",
        "Two parsers may read two statements.",
    ),
    ("payload-with-nan", "The signed statement holds NaN or Infinity", "That is not JSON."),
    (
        "payload-in-another-encoding",
        "The signed statement is UTF-16, has a byte order mark or holds half a surrogate pair",
        "JSON between programs is UTF-8 without a mark, and text is Unicode (RFC 8259, 8).",
    ),
    (
        "payload-nested-deeply",
        "The signed statement nests deeper than 64 levels",
        "No honest statement does; deep nesting crashes parsers.",
    ),
    ("names-unsorted", "The signed names are in no canonical order", "OMS 5.2.1."),
    (
        "name-twice",
        "A name is signed twice, in v1.0 or v0.2",
        "Which digest holds is up to the reader.",
    ),
    (
        "name-not-normalised",
        "A signed name is `./a`, `a//b`, `a/./b` or `a/`",
        "OMS 6.1.2: one name for one file.",
    ),
    (
        "hash-that-does-not-fit",
        "`hash_type` is not that of the digests; model-signing is told which to use",
        (
            "The algorithm must be the one that was signed. The command line of model-signing "
            "always tells it, and so never looks."
        ),
    ),
    (
        "shard-size-that-does-not-fit",
        "`shard_size` is not that of the shards; model-signing is told which to use",
        "As above.",
    ),
    (
        "loose-digest",
        "A digest is in upper case or holds spaces",
        "OMS 6.3.1: lower-case hex, so that digests can be compared as text.",
    ),
    (
        "allow-symlinks-not-boolean",
        "`allow_symlinks` is the text `false`, or null",
        "Readers differ on whether the text `false` is true.",
    ),
    (
        "unknown-parameter",
        "`serialization` holds an unknown parameter, or a shard size without shards",
        "A parameter can change what the digests mean.",
    ),
    (
        "loose-ignore-path",
        "A recorded ignore path is a glob, absolute or not normalised, or leads out",
        "OMS 6.2.1: exact relative paths.",
    ),
    (
        "old-encoding-of-a-new-statement",
        "A v1.0 statement is signed in the faulty encoding of v0.2",
        "Only v0.2 ever signed so, and only its statements.",
    ),
]

_THEIRS = [
    (
        "old-key-on-a-large-curve",
        "A v0.2 signature by a P-384 or P-521 key",
        "v0.2 always hashed with SHA-256; model-signing tries only the curve's own hash.",
    ),
    (
        "blake2b",
        "Files hashed with BLAKE2b",
        "The algorithm registry has it. model-signing writes `blake2b`, but reads only `blake2`.",
    ),
    (
        "shards-to-the-letter",
        "Shards as the specification has them: `algorithm` is the plain hash",
        "model-signing expects its own `sha256-sharded-N`.",
    ),
    (
        "shards-as-model-signing-writes-them",
        "Shards as model-signing signs them: `shard_size` is a float",
        "The meaning is unmistakable; accepted with a warning. model-signing raises a TypeError.",
    ),
    (
        "colon-in-a-sharded-name",
        "The name of a sharded file holds a colon",
        "OMS 6.3.2: the last two numbers are the range.",
    ),
    (
        "subject-without-name",
        "The subject has no name, as releases before 1.1 wrote when told to sign `.`",
        "The name is informational (OMS 6.5); accepted with a warning.",
    ),
    (
        "key-hint-in-another-form",
        "The key's hint is in upper case, or that of the key's DER form",
        "It names the same key; the signature must fit it all the same.",
    ),
    (
        "several-keys",
        "The key file holds several keys, and not the first one signed",
        "Keys are rotated: any one suffices.",
    ),
    (
        "issuer-in-the-new-extension",
        "sigstore: the certificate names its issuer only in Fulcio's newer extension",
        "Both extensions are Fulcio's word; the older one is deprecated.",
    ),
    (
        "user-name-as-identity",
        "sigstore: the identity is a user name, in Fulcio's own kind of name",
        "sigstore-python compares its encoding, not its text.",
    ),
    (
        "model-behind-a-link",
        "The model's own path is a symbolic link",
        "`current -> v3` is how models are switched; it is resolved once and held open.",
    ),
    (
        "links-that-the-signature-allows",
        "The signature recorded that links are allowed, and nobody tells model-signing so",
        "OMS 6.1.1: the recorded rule holds. The links are still contained.",
    ),
    (
        "ignored-links-and-special-files",
        "A link, a dangling one, or a FIFO lies below an ignored directory such as `.git`",
        "What is ignored is not part of the model. It is listed in the report.",
    ),
    (
        "single-file-by-its-name",
        "A single file is signed under its own name",
        "OMS 6.1.2, rule 5. model-signing expects `.`.",
    ),
]

DIFFERENCES: tuple[Difference, ...] = (
    *(Difference(name, "model-verify", case, why) for name, case, why in _OURS),
    *(Difference(name, "model-signing", case, why) for name, case, why in _THEIRS),
)


def table(stricter: Side) -> str:
    """The rows of one side, as Markdown."""
    rows = [row for row in DIFFERENCES if row.stricter == stricter]
    lines = ["| Difference | Case | Why |", "|---|---|---|"]
    lines += [f"| `{row.name}` | {row.case}. | {row.why} |" for row in rows]
    return "\n".join(lines)


def section() -> str:
    """Everything between the marks of the document."""
    return "\n\n".join(
        (
            START,
            "## Where model-verify is stricter",
            "model-signing accepts these, model-verify refuses them.",
            table("model-verify"),
            "## Where model-signing is stricter",
            "model-verify accepts these, model-signing refuses them.",
            table("model-signing"),
            END,
        )
    )


def main() -> None:
    """Writes the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    DOCUMENT.write_text(before + section() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
