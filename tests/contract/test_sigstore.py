"""What this project assumes of sigstore-python. A failure says what to reconsider here."""

import importlib.metadata
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
from cryptography.x509 import Certificate
from sigstore.errors import CertValidationError, Error, VerificationError
from sigstore.models import Bundle, ClientTrustConfig, InvalidBundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from tests.contract.expect import refusal
from tests.differential.workshop import IDENTITY, ISSUER, encode, resources_of, statement
from tests.private_sigstore import PrivateSigstore
from verifier_cli.config import trustroot
from verifier_cli.config.loaded import Loaded
from verifier_cli.config.trustroot import Instance
from verifier_cli.errors import ConfigError
from verifier_cli.policy import Keyless
from verifier_cli.signature import keyless
from verifier_cli.signature.bundle import parse_bundle

PAYLOAD = encode(statement(resources_of({"weights": b"x"})))
INSTANCES = get_args(Instance)


class Anybody:
    """A policy that accepts every certificate."""

    def verify(self, cert: Certificate) -> None:
        """Does nothing."""


@pytest.fixture
def sealed(sigstore: PrivateSigstore) -> Any:  # noqa: ANN401  (JSON)
    return json.loads(sigstore.sign_statement(PAYLOAD, identity=IDENTITY, issuer=ISSUER))


@pytest.fixture
def verifier(sigstore: PrivateSigstore, tmp_path: Path) -> Verifier:
    return Verifier(trusted_root=_root(sigstore.trusted_root(), tmp_path))


def _root(text: str, work: Path) -> TrustedRoot:
    path = work / "trusted_root.json"
    path.write_text(text)
    return TrustedRoot.from_file(str(path))


def _bundle(value: object) -> Bundle:
    return Bundle.from_json(json.dumps(value))


def test_its_version_is_of_the_series_that_was_measured() -> None:
    assert importlib.metadata.version("sigstore").split(".")[0] == "4", (
        "a new major series: read signature/keyless.py and config/material.py against it"
    )


# --- the verdict ----------------------------------------------------------------------------


def test_verify_dsse_returns_exactly_the_payload(verifier: Verifier, sealed: Any) -> None:  # noqa: ANN401
    answer = verifier.verify_dsse(_bundle(sealed), Identity(identity=IDENTITY, issuer=ISSUER))
    assert answer == ("application/vnd.in-toto+json", PAYLOAD), (
        "it returns something else: signature/keyless.py compares the answer with its own reading"
    )


def test_an_empty_issuer_is_no_check(verifier: Verifier, sealed: Any) -> None:  # noqa: ANN401
    try:
        verifier.verify_dsse(_bundle(sealed), Identity(identity=IDENTITY, issuer=""))
    except VerificationError:
        pytest.fail("Identity(issuer='') is checked now: the row `empty-issuer` can go")


class _RefusedError(VerificationError):
    pass


class _Nobody:
    def verify(self, cert: Certificate) -> None:  # noqa: ARG002
        raise _RefusedError("nobody")


def test_what_a_policy_raises_comes_through_unchanged(verifier: Verifier, sealed: Any) -> None:  # noqa: ANN401
    advice = "signature/keyless.py tells a refusal by the identity by its own class"
    with refusal(advice, Exception, match="^nobody$") as caught:
        verifier.verify_dsse(_bundle(sealed), _Nobody())
    assert type(caught[0]) is _RefusedError, advice


def test_a_foreign_chain_has_an_error_class_of_its_own(verifier: Verifier) -> None:
    with PrivateSigstore() as other:
        foreign = other.sign_statement(PAYLOAD, identity=IDENTITY, issuer=ISSUER)
    advice = "signature/keyless.py says CHAIN_UNTRUSTED when it sees a CertValidationError"
    with refusal(advice, CertValidationError, exactly=True):
        verifier.verify_dsse(Bundle.from_json(foreign), Anybody())


@pytest.mark.parametrize("what", ["signature", "payload", "payloadType"])
def test_a_change_is_a_verification_error(
    verifier: Verifier,
    sealed: Any,  # noqa: ANN401
    what: str,
) -> None:
    envelope = sealed["dsseEnvelope"]
    if what == "signature":
        envelope["signatures"][0]["sig"] = "anVuaw=="
    else:
        envelope[what] = {"payload": "e30=", "payloadType": "text/plain"}[what]
    with pytest.raises(VerificationError):
        verifier.verify_dsse(_bundle(sealed), Anybody())


