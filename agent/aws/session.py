"""Makes the boto3 clients of the agent, the only place that imports boto3. Must never retry: the workers do."""

import threading
from typing import TYPE_CHECKING, Final, Self

from agent.aws.bounded import bounded
from agent.aws.errors import Translated
from agent.version import VERSION

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client

POOL: Final = 2
"""Connections per client: each is used by one thread, and a call that was given up at a stop may hold another."""


class AwsSession:
    """The clients, each made when it is first asked for; thread-safe.

    Credentials and endpoints come from the standard AWS_* variables, as boto3 reads them. Making the first client
    loads boto3 and may look for credentials on the network, so it belongs in a worker's thread, not in the start-up.

    Args:
        region: AWS region.
        timeout_s: To connect, and to wait for the next byte of an answer; see `bounded` for the whole of it.
    """

    def __init__(self, region: str, timeout_s: float) -> None:
        self._region = region
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # boto3.Session is not thread-safe
        self._session: Session | None = None
        self._kinesis: KinesisClient | None = None
        self._dynamodb: DynamoDBClient | None = None
        self._s3: S3Client | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kinesis(self) -> "KinesisClient":
        """The client of the stream; raises Transient, RuntimeError once closed."""
        with self._lock, Translated("kinesis client"):
            if self._kinesis is None:
                self._kinesis = bounded(self._open().client("kinesis", config=self._config()), self._timeout_s)
            return self._kinesis

    def dynamodb(self) -> "DynamoDBClient":
        """The client of the table; raises Transient, RuntimeError once closed."""
        with self._lock, Translated("dynamodb client"):
            if self._dynamodb is None:
                self._dynamodb = bounded(self._open().client("dynamodb", config=self._config()), self._timeout_s)
            return self._dynamodb

    def s3(self) -> "S3Client":
        """The client of the bucket; raises Transient, RuntimeError once closed."""
        with self._lock, Translated("s3 client"):
            if self._s3 is None:
                self._s3 = bounded(self._open().client("s3", config=self._config()), self._timeout_s)
            return self._s3

    def close(self) -> None:
        """Close the connections of all clients; idempotent."""
        with self._lock:
            self._closed = True
            for client in (self._kinesis, self._dynamodb, self._s3):
                if client is not None:
                    client.close()
            self._session = self._kinesis = self._dynamodb = self._s3 = None

    def _open(self) -> "Session":
        if self._closed:
            raise RuntimeError("the AWS session is closed")
        if self._session is None:
            import boto3

            self._session = boto3.Session(region_name=self._region)
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
