"""The certificate that the webhook serves with, which changes while it runs."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from verifier_cli.host.logs import Log

CERTIFICATE, KEY = "tls.crt", "tls.key"
POLL_SECONDS = 2.0
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module takes and does not name.
_NO_CHECK_TIME = 0x200000

Pair = tuple[bytes, bytes]


class CertificateError(Exception):
    """There is no certificate and key to serve with; the message is one sentence."""


class Certificate:
    """The pair `tls.crt` and `tls.key` of a directory, as a Secret is mounted.

    Attributes:
        context: what a server listens with; a new pair goes into it for new connections.
        expiry: end of the certificate, in seconds since 1970.
        failures: how often a new pair was refused.
    """

    def __init__(self, directory: Path, log: Log) -> None:
        """Loads the pair.

        Raises:
            CertificateError: it is not there, or not one.
        """
        self.context = _server_context()
        self.expiry = 0.0
        self.failures = 0
        self._directory = directory
        self._log = log
        self._seen = self._read()
        self._use(self._seen)

    async def follow(self, *, poll_seconds: float = POLL_SECONDS) -> None:
        """Takes over what is put there, forever; the old pair stays until a good one is there."""
        while True:
            await asyncio.sleep(poll_seconds)
            self.check()

    def check(self) -> None:
        """Takes over a pair that is new."""
        try:
            found = self._read()
        except CertificateError as error:
            self._refuse((b"", b""), error)
            return
        if found == self._seen:
            return
        try:
            self._use(found)
        except CertificateError as error:
            self._refuse(found, error)
            return
        self._seen = found

    def _read(self) -> Pair:
        try:
            one, other = (self._directory.joinpath(n).read_bytes() for n in (CERTIFICATE, KEY))
        except OSError as error:
            raise CertificateError(f"{error.filename}: {error.strerror}") from None
        return one, other

    def _use(self, pair: Pair) -> None:
        # Loading into the live context a pair that does not fit would leave half of it there.
        expiry = _tried(pair)
        _load(self.context, pair)
        self.expiry = expiry
        until = f"{datetime.fromtimestamp(expiry, UTC):%Y-%m-%dT%H:%M:%SZ}"
        self._log.event("certificate.loaded", "the certificate is in use", notAfter=until)

    def _refuse(self, found: Pair, error: CertificateError) -> None:
        """Counts and says once what is wrong with a pair; a Secret may be written in two steps."""
        if found != self._seen:
            self._seen = found
            self.failures += 1
            self._log.event("certificate.refused", f"the old certificate stays: {error}")


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    """Loads exactly these bytes: the files may be others by now, and OpenSSL reads only files."""
    with ExitStack() as opened:
        paths = []
        for content in pair:
            descriptor = os.memfd_create("tls")
            opened.callback(os.close, descriptor)
            os.write(descriptor, content)
            paths.append(f"/proc/self/fd/{descriptor}")
        try:
            context.load_cert_chain(*paths)
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise CertificateError(f"{CERTIFICATE} and {KEY} are no pair: {reason}") from None


def _tried(pair: Pair) -> float:
    """Tries a pair by a handshake in memory; returns the end of the certificate."""
    server_context, client_context = _server_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(server_context, pair)
    client_context.check_hostname = False
    # Whether its issuer is trusted, and the time of day, is the caller's to judge.
    client_context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(up, down, server_side=True)
    client = client_context.wrap_bio(down, up)
    try:
        client_context.load_verify_locations(cadata=pair[0].decode("ascii"))
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        found = client.getpeercert() or {}
        return ssl.cert_time_to_seconds(str(found["notAfter"]))
    except (ssl.SSLError, ValueError, KeyError) as error:
        reason = getattr(error, "verify_message", None) or error
        raise CertificateError(f"{CERTIFICATE} cannot be served with: {reason}") from None
