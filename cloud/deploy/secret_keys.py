"""Makes the secret keys of an environment, once. Must never replace or show one.

They are no resources of a stack: a template would hold them, or could at least replace them by mistake.
"""

import secrets
from typing import TYPE_CHECKING, Final

from cloud.adapters.aws import AwsError, aws_errors
from cloud.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_KEY_BYTES: Final = 32


def ensure_secret_key(client: "SecretsManagerClient", name: str, kms_key: str, given: bytes | None = None) -> bytes:
    """The key that a secret holds; made, or set to the given one, if there is none.

    Raises DeployError when the secret holds another key than the given one, or none; AwsError.
    """
    key = given or secrets.token_bytes(_KEY_BYTES)
    try:
        with aws_errors():
            client.create_secret(
                Name=name,
                Description="No deployment replaces this key.",
                SecretString=key.hex(),
                KmsKeyId=kms_key,
            )
    except AwsError as error:
        if error.code != "ResourceExistsException":
            raise
    else:
        return key
    with aws_errors():
        there = client.get_secret_value(SecretId=name).get("SecretString", "")
    if given is not None and there != given.hex():
        raise DeployError(f"secret {name}: is there and holds another key than the one that was given")
    try:
        return bytes.fromhex(there)
    except ValueError:
        # What it holds is not shown: it may be most of a key.
        raise DeployError(f"secret {name}: does not hold hex digits") from None
