"""Where the consumer of the stream puts what is not for the table: records set aside, and alarms."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloud.adapters.aws import AwsError, aws_errors
from cloud.contract.canonical import canonical_bytes
from cloud.domain.alarms import Alarm
from cloud.domain.intake import Arrival, Refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient


class RejectedRecords:
    """The bucket of records that were set aside, each with what is needed to replay it."""

    def __init__(self, bucket: str, s3: "S3Client") -> None:
        self._bucket = bucket
        self._s3 = s3

    def known(self, arrivals: Iterable[Arrival]) -> set[str]:
        """The names of those of the records that were set aside before. Raises AwsError."""
        places: dict[str, dict[str, str]] = {}
        for arrival in arrivals:
            places.setdefault(f"{_folder(arrival)}{arrival.shard}-", {})[place_of(arrival)] = arrival.name
        return {name for prefix, names in places.items() for name in self._lying(prefix, names)}

    def _lying(self, prefix: str, names: Mapping[str, str]) -> Iterator[str]:
        # What came together lies together: one page is as good as always enough, and takes the place of many questions.
        first, last = min(names), max(names)
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=first[:-1]
        )
        with aws_errors():
            for page in pages:
                found = [item["Key"] for item in page.get("Contents", ())]
                yield from (names[key] for key in found if key in names)
                if found and found[-1] >= last:
                    return

    def keep(self, arrival: Arrival, refusal: Refusal) -> None:
        """Set a record aside at its place; one that lies there already is left as it is. Raises AwsError."""
        document = {
            "v": 1,
            "reason": refusal.reason.value,
            "detail": refusal.detail,
            "arrived_at": arrival.arrived_at,
            "partition_key": arrival.device,
            "shard": arrival.shard,
            "sequence": arrival.sequence,
            "data": base64.b64encode(arrival.data).decode("ascii"),
        }
        try:
            with aws_errors():
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=place_of(arrival),
                    Body=canonical_bytes(document),
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
        except AwsError as error:
            if error.code != "PreconditionFailed":
                raise


def place_of(arrival: Arrival) -> str:
    """Where a record lies that was set aside: always the same, however often it comes."""
    return f"{_folder(arrival)}{arrival.name}.json"


def _folder(arrival: Arrival) -> str:
    return f"rejected/dt={arrival.arrived_at[:10]}/"


class AlarmTopic:
    """The topic of alarms, which people and machines subscribe to."""

    def __init__(self, topic: str, sns: "SNSClient") -> None:
        self._topic = topic
        self._sns = sns

    def tell(self, alarms: Sequence[Alarm]) -> None:
        """Publish each alarm once; raises AwsError when one may not have been."""
        for alarm in {alarm.id: alarm for alarm in alarms}.values():
            # One by one: there are few, and what fails leaves no part of a call to look into.
            with aws_errors():
                self._sns.publish(TopicArn=self._topic, Message=alarm.message(), MessageAttributes=_attributes(alarm))


def _attributes(alarm: Alarm) -> dict[str, Any]:
    """What subscribers filter by."""
    attributes = {"kind": alarm.kind.value, "site": alarm.site, "type": alarm.facts.get("type")}
    return {
        name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value is not None
    }
