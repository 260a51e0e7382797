"""Makes the boto3 clients of the agent, the only place that imports boto3. Must never retry: the workers do."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import structlog

from agent.aws.bounded import bounded
from agent.aws.errors import Translated, classify, mendable
from agent.aws.models import slim
from agent.aws.signing import TrustedTime
from agent.errors import FailureKind, Transient
from agent.ports import CloudClock
from agent.version import VERSION

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger(__name__)

FetchCredentials = Callable[[], Mapping[str, str]]
"""Fetches credentials that expire: access_key, secret_key, token, expiry_time (RFC 3339)."""

POOL: Final = 2
"""Connections per client: each is used by one thread, and a call that was given up at a stop may hold another."""
LEARNED_S: Final = 30.0
"""A request that was signed with a time this wrong may be refused for it; well below the 300 s that AWS allows."""
MEND_S: Final = 5.0
"""Nothing is mended more often: two endpoints whose clocks differ must not make us try without a pause."""
REFRESH_S: Final = 300.0
"""Credentials that were refused when fresh are fetched anew no more often: it costs data, and mends nothing."""


CLOSE_S: Final = 0.5
"""Whoever makes a client may wait for credentials longer than a stop may take, and closes it when it is made."""
_CLOSED: Final = "the AWS session is closed"


class AwsSession:
    """The clients, each made when it is first asked for; thread-safe.

    Credentials and endpoints come from the standard AWS_* variables, as boto3 reads them. Making the first client
    loads boto3 and may look for credentials on the network, so it belongs in a worker's thread, not in the start-up.

    Args:
        region: AWS region.
        timeout_s: To connect, and to wait for the next byte of an answer; see `bounded` for the whole of it.
        clock: What signatures, credentials and certificates go by; None: the system's clock.
        fetch: Where credentials come from instead of the standard variables.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        region: str,
        timeout_s: float,
        *,
        clock: CloudClock | None = None,
        fetch: FetchCredentials | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._region = region
        self._timeout_s = timeout_s
        self._clock = clock
        self._fetch = fetch
        self._monotonic = monotonic
        self._trusted = None if clock is None else TrustedTime(clock)
        self._lock = threading.Lock()  # boto3.Session is not thread-safe
        self._session: Session | None = None
        self._kinesis: KinesisClient | None = None
        self._dynamodb: DynamoDBClient | None = None
        self._s3: S3Client | None = None
        self._learned_s: dict[str, float] = {}
        """When a call of each name was last mended by a time that was learned."""
        self._refreshed_s = float("-inf")
        self._worked = True
        """Whether a call was taken since the credentials were last fetched anew."""
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kinesis(self) -> "KinesisClient":
        """The client of the stream; raises Transient, RuntimeError once closed."""
        with self._lock, Translated("kinesis client"):
            if self._kinesis is None:
                self._kinesis = self._client("kinesis")
            return self._kinesis

    def dynamodb(self) -> "DynamoDBClient":
        """The client of the table; raises Transient, RuntimeError once closed."""
        with self._lock, Translated("dynamodb client"):
            if self._dynamodb is None:
                self._dynamodb = self._client("dynamodb")
            return self._dynamodb

    def s3(self) -> "S3Client":
        """The client of the bucket; raises Transient, RuntimeError once closed."""
        with self._lock, Translated("s3 client"):
            if self._s3 is None:
                self._s3 = self._client("s3")
            return self._s3

    def call(self, doing: str) -> AbstractContextManager[None]:
        """Around one call of a client, and nothing else: what it raises leaves as ours, `doing` names it.

        Where the call was refused for its time or its credentials, and what was wrong is put right by then, the error
        is of the kind MENDED.
        """
        return _Call(self, doing)

    def learn_time(self) -> None:
        """Ask the stream's endpoint for the time where that is not known; whatever it answers. Raises Transient.

        So that what is sent first is signed and dated rightly. Over plain HTTP there is nothing to learn.
        """
        if self._clock is None or self._clock.is_known():
            return
        client = self.kinesis()
        url = client.meta.endpoint_url
        if not url.startswith("https:"):
            return
        from botocore.awsrequest import AWSRequest

        with Translated("the time"):
            # Empty and unsigned, and there is no call for that; botocore has no public place for its HTTP session.
            # POST, as what follows: whatever lets that through lets this through.
            endpoint: Any = vars(client)["_endpoint"]
            endpoint.http_session.send(AWSRequest(method="POST", url=url, data=b"").prepare())

    def close(self) -> None:
        """Close the connections of all clients; idempotent. Whoever is making one closes them, if that takes long."""
        self._closed = True
        if self._lock.acquire(timeout=CLOSE_S):
            try:
                self._release()
            finally:
                self._lock.release()

    def signs_ahead_s(self) -> float:
        """How far ahead of the boot clock requests are signed: it changes when the time is learned."""
        return 0.0 if self._clock is None else self._clock.to_sign_s() - self._clock.boot_s()

    def worked(self) -> None:
        """A call was taken."""
        self._worked = True

    def mend(self, doing: str, signed_ahead_s: float) -> bool:
        """A call was refused for its time or its credentials; whether something was put right since it was signed."""
        now_s = self._monotonic()
        with self._lock:
            if abs(self.signs_ahead_s() - signed_ahead_s) > LEARNED_S:
                mended = now_s - self._learned_s.get(doing, float("-inf")) >= MEND_S
                if mended:
                    self._learned_s[doing] = now_s
                return mended
            if now_s - self._refreshed_s < (MEND_S if self._worked else REFRESH_S):
                return False
            # A session of its own finds the credentials anew, wherever they come from; caches go with the old one.
            self._refreshed_s, self._worked = now_s, False
            self._drop()
        log.info("aws.credentials_dropped", why="the cloud does not take them: they are fetched anew")
        return True

    def _drop(self) -> None:
        for client in (self._kinesis, self._dynamodb, self._s3):
            if client is not None:
                client.close()
        self._session = self._kinesis = self._dynamodb = self._s3 = None

    def _release(self) -> None:
        self._drop()
        if self._trusted is not None:
            self._trusted.close()

    def _client(self, service: str) -> Any:
        try:
            client: Any = self._open().client(service, config=self._config())  # type: ignore[call-overload]
            if self._closed:
                client.close()
                raise RuntimeError(_CLOSED)
            return bounded(client, self._timeout_s)
        finally:
            if self._closed:
                self._release()

    def _open(self) -> "Session":
        if self._closed:
            raise RuntimeError(_CLOSED)
        if self._session is None:
            import boto3
            from botocore.credentials import DeferredRefreshableCredentials, RefreshableCredentials
            from botocore.session import get_session

            if self._trusted is not None:
                self._trusted.open()
            inner = get_session()
            slim(inner)
            if self._fetch is not None:
                inner._credentials = DeferredRefreshableCredentials(refresh_using=self._fetch, method="cardea")  # type: ignore[attr-defined]
            credentials = inner.get_credentials()
            if self._trusted is not None and isinstance(credentials, RefreshableCredentials):
                credentials._time_fetcher = self._trusted.for_credentials  # type: ignore[attr-defined]
            self._session = boto3.Session(region_name=self._region, botocore_session=inner)
        return self._session

    def _config(self) -> "Config":
        from botocore.config import Config

        return Config(
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=POOL,
            tcp_keepalive=True,
            user_agent_extra=f"cardea/{VERSION}",
        )


class _Call(AbstractContextManager[None]):
    def __init__(self, session: AwsSession, doing: str) -> None:
        self._session = session
        self._doing = doing
        self._ahead_s = 0.0

    def __enter__(self) -> None:
        self._ahead_s = self._session.signs_ahead_s()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise ours from theirs."""
        if error is None:
            self._session.worked()
            return
        ours = classify(error, self._doing)
        if ours is None:
            return
        if mendable(error) and self._session.mend(self._doing, self._ahead_s):
            raise Transient(str(ours), FailureKind.MENDED) from error
        raise ours from error
