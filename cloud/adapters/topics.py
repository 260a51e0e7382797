"""The topics that requests are handed on by, one for each family. Must never decide where one belongs."""

from typing import TYPE_CHECKING

from cloud.adapters.aws import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Topics:
    """Topics whose ARNs begin alike; `prefix` is all but the last part of the name."""

    def __init__(self, prefix: str, sns: "SNSClient") -> None:
        self._prefix = prefix
        self._sns = sns

    def publish(self, name: str, message: str) -> None:
        """Return once the topic has the message; raises AwsError when that is not certain."""
        with aws_errors():
            self._sns.publish(TopicArn=f"{self._prefix}{name}", Message=message)
