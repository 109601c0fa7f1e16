"""The sigstore method against a private instance: identity, issuer, evidence, and each refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.private_sigstore import Fault, PrivateSigstore
from tests.unit.signing import resources, statement
from verifier_cli.config.loaded import Loaded
from verifier_cli.config.trustroot import trusted_root
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Keyless
from verifier_cli.signature import keyless
from verifier_cli.signature.bundle import parse_bundle
from verifier_cli.signature.keyless import authenticate
from verifier_cli.verdict import Code, Evidence, Finding

Json = dict[str, Any]
EMAIL = "release@example.com"
ISSUER = "https://idp.example.com"
PAYLOAD = json.dumps(statement(resources({"a": b"1"}))).encode()
SIGNER = Keyless(ISSUER, identity=EMAIL, name="us")


@pytest.fixture(scope="module")
def sigstore() -> Iterator[PrivateSigstore]:
    with PrivateSigstore() as instance:
        yield instance


CODES = {
    Fault.FOREIGN_CA: Code.CHAIN_UNTRUSTED,
    Fault.NO_CODE_SIGNING: Code.CERTIFICATE_PURPOSE,
    Fault.LEAF_EXPIRED: Code.CERTIFICATE_EXPIRED,
    Fault.LOGGED_BEFORE_LEAF: Code.CERTIFICATE_EXPIRED,
}
Outcome = Callable[..., Evidence | Finding]


@pytest.fixture(scope="module")
def outcome(sigstore: PrivateSigstore) -> Outcome:
    root = trusted_root(Loaded(sigstore.trusted_root().encode(), "trustRoot"))
    sound = sigstore.sign_statement(PAYLOAD, identity=EMAIL, issuer=ISSUER)

    def run(
        signer: Keyless = SIGNER,
        fault: Fault | None = None,
        change: Callable[[Json], object] | None = None,
    ) -> Evidence | Finding:
        raw = sound
        if fault is not None:
            raw = sigstore.sign_statement(PAYLOAD, identity=EMAIL, issuer=ISSUER, fault=fault)
        if change is not None:
            document = json.loads(raw)
            change(document)
            raw = json.dumps(document)
        return authenticate(parse_bundle(raw.encode()), signer, root)

    return run


def test_the_identity_that_the_policy_names(outcome: Outcome) -> None:
    found = outcome()
    assert isinstance(found, Evidence), found
    assert (found.method, found.name, found.identity, found.issuer) == (
        "sigstore",
        "us",
        EMAIL,
        ISSUER,
    )
    assert found.fingerprint is not None
    assert len(found.fingerprint) == 64
    assert found.log_index is not None
    assert found.signed_at is not None
    assert found.signed_at.endswith("Z")


def test_an_expression_for_the_identity(outcome: Outcome) -> None:
    found = outcome(Keyless(ISSUER, identity_regexp=r"[a-z]+@example\.com"))
    assert isinstance(found, Evidence)
    assert found.identity == EMAIL


@pytest.mark.parametrize(
    ("signer", "expected"),
    [
        (Keyless(ISSUER, identity="other@example.com"), f"other@example.com by {ISSUER}"),
        (Keyless(ISSUER, identity="RELEASE@example.com"), f"RELEASE@example.com by {ISSUER}"),
        (Keyless("https://other", identity=EMAIL), f"{EMAIL} by https://other"),
        (Keyless(f"{ISSUER}/", identity=EMAIL), f"{EMAIL} by {ISSUER}/"),
        (Keyless("", identity=EMAIL), f"{EMAIL} by "),
        (Keyless(ISSUER, identity_regexp="elease@example"), f"/elease@example/ by {ISSUER}"),
        (
            Keyless(ISSUER, identity_regexp="release@example.co"),
            f"/release@example.co/ by {ISSUER}",
        ),
        (Keyless(ISSUER), f"/None/ by {ISSUER}"),
    ],
)
def test_another_identity_or_issuer(outcome: Outcome, signer: Keyless, expected: str) -> None:
    found = outcome(signer)
    assert isinstance(found, Finding)
    assert found.code is Code.IDENTITY_MISMATCH
    assert found.expected == expected
    assert found.actual == f"{EMAIL} by {ISSUER}"


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("identity", [EMAIL, "other@example.com"])
def test_no_fault_is_accepted_whoever_is_asked_for(
    outcome: Outcome, fault: Fault, identity: str
) -> None:
    found = outcome(Keyless(ISSUER, identity=identity), fault)
    assert isinstance(found, Finding)
    if identity == EMAIL:
        assert found.code is CODES.get(fault, Code.SIGNATURE_WRONG)
    else:
        # Who is not even authentic is not said to be somebody else.
        assert found.code is not Code.METHOD_MISMATCH


def test_an_unsound_signature_by_somebody_else_is_called_unsound(outcome: Outcome) -> None:
    found = outcome(Keyless(ISSUER, identity="other@x.com"), Fault.SIGNED_BY_ANOTHER_KEY)
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_WRONG


def test_the_certificate_of_another_instance(outcome: Outcome) -> None:
    found = outcome(fault=Fault.FOREIGN_CA)
    assert isinstance(found, Finding)
    assert found.code is Code.CHAIN_UNTRUSTED


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b["verificationMaterial"].update(tlogEntries=[]),
        lambda b: b["verificationMaterial"]["tlogEntries"][0].update(logIndex="x"),
        lambda b: b["verificationMaterial"]["certificate"].update(rawBytes="YQ=="),
        lambda b: b["verificationMaterial"]["tlogEntries"][0].update(unknown=1),
        lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="YQ=="),
    ],
)
def test_a_bundle_that_sigstore_does_not_read(
    outcome: Outcome, change: Callable[[Json], object]
) -> None:
    found = outcome(change=change)
    assert isinstance(found, Finding)
    assert found.code is Code.SIGNATURE_WRONG
    assert found.detail.startswith("sigstore refuses the bundle: ")


def test_a_trust_root_that_lacks_what_every_verification_needs(
    sigstore: PrivateSigstore,
) -> None:
    document = json.loads(sigstore.trusted_root())
    for name in ("tlogs", "ctlogs", "certificateAuthorities"):
        broken = json.dumps(document | {name: []}).encode()
        bundle = sigstore.sign_statement(PAYLOAD, identity=EMAIL, issuer=ISSUER)
        with pytest.raises(ConfigError, match="trustRoot: "):
            authenticate(
                parse_bundle(bundle.encode()),
                SIGNER,
                trusted_root(Loaded(broken, "trustRoot")),
            )


def test_a_trust_root_whose_log_is_not_in_service_yet(sigstore: PrivateSigstore) -> None:
    document = json.loads(sigstore.trusted_root())
    for name in ("tlogs", "ctlogs"):
        broken = json.loads(json.dumps(document))
        for log in broken[name]:
            log["publicKey"]["validFor"] = {"start": "2999-01-01T00:00:00Z"}
        bundle = sigstore.sign_statement(PAYLOAD, identity=EMAIL, issuer=ISSUER)
        with pytest.raises(ConfigError, match="trustRoot: cannot be used"):
            authenticate(
                parse_bundle(bundle.encode()),
                SIGNER,
                trusted_root(Loaded(json.dumps(broken).encode(), "trustRoot")),
            )


def timestamped(*times: datetime) -> SimpleNamespace:
    """The part of sigstore's bundle that timestamps are read from."""
    stamps = [SimpleNamespace(tst_info=SimpleNamespace(gen_time=time)) for time in times]
    data = SimpleNamespace(rfc3161_timestamps=stamps)
    return SimpleNamespace(verification_material=SimpleNamespace(timestamp_verification_data=data))


