"""A place for the fast path in the local AWS: its table with the indexes, bucket, topic and a queue that listens."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cloud.adapters.aws import AwsAccess
from cloud.adapters.consumption import Consumption, Taken
from cloud.adapters.consumption_gaps import GapWatch
from cloud.adapters.entities import EntityStore, key_attributes, to_attributes
from cloud.domain import keys
from cloud.domain.intake import Arrival, used_by
from cloud.domain.keys import OWNER_INDEX, Key
from cloud.domain.outcome import Item
from cloud.domain.presence import inside
from cloud.domain.times import moment_text
from cloud.handlers import consumer, gaps
from cloud.local.server import REGION, ROOT_KEY, LocalAws
from tests.rigs.histories import START_S, Device
from tests.rigs.tables import create_table
from tests.rigs.topic_queue import TopicQueue

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


class KeptAccess(AwsAccess):
    """An account whose clients are made once: each takes longer than what a test does with it."""

    def __init__(self, access: AwsAccess) -> None:
        super().__init__(access.endpoint, access.region, access.access_key, access.secret_key)
        object.__setattr__(self, "_kept", {name: getattr(access, name)() for name in ("dynamodb", "s3", "sns", "sqs")})

    _kept: dict[str, Any]

    def dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self._kept["dynamodb"]
        return client

    def s3(self) -> "S3Client":
        client: S3Client = self._kept["s3"]
        return client

    def sns(self) -> "SNSClient":
        client: SNSClient = self._kept["sns"]
        return client

    def sqs(self) -> "SQSClient":
        client: SQSClient = self._kept["sqs"]
        return client


@cache
def _kept_access(endpoint: str) -> KeptAccess:
    return KeptAccess(AwsAccess(endpoint, REGION, ROOT_KEY, ROOT_KEY))


@dataclass
class FastPath:
    """The consumer's own table, bucket and topic, with the administrator's eyes."""

    access: AwsAccess
    variables: Mapping[str, str]
    queue: TopicQueue
    entities: EntityStore
    _sequence: int = 0
    _told: list[dict[str, Any]] = field(default_factory=list)

    def consumption(self, access: AwsAccess | None = None) -> Consumption:
        """A consumer that was just started."""
        return consumer.consumption(self.variables, access or self.access)

    def watch(self) -> GapWatch:
        """The look for gaps, just started."""
        return gaps.watch(self.variables, self.access)

    def put(self, key: Key, **fields: Any) -> None:
        """Put an item as the back office does."""
        item = {**key_attributes(key), **to_attributes({"v": 1, "rev": 1, **fields})}
        self.access.dynamodb().put_item(TableName=self.variables["CARDEA_TABLE"], Item=item)

    def register(self, device: Device, doors: Sequence[str] = ("lobby",), **fields: Any) -> Device:
        """The device may send."""
        key = device.key.public_key().public_bytes_raw().hex()
        registered = {"status": "registered", "site": device.site, "keys": [key], "doors": [*doors]}
        self.put(keys.device(device.name), device=device.name, **{**registered, **fields})
        return device

    def build_site(self, site: str = "hq", doors: Sequence[str] = ("lobby",)) -> None:
        """A building `main` with an area `hall` behind each of the doors."""
        self.put(keys.place(site, "area", "hall"), area="hall", name="Hall", building="main")
        for door in doors:
            self.put(keys.place(site, "door", door), door=door, name=door, building="main", inside="hall", outside=None)

    def arrival(self, device: Device | str, data: bytes, after_s: float = 60.0) -> Arrival:
        """The record as the next one on the stream, so many seconds after the device began."""
        self._sequence += 1
        name = device if isinstance(device, str) else device.name
        return Arrival("shardId-000000000000", f"{self._sequence:020d}", name, data, moment_text(START_S + after_s))

    def take(self, *arrivals: Arrival) -> Taken:
        """Take records as one batch."""
        return self.consumption().take(arrivals)

    def presence(self, person: str, site: str = "hq") -> Item | None:
        return self.entities.get(keys.presence(site, person))

    def occupancy(self, building: str = "main", site: str = "hq") -> list[str]:
        """Who is inside, by the index."""
        return [item["person"] for item in self.entities.query_all(OWNER_INDEX, inside(site, building))]

    def usage(self, person: str, site: str = "hq") -> list[dict[str, Any]]:
        """A person's events by the index, oldest first."""
        return [json.loads(item["event"]) for item in self.entities.query_all(OWNER_INDEX, used_by(site, person))]

    def door_events(self, door: str = "lobby", site: str = "hq") -> list[dict[str, Any]]:
        """A door's events, oldest first."""
        return [json.loads(item["event"]) for item in self.entities.query_all(None, f"DOOR#{site}#{door}")]

    def alarms(self) -> list[dict[str, Any]]:
        """All that was published so far."""
        self._told += [json.loads(body) for body in self.queue.take()]
        return list(self._told)

    def set_aside(self) -> dict[str, dict[str, Any]]:
        """The records that were rejected, by name."""
        s3, bucket = self.access.s3(), self.variables["CARDEA_REJECTED_BUCKET"]
        names = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return {name: json.loads(s3.get_object(Bucket=bucket, Key=name)["Body"].read()) for name in names}

    def dump(self) -> dict[Key, dict[str, Any]]:
        """All that the table holds, but for revisions, which count writes."""
        pages = self.access.dynamodb().get_paginator("scan").paginate(TableName=self.variables["CARDEA_TABLE"])
        return {
            (item["pk"]["S"], item["sk"]["S"]): {name: value for name, value in item.items() if name != "rev"}
            for page in pages
            for item in page["Items"]
        }


@contextmanager
def fast_path(aws: LocalAws) -> Iterator[FastPath]:
    """A fresh one."""
    name = f"fast-{uuid4().hex[:12]}"
    access = _kept_access(aws.endpoint)
    dynamodb, sns, s3 = access.dynamodb(), access.sns(), access.s3()
    create_table(dynamodb, name)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    topic = sns.create_topic(Name=name)["TopicArn"]
    variables = {
        "CARDEA_ENVIRONMENT": "test",
        "CARDEA_TABLE": name,
        "CARDEA_REJECTED_BUCKET": name,
        "CARDEA_ALARMS_TOPIC": topic,
    }
    yield FastPath(access, variables, TopicQueue.on(access, name, [topic]), EntityStore(name, dynamodb))
