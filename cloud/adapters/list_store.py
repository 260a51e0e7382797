"""Where an allow-list lies: head and deltas in the table, snapshots in the bucket. Must never hold a rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cloud.adapters.aws import AwsError, aws_errors
from cloud.adapters.entities import key_attributes
from cloud.adapters.transactions import commit
from cloud.contract.allowlist import delta_key, head_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_BATCH: Final = 25
"""Most items that one BatchWriteItem takes."""


@dataclass(frozen=True, slots=True)
class PackedDelta:
    """A delta as it is stored."""

    epoch: int
    version: int
    text: str
    """What was signed."""
    changes: bytes
    """Packed."""


def read_head(dynamodb: "DynamoDBClient", table: str, site: str) -> str | None:
    """The signed text of a site's head as it is now; None when nothing was published yet. Raises AwsError."""
    with aws_errors():
        answer = dynamodb.get_item(TableName=table, Key=key_attributes(head_key(site)), ConsistentRead=True)
    return answer["Item"]["doc"]["S"] if "Item" in answer else None


def head_writes(table: str, site: str, old: str | None, new: str, delta: PackedDelta | None = None) -> list[Any]:
    """The writes of a transaction that replace the head `old` (None: there is none) and add a delta."""
    head: dict[str, Any] = {
        "TableName": table,
        "Item": {**key_attributes(head_key(site)), "doc": {"S": new}},
        "ConditionExpression": "attribute_not_exists(pk)" if old is None else "doc = :old",
    }
    if old is not None:
        head["ExpressionAttributeValues"] = {":old": {"S": old}}
    if delta is None:
        return [{"Put": head}]
    item = {
        **key_attributes(delta_key(site, delta.epoch, delta.version)),
        "doc": {"S": delta.text},
        "changes": {"B": delta.changes},
    }
    return [
        {"Put": head},
        {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}},
    ]


class ListStore:
    """The table and the bucket of one site. Raises AwsError; all reads of the table are strongly consistent."""

    def __init__(self, site: str, table: str, bucket: str, dynamodb: "DynamoDBClient", s3: "S3Client") -> None:
        self._site = site
        self._table = table
        self._bucket = bucket
        self._dynamodb = dynamodb
        self._s3 = s3

    @property
    def site(self) -> str:
        """Whose list it is."""
        return self._site

    def head(self) -> str | None:
        """The signed text of the head; None when nothing was published yet."""
        return read_head(self._dynamodb, self._table, self._site)

    def deltas(self, epoch: int, after: int, upto: int) -> Iterator[tuple[str, bytes]]:
        """Signed text and packed changes of the deltas after < version <= upto, in order."""
        if after >= upto:
            # The service refuses a range that ends before it begins.
            return
        partition, first = delta_key(self._site, epoch, after + 1)
        last = delta_key(self._site, epoch, upto)[1]
        for item in self._query(partition, first, last, "doc, changes"):
            yield item["doc"]["S"], item["changes"]["B"]

    def replace_head(self, old: str | None, new: str, delta: PackedDelta | None = None) -> None:
        """In one transaction, replace the head `old` (None: there is none) and add a delta.

        Raises Conflict when the head is not `old` any more.
        """
        commit(self._dynamodb, head_writes(self._table, self._site, old, new, delta))

    def delete_deltas(self, epoch: int, below: int) -> int:
        """Delete the deltas of earlier epochs, and of this one below a version; returns how many there were.

        Those that the service is too busy for stay until the next time: no door reads below the oldest of the head.
        """
        partition, end = delta_key(self._site, epoch, below)
        keys = [
            {"pk": item["pk"], "sk": item["sk"]}
            for item in self._query(partition, "", end, "pk, sk")
            if item["sk"]["S"] < end
        ]
        for start in range(0, len(keys), _BATCH):
            requests: Any = {self._table: [{"DeleteRequest": {"Key": key}} for key in keys[start : start + _BATCH]]}
            with aws_errors():
                self._dynamodb.batch_write_item(RequestItems=requests)
        return len(keys)

    def put_snapshot(self, name: str, data: bytes) -> bool:
        """Store a snapshot under a name that is free; False when it is taken."""
        try:
            with aws_errors():
                self._s3.put_object(Bucket=self._bucket, Key=name, Body=data, IfNoneMatch="*")
        except AwsError as error:
            if error.code == "PreconditionFailed":
                return False
            raise
        return True

    def snapshot(self, name: str) -> bytes:
        """The bytes of a snapshot."""
        with aws_errors():
            return self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()

    def snapshot_names(self) -> Sequence[str]:
        """Names of all snapshots of the site, oldest epoch and version first."""
        with aws_errors():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"lists/{self._site}/"
            )
            return sorted(item["Key"] for page in pages for item in page.get("Contents", ()))

    def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot; the bucket keeps the version for a while."""
        with aws_errors():
            self._s3.delete_object(Bucket=self._bucket, Key=name)

    def _query(self, partition: str, first: str, last: str, attributes: str) -> Iterator[dict[str, Any]]:
        with aws_errors():
            # An empty sort key may not be asked for; "!" sorts before all digits.
            yield from (
                item
                for page in self._dynamodb.get_paginator("query").paginate(
                    TableName=self._table,
                    KeyConditionExpression="pk = :p AND sk BETWEEN :first AND :last",
                    ExpressionAttributeValues={
                        ":p": {"S": partition},
                        ":first": {"S": first or "!"},
                        ":last": {"S": last},
                    },
                    ProjectionExpression=attributes,
                    ConsistentRead=True,
                )
                for item in page["Items"]
            )
