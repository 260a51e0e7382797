"""What the self-test asks of the cloud. Must never write to it, and never show a secret.

Endpoints, proxies, certificates and credentials are found as the agent's own clients find them.
"""

import socket
import time
from contextlib import closing
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


class Probe:
    """Questions to the cloud; each raises Transient or Permanent with one line."""

    def __init__(self, session: AwsSession, timeout_s: float) -> None:
        self._session = session
        self._timeout_s = timeout_s

    def endpoint(self, service: str) -> str:
        """The URL that the agent's client of this service talks to."""
        clients = {"kinesis": self._session.kinesis, "dynamodb": self._session.dynamodb, "s3": self._session.s3}
        return str(clients[service]().meta.endpoint_url)

    def credentials(self) -> str | None:
        """Where credentials come from, such as `env`; None when there are none. May ask the network."""
        # Imported here, as everywhere: a controller without [aws] never loads it.
        from botocore.session import get_session

        with Translated("credentials"):
            found = get_session().get_credentials()
            if found is None:
                return None
            found.get_frozen_credentials()  # fetches those that are fetched
            return str(found.method)

    def reach(self, url: str) -> Reached:
        """Connect, check the certificate and wait for an answer, through the proxy if one is set."""
        from botocore.awsrequest import AWSRequest
        from botocore.httpsession import URLLib3Session
        from botocore.session import get_session
        from botocore.utils import get_environ_proxies

        proxies = get_environ_proxies(url)
        proxy = proxies.get(urlsplit(url).scheme)
        if proxy is None:
            self._resolve(url)  # so that a name without an address is told from a host that does not answer
        timeout: Any = self._timeout_s
        begun_s = time.monotonic()
        with Translated("GET"):
            # As the clients find it: AWS_CA_BUNDLE, or the same of the shared configuration, else the usual ones.
            verify: Any = get_session().get_config_variable("ca_bundle") or True
            with closing(URLLib3Session(verify=verify, proxies=proxies, timeout=timeout)) as http:
                # Streamed, and the body left unread: it may have no end.
                answer = http.send(AWSRequest(method="GET", url=url, stream_output=True).prepare())
                date = answer.headers.get("Date")
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
            socket.getaddrinfo(
                parts.hostname, parts.port or _PORTS.get(parts.scheme, _PORTS["https"]), type=socket.SOCK_STREAM
            )
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
