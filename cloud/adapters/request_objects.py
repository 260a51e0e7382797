"""The bucket where requests lie for good: read here, never written, and never further than a request may be long."""

from typing import TYPE_CHECKING

from cloud.adapters.aws import aws_errors
from cloud.contract.errors import ContractError
from cloud.domain.envelope import MAX_REQUEST_BYTES, Envelope, parse_object_name, read_envelope
from cloud.domain.fields import Fields
from cloud.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class RequestObjects:
    """The requests of an environment."""

    def __init__(self, bucket: str, s3: "S3Client") -> None:
        self._bucket = bucket
        self._s3 = s3

    def read(self, bucket: str, name: str) -> tuple[Envelope, Fields]:
        """A stored request and what it asks for.

        Raises ContractError for what is no request of this release, or lies where another one belongs; AwsError when
        it could not be read; CloudError for another bucket than that of requests.
        """
        if bucket != self._bucket:
            raise CloudError(f"bucket {bucket!r} is not that of requests")
        envelope = read_envelope(self._bytes(name))
        if parse_object_name(name) != (envelope.site, envelope.id):
            raise ContractError("request: is not the one that its key names")
        return envelope, envelope.content()

    def _bytes(self, name: str) -> bytes:
        with aws_errors():
            answer = self._s3.get_object(Bucket=self._bucket, Key=name)
            if answer["ContentLength"] > MAX_REQUEST_BYTES:
                answer["Body"].close()
                raise ContractError(f"request: {answer['ContentLength']} bytes, {MAX_REQUEST_BYTES} fit")
            return answer["Body"].read()
