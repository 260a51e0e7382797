"""The identity that the doors of the local cloud act as: a user with the device policy and nothing else.

On AWS a door gets short-lived keys for its certificate; the local AWS has no such service, but checks the same policy.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloud.adapters.aws import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A pair of keys."""

    id: str
    secret: str = field(repr=False)


def create_device_user(client: "IAMClient", name: str, policy_arn: str) -> AccessKey:
    """Make a user with one policy, and a key for it; raises AwsError."""
    with aws_errors():
        client.create_user(UserName=name)
        client.attach_user_policy(UserName=name, PolicyArn=policy_arn)
        key = client.create_access_key(UserName=name)["AccessKey"]
    return AccessKey(key["AccessKeyId"], key["SecretAccessKey"])
