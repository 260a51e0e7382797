"""Where the API stores requests, which are never changed. Nothing is overwritten."""

from typing import TYPE_CHECKING, Final

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from cloud.adapters.aws import AwsError, aws_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TAKEN: Final = "PreconditionFailed"
_BUSY: Final = "ConditionalRequestConflict"
"""Two conditional puts of one name met; S3 asks to try again, and then one of them is told that the name is taken."""
_TRIES: Final = 4
_MISSING: Final = frozenset({"NoSuchKey", "404"})


class RequestStore:
    """The bucket of requests. Raises AwsError for everything but what each method tells."""

    def __init__(self, bucket: str, s3: "S3Client") -> None:
        self._bucket = bucket
        self._s3 = s3

    def put_new(self, name: str, data: bytes) -> bool:
        """Store a request under a name; False when the name is taken, whoever took it."""
        try:
            for attempt in Retrying(
                retry=retry_if_exception(lambda error: isinstance(error, AwsError) and error.code == _BUSY),
                stop=stop_after_attempt(_TRIES),
                wait=wait_random_exponential(multiplier=0.05, max=0.5),
                reraise=True,
            ):
                with attempt, aws_errors():
                    self._s3.put_object(
                        Bucket=self._bucket, Key=name, Body=data, ContentType="application/json", IfNoneMatch="*"
                    )
        except AwsError as error:
            # Only this code says that it is there: a refusal or a fault must never look like a replay.
            if error.code == _TAKEN:
                return False
            raise
        return True

    def get(self, name: str) -> bytes | None:
        """A stored request; None when there is none.

        Takes the permission to list the bucket: without it, S3 calls what is missing forbidden.
        """
        try:
            with aws_errors():
                return self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        except AwsError as error:
            if error.code in _MISSING:
                return None
            raise
