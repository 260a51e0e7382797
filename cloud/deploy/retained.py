"""Deletes what outlives its stack: buckets with all versions, table, stream, pool, key and secrets of an environment.

Only ever called for an environment that was named twice. What is locked stays, and is told.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from cloud.adapters.aws import AwsAccess, AwsError, aws_errors

_GONE: Final = frozenset(
    {"NoSuchBucket", "ResourceNotFoundException", "NotFoundException", "404", "KMSInvalidStateException"}
)
_BATCH: Final = 1000
"""Most objects that one call deletes."""
_KEY_WAIT_DAYS: Final = 7
"""The least that a key's deletion can be called off for."""


@dataclass(frozen=True, slots=True)
class Retained:
    """What outlives the stacks of an environment."""

    table: str
    stream: str
    buckets: tuple[str, ...]
    pool: str | None
    key: str | None


class Eraser:
    """Deletes for good. Each method takes what is gone already for done; raises AwsError."""

    def __init__(self, access: AwsAccess, *, bypass_governance: bool) -> None:
        self._access = access
        self._bypass = bypass_governance

    def unprotect(self, retained: Retained) -> None:
        """Take the protection against deletion away from table and pool."""
        with _unless_gone():
            self._access.dynamodb().update_table(TableName=retained.table, DeletionProtectionEnabled=False)
        if retained.pool is not None:
            with _unless_gone():
                self._access.cognito().update_user_pool(UserPoolId=retained.pool, DeletionProtection="INACTIVE")

    def empty(self, bucket: str) -> int:
        """Delete all versions of all objects and all delete markers; returns how many are locked and stay."""
        s3 = self._access.s3()
        locked = 0
        with _unless_gone():
            for batch in _versions(s3, bucket):
                with aws_errors():
                    answer = s3.delete_objects(
                        Bucket=bucket,
                        Delete={"Objects": batch, "Quiet": True},
                        BypassGovernanceRetention=self._bypass,
                    )
                locked += len(answer.get("Errors", ()))
        return locked

    def delete(self, retained: Retained, *, keep: frozenset[str] = frozenset()) -> None:
        """Delete it all but the buckets to be kept, and the key if one is: what is in them would be lost with it."""
        with _unless_gone():
            self._access.dynamodb().delete_table(TableName=retained.table)
        with _unless_gone():
            self._access.kinesis().delete_stream(StreamName=retained.stream, EnforceConsumerDeletion=True)
        if retained.pool is not None:
            with _unless_gone():
                self._access.cognito().delete_user_pool(UserPoolId=retained.pool)
        for bucket in retained.buckets:
            if bucket not in keep:
                with _unless_gone():
                    self._access.s3().delete_bucket(Bucket=bucket)
        if retained.key is not None and not keep:
            with _unless_gone():
                self._access.kms().schedule_key_deletion(KeyId=retained.key, PendingWindowInDays=_KEY_WAIT_DAYS)

    def delete_secrets(self, environment: str) -> None:
        """Delete the keys of all sites of an environment, at once: their names are free for the next one."""
        client = self._access.secretsmanager()
        prefix = f"cardea/{environment}/"
        with aws_errors():
            pages = client.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [prefix]}])
            names = [secret["Name"] for page in pages for secret in page["SecretList"]]
        for name in names:
            # The filter matches words, and is not trusted with a neighbour's secrets.
            if name.startswith(prefix):
                with _unless_gone():
                    client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def _versions(s3: Any, bucket: str) -> Iterator[list[Any]]:
    """All versions and delete markers, in batches. Each page is deleted before the next is asked for."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": _BATCH}):
        entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        for start in range(0, len(entries), _BATCH):
            yield [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries[start : start + _BATCH]]


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Pass over the error that says that there is nothing to delete."""
    try:
        with aws_errors():
            yield
    except AwsError as error:
        if error.code not in _GONE:
            raise
