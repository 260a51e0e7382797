"""A stream, a table and a bucket in the local AWS, and a publisher that fills them."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3

from cloud.contract.allowlist import Delta, Head, Snapshot, delta_key, head_key, seal_delta, seal_head, seal_snapshot
from cloud.local.server import LocalAws
from tests.rigs.site_lists import Site

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class AwsPlace:
    """One environment in the local AWS, with the administrator's clients."""

    stream: str
    table: str
    bucket: str
    kinesis: "KinesisClient"
    dynamodb: "DynamoDBClient"
    s3: "S3Client"

    def publish(self, site: Site, *documents: Head | Delta | Snapshot, under: Site | None = None) -> None:
        """Sign and put what a publisher puts; `under` puts it where another site looks."""
        place = under or site
        for document in documents:
            if isinstance(document, Snapshot):
                key = Site.head(place, document.version, document).snapshot_key
                self.s3.put_object(Bucket=self.bucket, Key=key, Body=seal_snapshot(document, site.key))
            elif isinstance(document, Head):
                self.put_item(head_key(place.name), document, {"doc": {"S": seal_head(document, site.key)}})
            else:
                text, packed = seal_delta(document, site.key)
                self.put_item(
                    delta_key(place.name, document.epoch, document.version),
                    document,
                    {"doc": {"S": text}, "changes": {"B": packed}},
                )

    def put_item(
        self, key: tuple[str, str], document: Head | Delta, attributes: "Mapping[str, AttributeValueTypeDef]"
    ) -> None:
        """Put an item of the table as the publisher writes it."""
        numbers: Mapping[str, AttributeValueTypeDef] = {
            "epoch": {"N": str(document.epoch)},
            "version": {"N": str(document.version)},
        }
        item = {"pk": {"S": key[0]}, "sk": {"S": key[1]}, **numbers, **attributes}
        self.dynamodb.put_item(TableName=self.table, Item=item)

    def records(self) -> list[tuple[str, bytes]]:
        """Partition key and data of all that is on the stream, in order."""
        shard = self.kinesis.list_shards(StreamName=self.stream)["Shards"][0]["ShardId"]
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found: list[tuple[str, bytes]] = []
        while True:
            page = self.kinesis.get_records(ShardIterator=iterator, Limit=1000)
            if not page["Records"]:
                return found
            found += [(record["PartitionKey"], record["Data"]) for record in page["Records"]]
            iterator = page["NextShardIterator"]


@contextmanager
def aws_place(aws: LocalAws) -> Iterator[AwsPlace]:
    """A fresh stream, table and bucket."""
    name = f"test-{uuid4().hex[:12]}"
    given = aws.environment()
    session = boto3.Session(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], region_name=given["AWS_REGION"])
    with (
        closing(session.client("kinesis", endpoint_url=aws.endpoint)) as kinesis,
        closing(session.client("dynamodb", endpoint_url=aws.endpoint)) as dynamodb,
        closing(session.client("s3", endpoint_url=aws.endpoint)) as s3,
    ):
        kinesis.create_stream(StreamName=name, ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield AwsPlace(name, name, name, kinesis, dynamodb, s3)
