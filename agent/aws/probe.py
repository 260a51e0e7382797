"""What the self-test asks of the cloud. Must never write to it, and never show a secret.

Endpoints, proxies, certificates and credentials are found as the agent's own clients find them.
"""

import socket
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from agent.aws.errors import Translated, failure, first_line
from agent.aws.session import AwsSession
from agent.errors import FailureKind

SERVICES: Final = ("kinesis", "dynamodb", "s3")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reached:
    """An endpoint that answered, whatever it said."""

    url: str
    took_s: float
    server_s: float | None
    """Its clock, seconds since 1970; None if it told none."""
    our_s: float
    """Our clock at that time."""
    proxy: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials, by where they come from; never themselves."""

    method: str


class Probe:
    """Questions to the cloud; each raises Transient or Permanent with one line."""

    def __init__(self, session: AwsSession, timeout_s: float) -> None:
        self._session = session
        self._timeout_s = timeout_s

    def endpoint(self, service: str) -> str:
        """The URL that the agent's client of this service talks to."""
        clients = {"kinesis": self._session.kinesis, "dynamodb": self._session.dynamodb, "s3": self._session.s3}
        return str(clients[service]().meta.endpoint_url)

    def credentials(self) -> Found | None:
        """Where credentials come from; None when there are none. May ask the network."""
        method = self._session.credentials_method()
        return None if method is None else Found(method)

    def reach(self, url: str) -> Reached:
        """Connect, check the certificate and wait for an answer, through the proxy if one is set."""
        # Imported here, as everywhere: a controller without [aws] never loads it.
        from botocore.awsrequest import AWSRequest
        from botocore.httpsession import URLLib3Session
        from botocore.utils import get_environ_proxies

        proxies = get_environ_proxies(url)
        proxy = proxies.get(urlsplit(url).scheme)
        if proxy is None:
            self._resolve(url)  # so that a name without an address is told from a host that does not answer
        verify: Any = self._session.verify()  # the stubs know neither a bundle's path nor half a second
        timeout: Any = self._timeout_s
        session = URLLib3Session(verify=verify, proxies=proxies, timeout=timeout)
        begun_s = time.monotonic()
        try:
            with Translated("GET"):
                answer = session.send(AWSRequest(method="GET", url=url).prepare())
                date = answer.headers.get("Date")
        finally:
            session.close()
        return Reached(
            url=url,
            took_s=time.monotonic() - begun_s,
            server_s=_seconds(date),
            our_s=time.time(),
            proxy=_without_password(proxy),
        )

    def may_read_object(self, bucket: str, key: str) -> None:
        """Ask for an object's head, which takes the permission to read it."""
        client = self._session.s3()
        with Translated("HeadObject"):
            client.head_object(Bucket=bucket, Key=key)

    def _resolve(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            socket.getaddrinfo(parts.hostname, parts.port or _PORTS[parts.scheme], type=socket.SOCK_STREAM)
        except OSError as error:
            text = f"{parts.hostname} has no address: {error.strerror or error}"
            raise failure(FailureKind.TRANSPORT, text) from error


def _seconds(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _without_password(proxy: str | None) -> str | None:
    if proxy is None:
        return None
    parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
    return first_line(f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname))
