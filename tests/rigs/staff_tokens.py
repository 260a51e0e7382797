"""Access tokens of a user pool of our own: keys made for the test, and every way of getting one wrong."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from cloud.domain.roles import Role

ISSUER: Final = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test"
CLIENT: Final = "3n4b5urk1ft4fl3mg5e62d9ado"
_KEY_ID: Final = "key-1"


class Pool:
    """Signs tokens as a user pool does."""

    def __init__(self) -> None:
        self.key: RSAPrivateKey = generate_private_key(public_exponent=65537, key_size=2048)

    def key_set(self) -> Mapping[str, Any]:
        """Its public keys."""
        key = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": _KEY_ID, "alg": "RS256", "use": "sig"}]}

    def token(
        self,
        subject: str,
        *groups: Role,
        lasts_s: float = 3600,
        key: Any = None,
        algorithm: str = "RS256",
        kid: str = _KEY_ID,
        **claims: Any,
    ) -> str:
        """A token for somebody in these groups; a claim that is None is left out."""
        now = int(time.time())
        said = {
            "sub": subject,
            "username": "grace",
            "cognito:groups": [str(group) for group in groups],
            "iss": ISSUER,
            "client_id": CLIENT,
            "token_use": "access",
            "scope": "openid",
            "iat": now,
            "auth_time": now,
            "exp": now + lasts_s,
            **claims,
        }
        present = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(present, key or self.key, algorithm=algorithm, headers={"kid": kid})