def test_another_payload_type_passes_if_it_was_signed(
    verifier: Verifier, sigstore: PrivateSigstore
) -> None:
    text = sigstore.sign_statement(
        PAYLOAD, identity=IDENTITY, issuer=ISSUER, payload_type="text/plain"
    )
    answer = verifier.verify_dsse(Bundle.from_json(text), Anybody())
    assert answer == ("text/plain", PAYLOAD), (
        "sigstore looks at the payload type now; until then signature/bundle.py must"
    )


# --- the bundle -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        (),
        ("verificationMaterial",),
        ("verificationMaterial", "tlogEntries", 0),
        ("verificationMaterial", "tlogEntries", 0, "inclusionProof"),
        ("verificationMaterial", "certificate"),
        ("dsseEnvelope",),
        ("dsseEnvelope", "signatures", 0),
    ],
    ids=str,
)
def test_unknown_fields_are_refused(sealed: Any, place: tuple[str | int, ...]) -> None:  # noqa: ANN401
    holder = sealed
    for step in place:
        holder = holder[step]
    holder["unknown"] = 1
    with refusal("signature/bundle.py leaves the log entry's fields to sigstore", InvalidBundle):
        _bundle(sealed)


@pytest.mark.parametrize("count", [0, 2])
def test_there_must_be_one_log_entry(sealed: Any, count: int) -> None:  # noqa: ANN401
    sealed["verificationMaterial"]["tlogEntries"] *= count
    advice = "the report names the first entry, by signature/bundle.py: which one counts?"
    with refusal(advice, InvalidBundle, match="exactly one log entry"):
        _bundle(sealed)


def test_there_must_be_one_signature(verifier: Verifier, sealed: Any) -> None:  # noqa: ANN401
    sealed["dsseEnvelope"]["signatures"] *= 2
    with pytest.raises(Error, match="exactly one signature"):
        verifier.verify_dsse(_bundle(sealed), Anybody())


