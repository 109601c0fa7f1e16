"""The verification procedure for one model under one policy, step by step.

    1. Load the policy's trust material; check every pin (`verifier_cli.runs`).
    2. Find the model and its signature.
    3. Read the signature file once, bounded; parse it strictly.
    4. Authenticate: one signer of the policy must accept the envelope.
    5. Decode the authenticated bytes into the signed manifest.
    6. Walk the tree.
    7. Compare names; then hash only what is signed.
    8. Judge (`verifier_cli.judge`).
    9. Report (`verifier_cli.runs`).

The steps are tagged in the code. Whatever ends a step early leaves a finding, and an
examination that is not whole is never judged TRUSTED.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from verifier_cli.inputs import MAX_BUNDLE_BYTES, Malformed, Unreadable, read_regular, why
from verifier_cli.judge import Examination
from verifier_cli.model.compare import compare_names
from verifier_cli.model.digest import Digester
from verifier_cli.model.discover import find_signature
from verifier_cli.model.root import Root
from verifier_cli.model.walk import Walk, left_out
from verifier_cli.signature.authenticate import authenticate
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.signature.statement import decode_statement
from verifier_cli.verdict import Code, Evidence, Finding, SignatureFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier_cli.model.digest import Comparison
    from verifier_cli.model.progress import Progress
    from verifier_cli.model.tree import Tree
    from verifier_cli.policy import ModelRules, Signer
    from verifier_cli.signature.authenticate import Trust
    from verifier_cli.signature.bundle import Bundle
    from verifier_cli.signature.statement import SignedManifest


_T = TypeVar("_T")


class Observer(Protocol):
    """Who is told what happens; implemented by the log at the edges."""

    def event(self, event: str, message: str, **fields: object) -> None:
        """Takes one event: its stable dotted name, a sentence, and flat fields."""


@dataclass(slots=True)
class Trail:
    """What one examination has established so far; it starts with nothing.

    Attributes:
        signed: files that the signature covers.
        equal: those of them that were read whole and found equal; `bytes` is their size.
        complete: every step ran to its end.
    """

    rules: ModelRules
    findings: list[Finding] = field(default_factory=list)
    bundle: Bundle | None = None
    signature: SignatureFacts | None = None
    evidence: Evidence | None = None
    ignored: list[str] = field(default_factory=list)
    signed: int = 0
    equal: int = 0
    bytes: int = 0
    complete: bool = False

    def examination(self) -> Examination:
        """What the judge needs of it."""
        return Examination(
            self.evidence, self.signed, self.equal, self.complete, tuple(self.findings)
        )


class Stop(Exception):  # noqa: N818  (ends the steps, not in error)
    """Findings that leave nothing for the later steps to do."""

    def __init__(self, *findings: Finding) -> None:
        """Keeps the findings."""
        super().__init__()
        self.findings = findings


class Procedure:
    """The steps, and what the examinations of one run share.

    Args:
        workers: threads that hash.
    """

    def __init__(self, observer: Observer, progress: Progress, workers: int) -> None:
        """Keeps whom to tell."""
        self._observer = observer
        self._progress = progress
        self._workers = workers
        # A model under several policies with the same rules is walked and hashed once.
        self._contents: dict[tuple[object, ...], tuple[Tree, Comparison, list[Finding]]] = {}

    def prepare(self, trail: Trail) -> Root:
        """Steps 2 and 3: opens the model and reads its signature; the caller closes the root.

        Raises:
            Stop: the model or the signature is not there or cannot be read.
        """
        root = _open(trail.rules)
        try:
            path = _signature_path(trail.rules)  # step 2
            trail.bundle = _read_bundle(path)  # step 3
        except BaseException:
            root.close()
            raise
        trail.signature = SignatureFacts(path, trail.bundle.sha256)
        return root

    def examine(self, trail: Trail, root: Root, signers: Sequence[Signer], trust: Trust) -> None:
        """Steps 4 to 7 by this project's own engine.

        Raises:
            Stop: nobody whom the policy accepts signed, or the statement is malformed.
            ModelVerifyError: nothing could be decided.
            Cancelled: the watcher of the progress asked to stop.
        """
        bundle = _require(trail.bundle)
        try:
            outcome = authenticate(bundle, signers, trust, datetime.now(UTC))  # step 4
        except Malformed as error:
            raise Stop(Finding(Code.BUNDLE_MALFORMED, f"the signature file {error}")) from None
        if not isinstance(outcome, Evidence):
            raise Stop(*outcome)
        trail.evidence = outcome
        try:
            manifest = decode_statement(bundle.payload)  # step 5
        except Malformed as error:
            detail = f"the signed statement breaks the format: {error}"
            raise Stop(Finding(Code.STATEMENT_MALFORMED, detail)) from None
        self._authenticated(trail, manifest)
        if not manifest.files:
            detail = "the signature covers no file, so it vouches for nothing"
            raise Stop(Finding(Code.NO_FILE_SIGNED, detail))
        self._content(trail, root, manifest)

    def _authenticated(self, trail: Trail, manifest: SignedManifest) -> None:
        signature, evidence = _require(trail.signature), _require(trail.evidence)
        trail.findings += manifest.findings
        trail.signed = len(manifest.files)
        trail.signature = dataclasses.replace(
            signature, root_digest=manifest.root_digest, format=manifest.format
        )
        self._observer.event(
            "signature.authenticated",
            "the signature is authentic",
            model=trail.rules.path,
            method=evidence.method,
            identity=evidence.identity,
            issuer=evidence.issuer,
            rootDigest=manifest.root_digest,
        )

    def _content(self, trail: Trail, root: Root, manifest: SignedManifest) -> None:
        signature = _require(trail.signature)
        key = (trail.rules, signature.sha256, root.identity)
        if key not in self._contents:
            self._contents[key] = self._walk_and_hash(root, signature.path, manifest, trail.rules)
        tree, comparison, findings = self._contents[key]
        trail.findings += findings
        trail.ignored = sorted(tree.ignored)
        trail.equal, trail.bytes = comparison.equal, comparison.bytes
        trail.complete = True

    def _walk_and_hash(
        self, root: Root, signature: str, manifest: SignedManifest, rules: ModelRules
    ) -> tuple[Tree, Comparison, list[Finding]]:
        ignore = left_out(rules, manifest.ignore_paths)
        follow = rules.allow_symlinks or manifest.allow_symlinks
        skip = root.names_below(signature)
        tree = Walk(root, ignore=ignore, skip=skip, follow=follow).run()  # step 6
        manifest = _of_single_file(root, manifest)
        wanted, findings = compare_names(  # step 7: names
            manifest, tree, ignore, tolerate_unsigned=rules.ignore_unsigned_files
        )
        self._observer.event(
            "tree.scanned",
            "the tree was walked",
            model=rules.path,
            resolvedPath=root.path if root.file is None else f"{root.path}/{root.file}",
            files=len(tree),
            signedFiles=len(manifest.files),
        )
        digester = Digester(root, tree, manifest.hash_type, self._progress)
        comparison = digester.run(wanted, self._workers)  # step 7: digests
        found = [*tree.hazards, *findings, *comparison.findings]
        return tree, comparison, sorted(found, key=lambda f: (f.path, f.code.name))


def unreadable_model(error: OSError | ValueError) -> Finding:
    """The finding for a model, or a root of models, that cannot be opened or listed."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return Finding(Code.MODEL_NOT_FOUND, "there is no model at this path")
    return Finding(Code.UNREADABLE, f"the model cannot be opened: {why(error)}")


