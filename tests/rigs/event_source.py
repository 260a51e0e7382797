"""Kinesis as a source of a function, with what the local AWS ignores: retries, bisecting, partial answers, a failure
target.

It polls by the public API, calls the handler in this process with what the service would hand it, and does with its
answer what the service's documentation says. Must never lose a record without telling the failure target.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

Handler = Callable[[dict[str, Any]], Any]


@dataclass
class EventSource:
    """One shard of a stream as the source of a handler.

    Args:
        batch: Most records of one call.
        retries: How often a batch is tried again before it goes to the failure target.
        bisect: Whether a batch that fails as a whole is halved.
    """

    kinesis: "KinesisClient"
    stream: str
    handler: Handler
    batch: int = 100
    retries: int = 3
    bisect: bool = True
    failures: list[dict[str, Any]] = field(default_factory=list)
    """What the failure target was sent: where the records lie, never the records themselves."""
    calls: int = 0
    _iterator: str | None = None
    _shard: str = ""

    def poll(self) -> int:
        """Hand over what is on the stream now; returns how many records that was."""
        count = 0
        while records := self._next():
            count += len(records)
            self._process(records, self.retries)
        return count

    def _next(self) -> "Sequence[RecordTypeDef]":
        if self._iterator is None:
            self._shard = self.kinesis.list_shards(StreamName=self.stream)["Shards"][0]["ShardId"]
            self._iterator = self.kinesis.get_shard_iterator(
                StreamName=self.stream, ShardId=self._shard, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        page = self.kinesis.get_records(ShardIterator=self._iterator, Limit=self.batch)
        self._iterator = page["NextShardIterator"]
        return page["Records"]

    def _process(self, records: "Sequence[RecordTypeDef]", tries: int) -> None:
        """A batch until it is done or given up. What lies before a reported record is done."""
        while records:
            self.calls += 1
            try:
                failed = {item["itemIdentifier"] for item in self.handler(self._event(records))["batchItemFailures"]}
            except Exception:  # noqa: BLE001 - whatever a function raises, the service tries again
                failed = {""}
                if self.bisect and len(records) > 1:
                    middle = len(records) // 2
                    self._process(records[:middle], self.retries)
                    self._process(records[middle:], self.retries)
                    return
            first = next((place for place, record in enumerate(records) if record["SequenceNumber"] in failed), None)
            if not failed:
                return
            if first:
                records, tries = records[first:], self.retries
            elif tries > 0:
                tries -= 1
            else:
                self._give_up(records)
                return

    def _give_up(self, records: "Sequence[RecordTypeDef]") -> None:
        info = {
            "shardId": self._shard,
            "startSequenceNumber": records[0]["SequenceNumber"],
            "endSequenceNumber": records[-1]["SequenceNumber"],
            "batchSize": len(records),
        }
        self.failures.append({"KinesisBatchInfo": info})

    def _event(self, records: "Sequence[RecordTypeDef]") -> dict[str, Any]:
        document = {
            "Records": [
                {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": record["PartitionKey"],
                        "sequenceNumber": record["SequenceNumber"],
                        "data": base64.b64encode(record["Data"]).decode("ascii"),
                        "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": f"{self._shard}:{record['SequenceNumber']}",
                    "eventName": "aws:kinesis:record",
                    "awsRegion": "eu-central-1",
                    "eventSourceARN": f"arn:aws:kinesis:eu-central-1:123456789012:stream/{self.stream}",
                }
                for record in records
            ]
        }
        # As it crosses the boundary: nothing but JSON.
        parsed: dict[str, Any] = json.loads(json.dumps(document))
        return parsed
