"""Checks access tokens as the JWT authorizer of an HTTP API does: signature, issuer, audience and time."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

_ALGORITHM: Final = "RS256"
"""The only one that user pools sign with. A token may not choose: `none` and HS256 are forgeries."""
_FETCH_S: Final = 5.0


class TokenRefused(Exception):  # noqa: N818 - named for what happened
    """The gateway would not let this token in."""


class TokenVerifier:
    """Lets in the access tokens of one pool.

    Args:
        key_set: Gives the pool's public keys (a JWK set); asked at the first token, and when a key is not known.
        issuer: Of the pool.
        audience: Ids of the clients that tokens may be made for.
    """

    def __init__(self, key_set: Callable[[], Mapping[str, Any]], issuer: str, audience: frozenset[str]) -> None:
        self._key_set = key_set
        self._issuer = issuer
        self._audience = audience
        self._keys: dict[str, jwt.PyJWK] = {}

    def claims(self, authorization: str) -> Mapping[str, Any]:
        """What the token of an Authorization header says; raises TokenRefused."""
        token = authorization.removeprefix("Bearer ").strip()
        try:
            header = jwt.get_unverified_header(token)
            claims: Mapping[str, Any] = jwt.decode(
                token,
                self._key(str(header.get("kid"))),
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except jwt.PyJWTError as error:
            raise TokenRefused(type(error).__name__) from None
        # Access tokens of user pools have no `aud`; the gateway then takes the client for it.
        audience = claims.get("aud", claims.get("client_id"))
        named = frozenset(audience if isinstance(audience, list) else [audience])
        if not named & self._audience:
            raise TokenRefused("audience")
        return claims

    def _key(self, name: str) -> jwt.PyJWK:
        if name not in self._keys:
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(self._key_set())).keys if key.key_id}
        if name not in self._keys:
            raise TokenRefused("key")
        return self._keys[name]


def fetch_key_set(url: str) -> Mapping[str, Any]:
    """The JWK set at a URL on this machine; a proxy of the surroundings must not get in between."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_FETCH_S) as answer:
        key_set: Mapping[str, Any] = json.load(answer)
    return key_set
