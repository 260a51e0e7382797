"""Where the consumer of the stream puts what is not for the table: records set aside, and alarms."""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloud.adapters.aws import aws_errors
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

    def keep(self, arrival: Arrival, refusal: Refusal) -> str:
        """Set a record aside, over itself if it was before; returns its name. Raises AwsError."""
        name = f"rejected/dt={arrival.arrived_at[:10]}/{arrival.name}.json"
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
        with aws_errors():
            self._s3.put_object(
                Bucket=self._bucket, Key=name, Body=canonical_bytes(document), ContentType="application/json"
            )
        return name


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
