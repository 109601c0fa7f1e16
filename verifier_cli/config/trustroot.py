"""Sigstore trust roots: a policy's own, the one that sigstore ships, or one fetched over TUF."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Literal

from verifier_cli.errors import ConfigError, Problem, TrustUnavailableError
from verifier_cli.inputs import Malformed, first_lines, strict_json

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from sigstore.models import TrustedRoot

    from verifier_cli.config.loaded import Loaded
    from verifier_cli.policy import Keyless, Signer

_CONFIG_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_ROOT_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_SIGNING_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
# Where the sigstore package keeps the trust roots that it ships (see tests/contract).
_SHIPPED = {
    "public-good": "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev",
    "staging": "https%3A%2F%2Ftuf-repo-cdn.sigstage.dev",
}

Instance = Literal["public-good", "staging"]


def check_trust_root(loaded: Loaded) -> str:
    """Returns the text of a ClientTrustConfig made from either of the two accepted forms.

    Raises:
        ConfigError: neither a ClientTrustConfig nor a trusted root, by its media type.
    """
    try:
        document = strict_json(loaded.data or b"")
    except Malformed as error:
        raise ConfigError(Problem(loaded.where, str(error))) from None
    media_type = document.get("mediaType") if isinstance(document, dict) else None
    if media_type == _CONFIG_TYPE:
        root = document.get("trustedRoot")
    elif media_type == _ROOT_TYPE:
        root = document
    else:
        detail = f"mediaType is {media_type!r}, neither {_CONFIG_TYPE!r} nor {_ROOT_TYPE!r}"
        raise ConfigError(Problem(loaded.where, detail))
    # Only the root of a ClientTrustConfig decides; what is for signing need not be sound.
    signing = {"mediaType": _SIGNING_TYPE}
    return json.dumps({"mediaType": _CONFIG_TYPE, "trustedRoot": root, "signingConfig": signing})


def trusted_root(loaded: Loaded) -> TrustedRoot:
    """Parses a sigstore trust root that a policy carries or points to.

    Raises:
        ConfigError: it is not one.
    """
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig
    from sigstore.verify import Verifier

    text = check_trust_root(loaded)
    try:
        root = ClientTrustConfig.from_json(text).trusted_root
        # Its certificates and keys are parsed only here.
        Verifier(trusted_root=root)
        root.get_timestamp_authorities()
    except (ValueError, Error) as error:
        detail = f"is not a sigstore trust root: {first_lines(error)}"
        raise ConfigError(Problem(loaded.where, detail)) from None
    return root


def root_of(signer: Keyless, loaded: Loaded, *, online: bool) -> TrustedRoot:
    """The trust root for a keyless signer: its own, or that of a sigstore instance.

    Raises:
        ConfigError: its own is not one.
        TrustUnavailableError: `online`, and the instance's cannot be fetched.
    """
    if loaded.data is not None:
        return trusted_root(loaded)
    instance: Instance = "staging" if signer.staging else "public-good"
    return refreshed_trusted_root(instance) if online else shipped_trusted_root(instance)


def reference_form(signer: Signer, loaded: Loaded) -> bytes:
    """The material as model-signing reads it: PEM, or a ClientTrustConfig (shipped if none).

    Raises:
        ConfigError: the material cannot be used.
    """
    if signer.method != "sigstore":
        return loaded.data or b""
    if loaded.data is None:
        instance: Instance = "staging" if signer.staging else "public-good"
        loaded = dataclasses.replace(loaded, data=_shipped(instance).read_bytes())
    return check_trust_root(loaded).encode()


def shipped_trusted_root(instance: Instance) -> TrustedRoot:
    """The trust root that the sigstore package ships: no network, nothing written."""
    from importlib.resources import as_file

    from sigstore.models import TrustedRoot

    with as_file(_shipped(instance)) as path:
        return TrustedRoot.from_file(str(path))


def _shipped(instance: Instance) -> Traversable:
    from importlib.resources import files

    try:
        resource = files("sigstore._store") / _SHIPPED[instance] / "trusted_root.json"
    except ModuleNotFoundError:
        resource = None
    if resource is None or not resource.is_file():
        raise ConfigError(
            Problem("trustRoot", "this release of sigstore keeps its trust root elsewhere"),
            advice="Give --trust-config (trustRoot in a policy), or --online",
        )
    return resource


def refreshed_trusted_root(instance: Instance) -> TrustedRoot:
    """Fetches the current trust root over TUF; keeps it in the user's cache.

    Raises:
        TrustUnavailableError: it cannot be fetched, or nothing can be written under HOME.
    """
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig

    fetch = ClientTrustConfig.staging if instance == "staging" else ClientTrustConfig.production
    try:
        return fetch().trusted_root
    except (Error, OSError, ValueError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        said = first_lines(cause)
        raise TrustUnavailableError(
            f"the trust root of sigstore's {instance} instance cannot be refreshed: {said}",
            advice="Check the network and that HOME can be written, or leave out --online",
        ) from None
