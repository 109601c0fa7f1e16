"""One signer of the policy must accept; each method's material is asked for only if it fits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import NoReturn

from tests.unit.signing import Signer, chain_material, leaf, resources, root, statement
from verifier_cli.policy import Certificate, Key, Keyless, Material
from verifier_cli.policy import Signer as AnySigner
from verifier_cli.signature.authenticate import Trust, authenticate
from verifier_cli.signature.bundle import Bundle, parse_bundle
from verifier_cli.verdict import Code, Evidence, Finding

ALICE, BOB = Signer(), Signer()
NOW = datetime.now(UTC)


def never(signer: object) -> NoReturn:
    raise AssertionError(f"asked for the material of {signer}")


def by(signer: Signer, name: str) -> Key:
    return Key(Material(text=signer.pem.decode()), name)


def keys_of(signer: Key) -> tuple[object, ...]:
    return ({"alice": ALICE, "bob": BOB}[signer.name].key.public_key(),)


TRUST = Trust(keys=keys_of, certificates=never, root=never)  # type: ignore[arg-type]


def bundle(signer: Signer = ALICE) -> Bundle:
    document = signer.bundle(statement(resources({"a": b"1"})))
    return parse_bundle(json.dumps(document).encode())


def test_any_one_signer_suffices() -> None:
    for signers in ([by(ALICE, "alice")], [by(BOB, "bob"), by(ALICE, "alice")]):
        found = authenticate(bundle(), signers, TRUST, NOW)
        assert isinstance(found, Evidence)
        assert found.name == "alice"


def test_the_first_that_accepts_is_the_evidence() -> None:
    first, second = by(ALICE, "alice"), by(ALICE, "alice")
    assert authenticate(bundle(), [first, second], TRUST, NOW) == Evidence(
        "key", name="alice", fingerprint=ALICE.hint
    )


def test_each_refusal_is_collected_once() -> None:
    signers: list[AnySigner] = [
        Keyless("https://x", identity="a"),
        by(BOB, "bob"),
        Certificate(Material(text="x")),
        by(BOB, "bob"),
    ]
    found = authenticate(bundle(), signers, TRUST, NOW)
    assert isinstance(found, tuple)
    assert [refusal.code for refusal in found] == [
        Code.METHOD_MISMATCH,
        Code.KEY_MISMATCH,
        Code.METHOD_MISMATCH,
    ]
    first = found[0]
    assert isinstance(first, Finding)
    assert (first.expected, first.actual) == ("sigstore", "key")


def test_no_signer_accepts_nobody() -> None:
    assert authenticate(bundle(), [], TRUST, NOW) == ()


def test_a_certificate() -> None:
    authority = root()
    signed_by = leaf(authority)
    chain = chain_material(signed_by.certificate)
    raw = json.dumps(Signer(signed_by.key).bundle(statement(resources({"a": b"1"})), **chain))
    trust = Trust(keys=never, certificates=lambda _: (authority.certificate,), root=never)
    signers = (by(BOB, "bob"), Certificate(Material(text="x"), name="us"))
    found = authenticate(parse_bundle(raw.encode()), signers, trust, NOW)
    assert isinstance(found, Evidence)
    assert (found.method, found.name) == ("certificate", "us")
