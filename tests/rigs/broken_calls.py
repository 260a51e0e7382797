"""Breaks calls of boto3 at a chosen place: before they leave, or after they were carried out but before the answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import EndpointConnectionError

from cloud.adapters.aws import AwsAccess

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Breaker:
    """Counts calls, and breaks what it is told to.

    Args:
        at: The call to break, from 0; None: none.
        answered: The call is carried out first.
        error: What is raised; without one, the process is killed.
        only: Names of operations to count; empty: all.
    """

    at: int | None = None
    answered: bool = False
    error: Callable[[], BaseException] = Killed
    only: frozenset[str] = frozenset()
    forever: bool = False
    """All calls from `at` on are broken."""
    calls: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def attach(self, client: Any) -> Any:
        """The client, with its calls counted."""
        client.meta.events.register("after-call" if self.answered else "before-call", self._on_call)
        return client

    def _on_call(self, model: Any, **_: Any) -> None:
        name = model.name
        if self.only and name not in self.only:
            return
        with self._lock:
            place = len(self.calls)
            self.calls.append(name)
        if self.at is not None and (place == self.at or (self.forever and place > self.at)):
            raise self.error()


class BrokenAccess(AwsAccess):
    """An account whose answers a breaker decides on."""

    __slots__ = ("breaker",)

    def __init__(self, access: AwsAccess, breaker: Breaker) -> None:
        super().__init__(access.endpoint, access.region, access.access_key, access.secret_key)
        object.__setattr__(self, "breaker", breaker)

    breaker: Breaker

    def dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self.breaker.attach(super().dynamodb())
        return client

    def s3(self) -> "S3Client":
        client: S3Client = self.breaker.attach(super().s3())
        return client

    def sns(self) -> "SNSClient":
        client: SNSClient = self.breaker.attach(super().sns())
        return client


def unreachable() -> BaseException:
    """The network is gone."""
    return EndpointConnectionError(endpoint_url="nowhere")
