"""The identity provider: it vouches for whoever asks."""

import time

import jwt

from .keys import ServiceKey

AUDIENCE = "sigstore"


class IdentityProvider:
    """Issues identity tokens in the name of any issuer, and recognizes its own."""

    def __init__(self) -> None:
        self._key = ServiceKey()

    def token(self, identity: str, issuer: str) -> str:
        """Returns a signed token that says `issuer` knows the caller as `identity`."""
        now = int(time.time())
        claims = {"iss": issuer, "sub": identity, "aud": AUDIENCE, "iat": now, "exp": now + 600}
        if "://" not in identity:
            claims["email"] = identity
        return jwt.encode(claims, self._key.private, algorithm="ES256")

    def claims(self, token: str) -> tuple[str, str]:
        """Returns the identity and the issuer of a token.

        Raises:
            jwt.InvalidTokenError: The token is not this provider's, or has expired.
        """
        key = self._key.private.public_key()
        claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE)
        return str(claims["sub"]), str(claims["iss"])
