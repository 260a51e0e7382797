"""Puts what ended in dead-letter queues back to where it came from, once its cause is mended.

A message is sent before it is deleted: what dies in between is delivered twice, and whoever takes it passes over what
is done by then.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cloud.adapters.aws import AwsAccess, AwsError, aws_errors
from cloud.domain.routes import Family
from cloud.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

QUEUES: Final = ("router", *(family.value for family in Family))
"""Queues with a dead-letter queue, by the last part of their names."""
_BATCH: Final = 10
_LONG_POLL_S: Final = 1
"""With no wait SQS asks a few of its servers only, and "no message" would not mean that there is none."""
_HIDDEN_S: Final = 60
"""Nobody else gets a message while it is being moved."""


def redrive(access: AwsAccess, environment: str, queue: str, on_moved: Callable[[int], None] = lambda _: None) -> int:
    """Move all dead letters of one of QUEUES back into it; returns how many. Raises DeployError, AwsError.

    `on_moved` is told how many so far.
    """
    client = access.sqs()
    source = _url(client, f"cardea-{environment}-{queue}-dlq")
    target = _url(client, f"cardea-{environment}-{queue}")
    moved = 0
    while True:
        with aws_errors():
            messages = client.receive_message(
                QueueUrl=source,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HIDDEN_S,
                WaitTimeSeconds=_LONG_POLL_S,
            ).get("Messages", [])
        if not messages:
            return moved
        for message in messages:
            with aws_errors():
                client.send_message(QueueUrl=target, MessageBody=message["Body"])
                client.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
        on_moved(moved)


def _url(client: "SQSClient", name: str) -> str:
    try:
        with aws_errors():
            return client.get_queue_url(QueueName=name)["QueueUrl"]
    except AwsError as error:
        if error.code.endswith("NonExistentQueue") or error.code == "QueueDoesNotExist":
            raise DeployError(f"{name}: there is no such queue; is the environment deployed?") from error
        raise
