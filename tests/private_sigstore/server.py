"""The HTTP endpoints: an OIDC configuration, Fulcio's v2 and Rekor's v1 API."""

import json
import time
from base64 import b64decode
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from jwt import InvalidTokenError

from .ca import CertificateAuthority, Leaf, pem
from .dsse import Envelope, log_body
from .keys import ServiceKey
from .log import TransparencyLog
from .oidc import IdentityProvider


class Server(HTTPServer):
    """Serves the instance on a free port of the loopback interface.

    One request at a time, so that the log needs no lock.
    """

    def __init__(
        self,
        provider: IdentityProvider,
        authority: CertificateAuthority,
        ct_log: ServiceKey,
        log: TransparencyLog,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.provider = provider
        self.authority = authority
        self.ct_log = ct_log
        self.log = log

    @property
    def url(self) -> str:
        """The base URL of all services."""
        return f"http://127.0.0.1:{self.server_port}"

    def signing_certificate(self, token: str, request: dict[str, Any]) -> dict[str, Any]:
        """Fulcio: certifies the key of a CSR for the identity of a token."""
        identity, issuer = self.provider.claims(token)
        csr = x509.load_pem_x509_csr(b64decode(request["certificateSigningRequest"]))
        if not csr.is_signature_valid:
            raise ValueError("the request does not prove possession of its key")
        now = datetime.now(UTC).replace(microsecond=0)
        leaf = Leaf(_p256(csr.public_key()), identity, issuer, valid_from=now)
        certificates = (self.authority.issue(leaf, self.ct_log), *self.authority.chain)
        chain = {"certificates": [pem(certificate).decode() for certificate in certificates]}
        return {"signedCertificateEmbeddedSct": {"chain": chain}}

    def log_entry(self, request: dict[str, Any]) -> dict[str, Any]:
        """Rekor: logs an envelope whose signature is good."""
        if (request["kind"], request["apiVersion"]) != ("dsse", "0.0.1"):
            raise ValueError("only dsse 0.0.1 entries are logged here")
        content = request["spec"]["proposedContent"]
        (verifier,) = content["verifiers"]
        certificate = x509.load_pem_x509_certificate(b64decode(verifier))
        envelope = Envelope.from_json(content["envelope"])
        envelope.verify(_p256(certificate.public_key()))
        body = log_body(envelope, certificate)
        return self.log.response(self.log.append(body, int(time.time())))


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path != "/.well-known/openid-configuration":
            return self._reply(404, {"message": "not found"})
        # model_signing reads it even with a token at hand, and then follows neither URL.
        urls = {
            f"{name}_endpoint": f"{self.server.url}/{name}" for name in ("authorization", "token")
        }
        return self._reply(200, urls)

    def do_POST(self) -> None:
        try:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/api/v2/signingCert":
                token = self.headers["Authorization"].removeprefix("Bearer ")
                return self._reply(200, self.server.signing_certificate(token, request))
            if self.path == "/api/v1/log/entries":
                return self._reply(201, self.server.log_entry(request))
        except (ValueError, TypeError, KeyError, InvalidSignature, InvalidTokenError) as error:
            return self._reply(400, {"code": 400, "message": str(error)})
        return self._reply(404, {"code": 404, "message": "not found"})

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keeps the output of the tests clean."""


def _p256(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("only elliptic-curve keys are accepted here")
    return key
