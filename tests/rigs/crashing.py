"""AWS clients that die with their process between any two calls: before a call is made, or with its answer lost."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cloud.adapters.aws import AwsAccess


class Killed(BaseException):
    """The process is gone. No handler of ours may catch it, as none could."""


@dataclass
class Countdown:
    """Dies at a call; `calls` is how many there were."""

    at: int
    after: bool
    """With the call made and its answer lost; else before it is made."""
    calls: int = field(default=0)

    @property
    def died(self) -> bool:
        return self.calls >= self.at

    def call(self, made: Any, *args: Any, **named: Any) -> Any:
        """Make a call, or die."""
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise Killed
        answer = made(*args, **named)
        if self.calls == self.at:
            raise Killed
        return answer


class _Client:
    def __init__(self, client: Any, countdown: Countdown) -> None:
        self._client = client
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in self._client.meta.method_to_api_mapping:
            return found
        return lambda *args, **named: self._countdown.call(found, *args, **named)


class DyingAccess(AwsAccess):
    """An account whose clients share a countdown."""

    __slots__ = ("countdown",)
    countdown: Countdown

    @classmethod
    def of(cls, access: AwsAccess, countdown: Countdown) -> "DyingAccess":
        made = cls(access.endpoint, access.region, access.access_key, access.secret_key)
        object.__setattr__(made, "countdown", countdown)
        return made

    def dynamodb(self) -> Any:
        return _Client(_client(self, "dynamodb"), self.countdown)

    def s3(self) -> Any:
        return _Client(_client(self, "s3"), self.countdown)

    def sns(self) -> Any:
        return _Client(_client(self, "sns"), self.countdown)

    def secretsmanager(self) -> Any:
        return _Client(_client(self, "secretsmanager"), self.countdown)


def _client(access: AwsAccess, service: str) -> Any:
    return _made(AwsAccess(access.endpoint, access.region, access.access_key, access.secret_key), service)


@cache
def _made(access: AwsAccess, service: str) -> Any:
    """Made once: to make one takes longer than most of what it is used for."""
    return getattr(access, service)()
