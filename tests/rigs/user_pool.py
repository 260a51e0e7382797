"""A stand-in for an identity provider's user pool that really checks the proof of a password (SRP), unlike local ones.

Speaks the protocol of Cognito as far as signing in needs it, over real HTTP. One user; any code but `CODE` is wrong.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from pycognito.aws_srp import N_HEX  # the group that the protocol fixes

POOL_ID: Final = "eu-central-1_Test"
CLIENT_ID: Final = "client-1"
CODE: Final = "123456"
SECRET: Final = "JBSWY3DPEHPK3PXP"
_N: Final = int(N_HEX, 16)
_NAME: Final = POOL_ID.partition("_")[2]
Document = dict[str, Any]


class _Wrong(Exception):  # noqa: N818 - the provider's own kind of answer
    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


@dataclass(slots=True)
class UserPool:
    """See the module. The attributes are those of its one user and may be set."""

    user: str = "ada"
    password: str = "correct horse battery"
    temporary: bool = False
    """Another password must be chosen first."""
    second_factor: str = "none"
    """none, setup (must be set up first) or on."""
    lifetime_s: int = 900
    signed_in: int = 0
    revoked: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    _b: int = 0
    _public: int = 0
    _asked: Document = field(default_factory=dict)
    _salt: str = ""
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its endpoint."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        pool = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                action = self.headers["X-Amz-Target"].partition(".")[2]
                pool.calls.append(action)
                try:
                    status, document = 200, pool._actions()[action](asked)
                except _Wrong as wrong:
                    status, document = 400, {"__type": wrong.kind, "message": str(wrong)}
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="user-pool", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def _actions(self) -> dict[str, Callable[[Document], Document]]:
        return {
            "InitiateAuth": self._initiate,
            "RespondToAuthChallenge": self._respond,
            "AssociateSoftwareToken": lambda asked: {"SecretCode": SECRET, "Session": f"{asked['Session']}-a"},
            "VerifySoftwareToken": self._verify_code,
            "RevokeToken": self._revoke,
        }

    def _initiate(self, asked: Document) -> Document:
        if asked["ClientId"] != CLIENT_ID:
            raise _Wrong("ResourceNotFoundException", "User pool client does not exist.")
        given = asked["AuthParameters"]
        if asked["AuthFlow"] == "REFRESH_TOKEN_AUTH":
            if given["REFRESH_TOKEN"] in self.revoked or not given["REFRESH_TOKEN"].startswith("refresh-"):
                raise _Wrong("NotAuthorizedException", "Refresh Token has been revoked")
            return self._tokens(with_refresh=False)
        self._asked, self._salt, self._b = given, secrets.token_hex(16), secrets.randbelow(_N)
        verifier = pow(2, self._x(), _N)
        k = int(_sha256("00" + N_HEX + "02"), 16)
        self._public = (k * verifier + pow(2, self._b, _N)) % _N
        return {
            "ChallengeName": "PASSWORD_VERIFIER",
            "ChallengeParameters": {
                "USERNAME": self.user, "USER_ID_FOR_SRP": self.user, "SALT": self._salt,
                "SRP_B": f"{self._public:x}", "SECRET_BLOCK": base64.b64encode(b"block").decode(),
            },
        }  # fmt: skip

    def _respond(self, asked: Document) -> Document:
        given = asked["ChallengeResponses"]
        match asked["ChallengeName"]:
            case "PASSWORD_VERIFIER":
                if self._asked["USERNAME"] != self.user or not self._proves(given):
                    raise _Wrong("NotAuthorizedException", "Incorrect username or password.")
                if self.temporary:
                    return self._challenge("NEW_PASSWORD_REQUIRED")
            case "NEW_PASSWORD_REQUIRED":
                if len(given["NEW_PASSWORD"]) < 14:
                    raise _Wrong("InvalidPasswordException", "Password not long enough")
                self.password, self.temporary = given["NEW_PASSWORD"], False
            case "SOFTWARE_TOKEN_MFA":
                if given["SOFTWARE_TOKEN_MFA_CODE"] != CODE:
                    raise _Wrong("CodeMismatchException", "Invalid code received for user")
                return self._tokens()
            case "MFA_SETUP":
                if not asked["Session"].endswith("-verified"):
                    raise _Wrong("NotAuthorizedException", "No authenticator is set up")
                self.second_factor = "on"
                return self._tokens()
        if self.second_factor == "none":
            return self._tokens()
        return self._challenge("SOFTWARE_TOKEN_MFA" if self.second_factor == "on" else "MFA_SETUP")

    def _challenge(self, name: str) -> Document:
        parameters = {"USER_ID_FOR_SRP": self.user}
        return {"ChallengeName": name, "Session": f"session-{name}".ljust(20, "."), "ChallengeParameters": parameters}

    def _verify_code(self, asked: Document) -> Document:
        if asked["UserCode"] != CODE:
            raise _Wrong("EnableSoftwareTokenMFAException", "Code mismatch")
        return {"Status": "SUCCESS", "Session": f"{asked['Session']}-verified"}

    def _revoke(self, asked: Document) -> Document:
        self.revoked.add(asked["Token"])
        return {}

    def _tokens(self, *, with_refresh: bool = True) -> Document:
        self.signed_in += 1
        result = {"AccessToken": f"access-{self.signed_in}", "ExpiresIn": self.lifetime_s, "TokenType": "Bearer"}
        if with_refresh:
            result["RefreshToken"] = f"refresh-{self.signed_in}"
        return {"AuthenticationResult": result, "ChallengeParameters": {}}

    def _x(self) -> int:
        inner = hashlib.sha256(f"{_NAME}{self.user}:{self.password}".encode()).hexdigest()
        return int(_sha256(_padded(self._salt) + inner), 16)

    def _proves(self, given: Document) -> bool:
        theirs = int(self._asked["SRP_A"], 16)
        u = int(_sha256(_padded(f"{theirs:x}") + _padded(f"{self._public:x}")), 16)
        shared = pow(theirs * pow(pow(2, self._x(), _N), u, _N), self._b, _N)
        salted = hmac.digest(bytes.fromhex(_padded(f"{u:x}")), bytes.fromhex(_padded(f"{shared:x}")), "sha256")
        key = hmac.digest(salted, b"Caldera Derived Key\x01", "sha256")[:16]
        message = _NAME.encode() + self.user.encode() + b"block" + given["TIMESTAMP"].encode()
        proof = base64.b64encode(hmac.digest(key, message, "sha256")).decode()
        return hmac.compare_digest(proof, given["PASSWORD_CLAIM_SIGNATURE"])


def _sha256(text: str) -> str:
    return hashlib.sha256(bytes.fromhex(text)).hexdigest()


def _padded(text: str) -> str:
    """Hex of a number that is not negative."""
    even = text if len(text) % 2 == 0 else f"0{text}"
    return f"00{even}" if even[0] in "89ABCDEFabcdef" else even
