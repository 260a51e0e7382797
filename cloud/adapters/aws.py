"""AWS clients and their errors: the only place of the backend that knows boto3's own exceptions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloud.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_CONFIG: Final = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
"""These clients serve people and handlers, which wait for an answer: a few quick retries, then the error."""


class AwsError(CloudError):
    """A call was refused or did not get through.

    `code` is the service's own, or the exception's name when no answer came; `reasons` are the codes of the parts of
    a cancelled transaction.
    """

    def __init__(self, message: str, code: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.reasons = reasons


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turn boto3's exceptions into AwsError."""
    try:
        yield
    except ClientError as error:
        details: Mapping[str, Any] = error.response
        reasons = tuple(reason.get("Code", "") for reason in details.get("CancellationReasons", ()))
        raise AwsError(str(error), details.get("Error", {}).get("Code", ""), reasons) from error
    except BotoCoreError as error:
        raise AwsError(str(error), type(error).__name__) from error


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """How to reach an account; None leaves a choice to the standard AWS_* variables and files."""

    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)

    def cloudformation(self) -> "CloudFormationClient":
        """A client; raises AwsError when region or credentials are missing."""
        with aws_errors():
            return boto3.client("cloudformation", **self._options())

    def cognito(self) -> "CognitoIdentityProviderClient":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("cognito-idp", **self._options())

    def dynamodb(self) -> "DynamoDBClient":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("dynamodb", **self._options())

    def iam(self) -> "IAMClient":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("iam", **self._options())

    def kinesis(self) -> "KinesisClient":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("kinesis", **self._options())

    def kms(self) -> Any:
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("kms", **self._options())

    def s3(self) -> "S3Client":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("s3", **self._options())

    def secretsmanager(self) -> "SecretsManagerClient":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("secretsmanager", **self._options())

    def sns(self) -> "SNSClient":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("sns", **self._options())

    def sqs(self) -> "SQSClient":
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("sqs", **self._options())

    def sts(self) -> Any:
        """As for `cloudformation`."""
        with aws_errors():
            return boto3.client("sts", **self._options())

    def _options(self, config: Config = _CONFIG) -> dict[str, Any]:
        if self.endpoint:
            # A proxy of the surroundings must not get between us and an endpoint that was given.
            config = config.merge(Config(proxies={}))
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "config": config,
        }
