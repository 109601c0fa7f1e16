"""The serving certificate: a new one is taken over, a broken one never."""

from __future__ import annotations

import datetime as dt
import io
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.schemas import check_log_lines
from tests.webhooks import Serving
from verifier_cli.host.logs import Log
from verifier_cli.webhook.tls import Certificate, CertificateError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.certificates import Pair


class Loaded:
    """A certificate in use, its files and its log."""

    def __init__(self, directory: Path) -> None:
        self.files = Serving.new(directory)
        self.stream = io.StringIO()
        self.certificate = Certificate(self.files.directory, Log(self.stream))

    def served(self) -> int:
        """The serial number of what a client is shown."""
        client_context = self.files.trusting()
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self.certificate.context.wrap_bio(up, down, server_side=True)
        client = client_context.wrap_bio(down, up, server_hostname="127.0.0.1")
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        shown = client.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number

    def events(self) -> list[str]:
        return [line["event"] for line in check_log_lines(self.stream.getvalue())]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return Loaded(tmp_path)


def serial(pair: Pair) -> int:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes()).serial_number


def test_a_new_pair_is_served_at_once(loaded: Loaded) -> None:
    before = loaded.served()
    pair = loaded.files.rotate("second")
    loaded.certificate.check()
    assert loaded.served() == serial(pair) != before
    assert loaded.events() == ["certificate.loaded"] * 2
    loaded.certificate.check()
    assert loaded.events() == ["certificate.loaded"] * 2


def issued(
    loaded: Loaded, *, days: int = 1, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
) -> tuple[bytes, bytes, dt.datetime]:
    """A certificate that ends in so many days, its key, and its end."""
    pair = loaded.files.authority.issue("other", hosts=("127.0.0.1",))
    found = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    end = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(found.subject)
        .issuer_name(found.issuer)
        .public_key(found.public_key())
        .serial_number(1)
        .not_valid_before(end - dt.timedelta(days=9))
        .not_valid_after(end)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    pem = made.sign(loaded.files.authority.key, SHA256()).public_bytes(Encoding.PEM)
    return pem, pair.key.read_bytes(), end


@pytest.mark.parametrize("days", [1, -3])
def test_its_end_is_known_also_when_it_is_over(loaded: Loaded, days: int) -> None:
    certificate, key, end = issued(loaded, days=days)
    loaded.files.put("other", certificate, key)
    loaded.certificate.check()
    assert loaded.certificate.expiry == end.timestamp()


def broken(loaded: Loaded, how: str) -> tuple[bytes, bytes]:
    one, other = (loaded.files.authority.issue(n, hosts=("127.0.0.1",)) for n in "ab")
    certificate, key = one.certificate.read_bytes(), one.key.read_bytes()
    return {
        "another key": (certificate, other.key.read_bytes()),
        "no certificate": (b"", key),
        "half a certificate": (certificate[: len(certificate) // 2], key),
        "no key": (certificate, b""),
        "half a key": (certificate, key[: len(key) // 2]),
        "for clients only": issued(loaded, usage=ExtendedKeyUsageOID.CLIENT_AUTH)[:2],
        "not text": (b"\xff" + certificate.replace(b"BEGIN", b"BEGIM"), key),
    }[how]


HOW = [
    "another key",
    "no certificate",
    "half a certificate",
    "no key",
    "half a key",
    "for clients only",
    "not text",
]


@pytest.mark.parametrize("how", HOW)
def test_a_broken_pair_leaves_the_old_one(loaded: Loaded, how: str) -> None:
    before, expiry = loaded.served(), loaded.certificate.expiry
    loaded.files.put("broken", *broken(loaded, how))
    for _ in range(3):
        loaded.certificate.check()
    assert (loaded.served(), loaded.certificate.expiry) == (before, expiry)
    assert loaded.certificate.failures == 1
    assert loaded.events() == ["certificate.loaded", "certificate.refused"]
    pair = loaded.files.rotate("good")
    loaded.certificate.check()
    assert loaded.served() == serial(pair)


def test_files_that_vanish_leave_the_old_pair(loaded: Loaded) -> None:
    before = loaded.served()
    (loaded.files.directory / "tls.key").unlink()
    for _ in range(2):
        loaded.certificate.check()
    assert loaded.served() == before
    assert loaded.certificate.failures == 1


@pytest.mark.parametrize("how", HOW)
def test_it_does_not_start_with_a_broken_pair(loaded: Loaded, how: str) -> None:
    loaded.files.put("broken", *broken(loaded, how))
    with pytest.raises(CertificateError, match=r"^tls\.crt (and tls\.key are|cannot be)"):
        Certificate(loaded.files.directory, Log(io.StringIO()))


def test_it_does_not_start_without_files(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"/tls\.crt: No such file"):
        Certificate(tmp_path, Log(io.StringIO()))


def test_no_key_is_ever_logged(loaded: Loaded) -> None:
    loaded.files.put("broken", *broken(loaded, "another key"))
    loaded.certificate.check()
    assert "BEGIN" not in loaded.stream.getvalue()


def test_old_versions_of_tls_are_refused(loaded: Loaded) -> None:
    assert loaded.certificate.context.minimum_version == ssl.TLSVersion.TLSv1_2
