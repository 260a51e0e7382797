"""A queue that listens to topics: what they told since the last look."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloud.adapters.aws import AwsAccess

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LONG_POLL_S = 10


@dataclass(frozen=True)
class TopicQueue:
    """One of its own, for one test or one place."""

    url: str
    sqs: "SQSClient"

    @classmethod
    def on(cls, access: AwsAccess, name: str, topics: Sequence[str], raw: bool = True) -> "TopicQueue":
        """Make it and subscribe it; `raw` is without the envelope that SNS puts around a message."""
        sqs, sns = access.sqs(), access.sns()
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": list(topics)}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        attributes = {"RawMessageDelivery": "true" if raw else "false"}
        for topic in topics:
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        return cls(url, sqs)

    def take(self, least: int = 0) -> list[str]:
        """The bodies of all messages that are there; waits once more while there are fewer than `least`."""
        bodies: list[str] = []
        while True:
            wait_s = _LONG_POLL_S if len(bodies) < least else 0
            got = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
            if not got.get("Messages"):
                return bodies
            for message in got["Messages"]:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