def _require(value: _T | None) -> _T:
    if value is None:
        raise AssertionError("a step of the procedure ran before the one that it builds on")
    return value


def _open(rules: ModelRules) -> Root:
    try:
        return Root(_require(rules.path))
    except (OSError, ValueError) as error:
        raise Stop(unreadable_model(error)) from None


def _signature_path(rules: ModelRules) -> str:
    if rules.signature_path is not None:
        return rules.signature_path
    try:
        found = find_signature(_require(rules.path))
    except OSError as error:
        raise Stop(unreadable_model(error)) from None
    if isinstance(found, Finding):
        raise Stop(found)
    return found


def _read_bundle(path: str) -> Bundle:
    try:
        return parse_bundle(read_regular(path, MAX_BUNDLE_BYTES))
    except Unreadable as error:
        code = Code.SIGNATURE_NOT_FOUND if error.missing else Code.BUNDLE_UNREADABLE
        fault = "is not there" if error.missing else f"cannot be used: it {error}"
        raise Stop(Finding(code, f"the signature file {path} {fault}")) from None
    except Malformed as error:
        detail = f"the signature file {path} is not a sound bundle: {error}"
        raise Stop(Finding(Code.BUNDLE_MALFORMED, detail)) from None


def _of_single_file(root: Root, manifest: SignedManifest) -> SignedManifest:
    """Names a single file as it is called here: it may be signed as "." (OMS 6.1.2, rule 5)."""
    if root.file is None or len(manifest.files) != 1:
        return manifest
    ((name, pieces),) = manifest.files.items()
    if name not in root.names:
        return manifest
    return dataclasses.replace(manifest, files={root.file: pieces})
