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

    def __init__(self, access: AwsAccess) -> None:
        self._access = access

    def empty(self, bucket: str, *, bypass: bool = False) -> int:
        """Delete all versions of all objects and all delete markers; returns how many are locked and stay.

        `bypass` overrides locks of mode GOVERNANCE; S3 takes that word only for buckets that lock.
        """
        s3 = self._access.s3()
        options: dict[str, Any] = {"BypassGovernanceRetention": True} if bypass else {}
        locked = 0
        with _unless_gone():
            for batch in _versions(s3, bucket):
                with aws_errors():
                    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}, **options)
                locked += len(answer.get("Errors", ()))
        return locked

    def delete(self, retained: Retained, *, keep: frozenset[str] = frozenset()) -> None:
        """Delete it all but the buckets to be kept, and the key if one is: what is in them would be lost with it."""
        with _unless_gone():
            self._delete_table(retained.table)
        with _unless_gone():
            self._access.kinesis().delete_stream(StreamName=retained.stream, EnforceConsumerDeletion=True)
        if retained.pool is not None:
            with _unless_gone():
                self._delete_pool(retained.pool)
        for bucket in retained.buckets:
            if bucket not in keep:
                with _unless_gone():
                    self._access.s3().delete_bucket(Bucket=bucket)
        if retained.key is not None and not keep:
            with _unless_gone():
                self._access.kms().schedule_key_deletion(KeyId=retained.key, PendingWindowInDays=_KEY_WAIT_DAYS)

    def _delete_table(self, table: str) -> None:
        dynamodb = self._access.dynamodb()
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
            # A table that is being changed can't be deleted.
            dynamodb.get_waiter("table_exists").wait(TableName=table)
        dynamodb.delete_table(TableName=table)

    def _delete_pool(self, pool: str) -> None:
        cognito = self._access.cognito()
        domain = cognito.describe_user_pool(UserPoolId=pool)["UserPool"].get("Domain")
        if domain:
            cognito.delete_user_pool_domain(Domain=domain, UserPoolId=pool)
        # In the last moment: whatever this call does not name falls back to its default, the second factor too.
        cognito.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
        cognito.delete_user_pool(UserPoolId=pool)

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
