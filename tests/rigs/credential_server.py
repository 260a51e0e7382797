"""Gives out credentials that expire, as a container's endpoint does; and the check of a service that takes them.

The service's check goes by the true time, as AWS does: a signature may be 5 minutes old or ahead, a token must not
have expired. Whether the signature itself is right is not checked.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.rigs.fault_kinesis import Answer

SKEW_S = 300.0


class CredentialServer:
    """On a free port of the loopback interface; a context manager."""

    def __init__(self, lifetime_s: float = 3600.0) -> None:
        self.lifetime_s = lifetime_s
        self._lock = threading.Lock()
        self._expiry_s: dict[str, float] = {}
        self._refused: list[str] = []
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="credential-server")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def environment(self) -> Mapping[str, str]:
        """How a standard AWS client finds it, and nothing else."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self._server.server_address[1]}/credentials",
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def issued(self) -> int:
        """How many were given out."""
        with self._lock:
            return len(self._expiry_s)

    @property
    def refused(self) -> list[str]:
        """The error codes of requests that did not pass."""
        with self._lock:
            return list(self._refused)

    def revoke(self) -> None:
        """End all that were given out."""
        with self._lock:
            self._expiry_s = dict.fromkeys(self._expiry_s, 0.0)

    def issue(self) -> Mapping[str, str]:
        """New ones."""
        expiry_s = time.time() + self.lifetime_s
        with self._lock:
            token = f"token-{len(self._expiry_s)}"
            self._expiry_s[token] = expiry_s
        expiration = datetime.fromtimestamp(expiry_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"AccessKeyId": "AKIATEST", "SecretAccessKey": "secret", "Token": token, "Expiration": expiration}

    def check(self, headers: Mapping[str, str]) -> Answer | None:
        """What the service answers to a request that does not pass; None: it passes."""
        problem = self._problem(headers)
        if problem is None:
            return None
        with self._lock:
            self._refused.append(problem[0])
        return Answer(stores=False, status=400, error=problem[0], message=problem[1])

    def _problem(self, headers: Mapping[str, str]) -> tuple[str, str] | None:
        if "Authorization" not in headers:
            return "MissingAuthenticationTokenException", "Request is missing Authentication Token"
        signed, token = headers.get("X-Amz-Date") or "", headers.get("X-Amz-Security-Token") or ""
        if not re.fullmatch(r"\d{8}T\d{6}Z", signed):
            return "IncompleteSignatureException", "no X-Amz-Date"
        signed_s = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if abs(signed_s - time.time()) > SKEW_S:
            return "InvalidSignatureException", f"Signature expired: {signed} is not near the present"
        with self._lock:
            expiry_s = self._expiry_s.get(token)
        if expiry_s is None:
            return "UnrecognizedClientException", "The security token included in the request is invalid."
        if expiry_s <= time.time():
            return "ExpiredTokenException", "The security token included in the request is expired"
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], credentials: CredentialServer) -> None:
        self.credentials = credentials
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """HTTP/1.0: every request has a connection of its own."""
        body = json.dumps(self.server.credentials.issue()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""