@pytest.mark.parametrize(("count", "expected"), [(0, None), (1, "2026-01-02T03:04:05Z"), (2, None)])
def test_without_a_promise_of_the_log_one_timestamp_counts(
    sigstore: PrivateSigstore, count: int, expected: str | None
) -> None:
    document = json.loads(sigstore.sign_statement(PAYLOAD, identity=EMAIL, issuer=ISSUER))
    for entry in document["verificationMaterial"]["tlogEntries"]:
        entry.pop("inclusionPromise", None)
    bundle = parse_bundle(json.dumps(document).encode())
    assert bundle.integrated_time is None
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    theirs: Any = timestamped(*[time] * count)
    assert keyless._signed_at(bundle, theirs) == expected
    nothing: Any = SimpleNamespace(
        verification_material=SimpleNamespace(timestamp_verification_data=None)
    )
    assert keyless._signed_at(bundle, nothing) is None


def test_a_trust_root_with_a_broken_authority(sigstore: PrivateSigstore) -> None:
    document = json.loads(sigstore.trusted_root())
    (authority,) = document["certificateAuthorities"]
    authority["certChain"]["certificates"] = [{"rawBytes": "YWJj"}]
    bundle = sigstore.sign_statement(PAYLOAD, identity=EMAIL, issuer=ISSUER)
    with pytest.raises(ConfigError, match="trustRoot: "):
        authenticate(
            parse_bundle(bundle.encode()),
            SIGNER,
            trusted_root(Loaded(json.dumps(document).encode(), "trustRoot")),
        )
