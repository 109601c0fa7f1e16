"""A private sigstore instance, simulated at the protocol level.

Clients sign against it over HTTP and verify against its trusted root with the code they would
use with any other instance: nothing of sigstore is patched. Its keys live as long as the object.
"""

import json
import threading
from base64 import b64decode, b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import model_signing

from .ca import CertificateAuthority, der
from .dsse import IN_TOTO
from .forge import Fault, Forger
from .keys import ServiceKey
from .log import NAME, TransparencyLog
from .oidc import IdentityProvider
from .server import Server

__all__ = ["Fault", "PrivateSigstore"]

_SINCE = {"start": "2024-01-01T00:00:00Z"}


class PrivateSigstore:
    """An identity provider, a certificate authority and two logs behind one local server.

    It listens from the start, so use it as a context manager.
    """

    def __init__(self) -> None:
        self._provider = IdentityProvider()
        self._authority = CertificateAuthority()
        self._ct_log = ServiceKey()
        self._log = TransparencyLog()
        self._server = Server(self._provider, self._authority, self._ct_log, self._log)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base URL of the services, on the loopback interface."""
        return self._server.url

    def trusted_root(self) -> str:
        """Returns the TrustedRoot JSON."""
        return json.dumps(self._trusted_root(), indent=2)

    def trust_config(self) -> str:
        """Returns the ClientTrustConfig JSON: trusted root and signing config."""
        service = {
            "url": self.url,
            "majorApiVersion": 1,
            "validFor": _SINCE,
            "operator": "private sigstore",
        }
        signing_config = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service],
            "oidcUrls": [service],
            "rekorTlogUrls": [service],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        }
        trust_config = {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self._trusted_root(),
            "signingConfig": signing_config,
        }
        return json.dumps(trust_config, indent=2)

    def identity_token(self, identity: str, issuer: str) -> str:
        """Returns an OIDC token for an email address or a URI."""
        return self._provider.token(identity, issuer)

    def sign(  # noqa: PLR0913
        self,
        model: Path,
        signature: Path,
        *,
        identity: str,
        issuer: str,
        hashing: model_signing.hashing.Config | None = None,
        fault: Fault | None = None,
    ) -> None:
        """Signs a model with `model_signing` against this instance.

        Args:
            model: The model, a directory or a file.
            signature: Where to write the bundle. It is left out of the signed files.
            identity: The signer, an email address or a URI.
            issuer: The OIDC issuer that knows the signer.
            hashing: How to hash the model, if not by default.
            fault: What is to be wrong with the bundle. The real client makes the statement,
                but would refuse much of the evidence, so `sign_statement` makes the bundle.
        """
        # model_signing looks for ignored paths in the model only if both are of one kind.
        model, signature = model.absolute(), signature.absolute()
        if hashing is None:
            hashing = model_signing.hashing.Config()  # type: ignore[no-untyped-call]
            hashing.set_ignored_paths(paths=[signature])
        with TemporaryDirectory() as directory:
            trust_config = Path(directory, "trust_config.json")
            trust_config.write_text(self.trust_config(), encoding="utf-8")
            config = model_signing.signing.Config()  # type: ignore[no-untyped-call]
            config.set_hashing_config(hashing)
            config.use_sigstore_signer(
                identity_token=self.identity_token(identity, issuer), trust_config=trust_config
            )
            config.sign(model, signature)
        if fault is not None:
            payload = b64decode(json.loads(signature.read_bytes())["dsseEnvelope"]["payload"])
            bundle = self.sign_statement(payload, identity=identity, issuer=issuer, fault=fault)
            signature.write_text(bundle, encoding="utf-8")

    def sign_statement(
        self,
        payload: bytes,
        *,
        identity: str,
        issuer: str,
        payload_type: str = IN_TOTO,
        fault: Fault | None = None,
    ) -> str:
        """Returns a bundle over any bytes, without asking whether they are a statement.

        Args:
            payload: What the envelope holds.
            identity: The signer, an email address or a URI.
            issuer: The OIDC issuer that knows the signer.
            payload_type: What the envelope says that the payload is.
            fault: What is to be wrong with the bundle.
        """
        forger = Forger(self._authority, self._ct_log, self._log)
        return forger.bundle(payload, payload_type, identity, issuer, fault)

    def _trusted_root(self) -> dict[str, Any]:
        certificates = [_raw_bytes(der(certificate)) for certificate in self._authority.chain]
        authority = {
            "subject": {"organization": "private sigstore", "commonName": "root"},
            "uri": "https://fulcio.private-sigstore.test",
            "certChain": {"certificates": certificates},
            "validFor": _SINCE,
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log_instance(f"https://{NAME}", self._log.key)],
            "certificateAuthorities": [authority],
            "ctlogs": [_log_instance("https://ct.private-sigstore.test", self._ct_log)],
        }


def _log_instance(url: str, key: ServiceKey) -> dict[str, Any]:
    public_key = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": _SINCE}
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {**_raw_bytes(key.public_der), **public_key},
        "logId": {"keyId": b64encode(key.id).decode()},
    }


def _raw_bytes(value: bytes) -> dict[str, str]:
    return {"rawBytes": b64encode(value).decode()}
