"""Puts what is deployed into the bucket of artifacts, named by its content: what is there already is not sent again."""

import hashlib
from typing import TYPE_CHECKING

from cloud.adapters.aws import AwsError, aws_errors
from cloud.deploy.package import Artifact, Target, code_artifact, layer_artifact
from cloud.deploy.plan import StagedRelease, nested_templates

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


def stage(s3: "S3Client", bucket: str, target: Target) -> StagedRelease:
    """Make and stage code, layer and nested templates. Raises DeployError, AwsError."""
    code, layer, templates = code_artifact(), layer_artifact(target), template_artifacts()
    for artifact in (code, layer, *templates):
        if not _is_there(s3, bucket, artifact.key):
            with aws_errors():
                s3.put_object(Bucket=bucket, Key=artifact.key, Body=artifact.data)
    folder = templates[0].key.rpartition("/")[0]
    return StagedRelease(code.key, layer.key, f"{s3.meta.endpoint_url}/{bucket}/{folder}")


def template_artifacts() -> tuple[Artifact, ...]:
    """The nested templates, in one folder named by the content of all: they name each other by file name."""
    bodies = nested_templates()
    digest = hashlib.sha256()
    for name, body in bodies.items():
        digest.update(f"{name}\0{len(body)}\0".encode())
        digest.update(body)
    return tuple(Artifact(f"templates/{digest.hexdigest()}/{name}", body) for name, body in bodies.items())


def _is_there(s3: "S3Client", bucket: str, key: str) -> bool:
    try:
        with aws_errors():
            s3.head_object(Bucket=bucket, Key=key)
    except AwsError as error:
        if error.code in _ABSENT:
            return False
        raise
    return True
