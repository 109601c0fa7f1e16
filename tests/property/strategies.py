"""Any policy, any report, any name: also those that nobody means well by."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from verifier_cli.config.document import ISSUER, issuer
from verifier_cli.inputs import canonical_json
from verifier_cli.policy import (
    MAX_TIMEOUT_SECONDS,
    Certificate,
    Key,
    Keyless,
    Material,
    ModelRules,
    Policy,
)
from verifier_cli.verdict import (
    Code,
    Evidence,
    Finding,
    ModelReport,
    PolicyFacts,
    Reason,
    Report,
    SignatureFacts,
)

# Everything that a Python string can hold, lone surrogates included: so undecodable bytes come.
hostile = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(
    ["\x1b[2J", "\n", "\r", "\\", "\\x41", "\u202e", "\u2028", "\x85", "\udcff", "\ud800", "\0", ""]
)
unicode_text = st.text(st.characters(codec="utf-8"), max_size=40)
full_text = unicode_text.filter(lambda text: bool(text.strip()))

digests = st.binary(min_size=32, max_size=32).map(bytes.hex)


def _component(text: str) -> bool:
    return text not in ("", ".", "..") and "/" not in text and "\0" not in text


components = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), max_size=12).filter(
    _component
)
relative_paths = st.lists(components, min_size=1, max_size=4).map("/".join)
absolute_paths = relative_paths.map(lambda path: f"/{path}").filter(lambda path: bool(path.strip()))
ignore_paths = relative_paths.filter(lambda path: not set(path) & set("*?["))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | unicode_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(unicode_text, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(unicode_text, json_values, max_size=4)


def materials(inline: st.SearchStrategy[str]) -> st.SearchStrategy[Material]:
    """Inline, in a file, or in a file with its pin."""
    return st.one_of(
        inline.map(lambda text: Material(text=text)),
        absolute_paths.map(lambda path: Material(path=path)),
        st.builds(lambda path, pin: Material(path=path, sha256=pin), absolute_paths, digests),
    )


pem = materials(full_text)
trust_roots = materials(json_objects.map(lambda value: canonical_json(value).decode()))
issuers = st.from_regex(re.compile(ISSUER), fullmatch=True).filter(
    lambda text: issuer(text) is None
)
names = st.just("") | full_text
expressions = st.from_regex(r"\A[a-z]{1,9}@example\\\.com\Z") | st.just("release|ünï.")


signers = st.one_of(
    st.builds(Keyless, issuers, full_text, st.none(), st.none() | trust_roots, name=names),
    st.builds(Keyless, issuers, st.none(), expressions, st.none() | trust_roots, name=names),
    st.builds(Key, pem, names),
    st.builds(
        Certificate,
        pem,
        st.none() | full_text,
        require_code_signing=st.booleans(),
        name=names,
    ),
)


flags = {
    "ignore_git_paths": st.booleans(),
    "ignore_unsigned_files": st.booleans(),
    "allow_symlinks": st.booleans(),
}
ignored = st.lists(ignore_paths, max_size=3).map(tuple)
model_rules = st.one_of(
    st.builds(ModelRules, absolute_paths, st.none() | absolute_paths, ignored, **flags),
    st.builds(
        ModelRules,
        st.none() | absolute_paths,
        st.none(),
        ignored,
        discover=st.just(value=True),
        **flags,
    ),
)
policies = st.builds(
    Policy,
    st.lists(model_rules, min_size=1, max_size=3).map(tuple),
    st.lists(signers, min_size=1, max_size=4).map(tuple),
    st.sampled_from(["enforce", "warn"]),
    st.integers(1, MAX_TIMEOUT_SECONDS),
)

findings = st.builds(
    Finding,
    st.sampled_from(list(Code)),
    hostile.filter(bool),
    hostile,
    st.none() | hostile,
    st.none() | hostile,
)
evidence = st.builds(
    Evidence,
    st.sampled_from(["sigstore", "key", "certificate"]),
    hostile,
    st.none() | hostile,
    st.none() | hostile,
    st.none() | digests,
    st.none() | st.integers(0, 2**64),
    st.none() | st.just("2026-01-02T03:04:05Z"),
)
signatures = st.builds(
    SignatureFacts,
    hostile.filter(bool),
    digests,
    st.none() | digests,
    st.none() | st.sampled_from(["v1.0", "v0.2"]),
)


@st.composite
def model_reports(draw: st.DrawFn) -> ModelReport:
    """Reports of a model that do not contradict themselves."""
    reason = draw(st.sampled_from(list(Reason)))
    found = draw(st.lists(findings, max_size=4))
    trusted = reason is Reason.VERIFIED
    if trusted:
        found = [finding for finding in found if finding.code.reason is None]
    return ModelReport(
        path=draw(hostile),
        verdict=reason.verdict,
        reason=reason,
        policy_sha256=draw(digests),
        files=draw(st.integers(0, 2**40)),
        bytes=draw(st.integers(0, 2**60)),
        signature=draw(signatures if trusted else st.none() | signatures),
        signer=draw(evidence if trusted else st.none() | evidence),
        ignored=tuple(draw(st.lists(hostile, max_size=3))),
        findings=tuple(found),
    )


policy_facts = st.builds(PolicyFacts, digests, hostile, st.sampled_from(["enforce", "warn"]))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Whole reports, of no model up to many."""
    reason = draw(st.sampled_from(list(Reason)))
    warn = reason.excusable and draw(st.booleans())
    return Report(
        verdict=reason.verdict,
        reason=reason,
        exit_code=0 if warn else reason.exit_code,
        mode="warn" if warn else "enforce",
        engine=draw(st.sampled_from(["native", "reference", "both"])),
        started_at="2026-01-02T03:04:05Z",
        duration_ms=draw(st.integers(0, 2**40)),
        models=tuple(draw(st.lists(model_reports(), max_size=5))),
        policies=tuple(draw(st.lists(policy_facts, max_size=5))),
        findings=tuple(draw(st.lists(findings, max_size=2))),
        error=draw(st.none() | hostile.filter(bool)),
    )