def test_the_media_types_are_those_that_are_known(sealed: Any) -> None:  # noqa: ANN401
    from verifier_cli.signature import bundle

    known = {kind.value for kind in Bundle.BundleType}
    ours = {*bundle._SIGSTORE_MEDIA_TYPES, *bundle._CHAIN_MEDIA_TYPES}
    assert known == ours, "sigstore reads other bundle versions: the lists in signature/bundle.py"
    sealed["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.4+json"
    with pytest.raises(InvalidBundle):
        _bundle(sealed)


def test_protobuf_names_pass_for_json_names(verifier: Verifier, sealed: Any) -> None:  # noqa: ANN401
    sealed["media_type"] = sealed.pop("mediaType")
    try:
        verifier.verify_dsse(_bundle(sealed), Anybody())
    except Error:
        pytest.fail("sigstore is strict about names now: the row `protobuf-names` can go")


def test_timestamps_are_where_the_report_looks_for_them(sealed: Any) -> None:  # noqa: ANN401
    timestamps = _bundle(sealed).verification_material.timestamp_verification_data
    assert timestamps is None or timestamps.rfc3161_timestamps == [], (
        "`_signed_at` of signature/keyless.py reads them here"
    )


# --- the trust root -------------------------------------------------------------------------


SERVICES = ("tlogs", "certificateAuthorities", "ctlogs")


def _with_period(root: str, service: str, **period: str) -> str:
    """The root with another validity of its only entry of `service`."""
    document = json.loads(root)
    entry = document[service][0]
    (entry if service == "certificateAuthorities" else entry["publicKey"])["validFor"] |= period
    return json.dumps(document)


@pytest.mark.parametrize("fault", ["empty", "not-yet"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_root_that_lacks_something_is_told_apart_from_a_bad_bundle(
    sigstore: PrivateSigstore, tmp_path: Path, service: str, fault: str
) -> None:
    text = sigstore.sign_statement(PAYLOAD, identity=IDENTITY, issuer=ISSUER)
    root = _with_period(sigstore.trusted_root(), service, start="2099-01-01T00:00:00Z")
    if fault == "empty":
        root = json.dumps({**json.loads(root), service: []})
    signer = Keyless(ISSUER, IDENTITY)
    advice = "sigstore raises other classes now: see authenticate of signature/keyless.py"
    with refusal(advice, ConfigError, match="trustRoot"):
        keyless.authenticate(parse_bundle(text.encode()), signer, _root(root, tmp_path))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_has_ended_still_counts(
    sigstore: PrivateSigstore, tmp_path: Path, service: str
) -> None:
    """Needed for old signatures; that new ones pass as well is sigstore's, not ours."""
    text = sigstore.sign_statement(PAYLOAD, identity=IDENTITY, issuer=ISSUER)
    root = _with_period(sigstore.trusted_root(), service, end="2024-02-01T00:00:00Z")
    try:
        Verifier(trusted_root=_root(root, tmp_path)).verify_dsse(Bundle.from_json(text), Anybody())
    except Error:
        pytest.fail(
            "sigstore holds signatures against the validity of the services now: say so in "
            "docs/threat-model.md"
        )


def test_a_signing_config_need_not_be_whole(sigstore: PrivateSigstore) -> None:
    text = trustroot.check_trust_root(Loaded(sigstore.trusted_root().encode(), "test"))
    try:
        ClientTrustConfig.from_json(text)
    except Error:
        pytest.fail("config/material.py wraps a bare root into a ClientTrustConfig by this form")


@pytest.mark.parametrize("instance", INSTANCES)
def test_the_shipped_roots_are_where_they_are_looked_for(
    instance: Literal["public-good", "staging"],
) -> None:
    place = files("sigstore._store") / trustroot._SHIPPED[instance] / "trusted_root.json"
    assert place.is_file(), (
        "sigstore keeps its trust roots elsewhere: `_SHIPPED` and `_shipped` of config/material.py"
    )
    root = trustroot.shipped_trusted_root(instance)
    assert isinstance(root, TrustedRoot)
    Verifier(trusted_root=root)


@pytest.mark.parametrize("instance", INSTANCES)
@pytest.mark.parametrize("part", ["certificateAuthorities", "tlogs", "ctlogs"])
def test_the_shipped_roots_are_not_stale(
    instance: Literal["public-good", "staging"], part: str
) -> None:
    document = json.loads(trustroot._shipped(instance).read_bytes())
    periods = [
        entry["publicKey"]["validFor"] if part != "certificateAuthorities" else entry["validFor"]
        for entry in document[part]
    ]
    assert any(_is_current(period) for period in periods), (
        f"every entry of {part} in the {instance} root that sigstore "
        f"{importlib.metadata.version('sigstore')} ships has ended: what is signed today cannot be "
        "verified offline; take a newer sigstore (pyproject.toml, uv.lock) and release"
    )


def _is_current(period: dict[str, str]) -> bool:
    now = datetime.now(UTC)
    start = datetime.fromisoformat(period["start"])
    end = datetime.fromisoformat(period["end"]) if "end" in period else now
    return start <= now <= end


_PRODUCTION = "from sigstore.verify import Verifier; Verifier.production(offline=True)"


def test_production_offline_makes_folders_under_home(tmp_path: Path) -> None:
    _python(_PRODUCTION, tmp_path).check_returncode()
    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert made, "it leaves HOME alone now: `shipped_trusted_root` could be Verifier.production"


def test_production_offline_fails_without_home(tmp_path: Path) -> None:
    (tmp_path / "home").touch()  # nothing can be made below a file, not even by root
    run = _python(_PRODUCTION, tmp_path / "home")
    assert run.returncode != 0, "it needs no HOME now: `shipped_trusted_root` could use it"


def test_our_way_needs_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    code = "from verifier_cli.config.trustroot import *; shipped_trusted_root('public-good')"
    _python(code, tmp_path / "home").check_returncode()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def _python(code: str, home: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "HOME": str(home)}
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    found: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    handler = Keeper()
    logger = logging.getLogger("sigstore")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def test_its_loggers_are_below_one_name(
    records: list[logging.LogRecord],
    verifier: Verifier,
    sealed: Any,  # noqa: ANN401
) -> None:
    logging.getLogger("sigstore").setLevel(logging.DEBUG)
    try:
        verifier.verify_dsse(_bundle(sealed), Anybody())
    finally:
        logging.getLogger("sigstore").setLevel(logging.NOTSET)
    assert records, "signature/keyless.py keeps the logger `sigstore` quiet: is it named otherwise?"
