"""Takes an environment down: what works, so that the next deployment finds its data, or all of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cloud.adapters.aws import AwsAccess, aws_errors
from cloud.deploy.plan import artifacts_name, device_prefix, root_name
from cloud.deploy.retained import Eraser, Retained
from cloud.deploy.stacks import BEYOND_CHANGE, Deployer
from cloud.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

_BUCKETS: Final = ("BucketName", "RequestsBucket", "ArchiveBucket", "RejectedBucket")
"""Outputs of the root that name what holds data."""
_LOCKING: Final = "RequestsBucket"
"""The output that names the one whose objects are locked."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What came of it."""

    locked: Mapping[str, int]
    """Buckets that could not be emptied, with the number of objects that are still locked."""


def stop(deployer: Deployer, environment: str) -> Mapping[str, str]:
    """Remove all that works, keep all that holds something; returns the outputs. Raises DeployError, AwsError.

    Doors go on: they decide by their list, which stays. Their events go on into the archive, and wait in the stream,
    for as long as it keeps them, for the table.
    """
    return deployer.change(root_name(environment), {"Running": "false"})


def erase(access: AwsAccess, deployer: Deployer, environment: str) -> Erased:
    """Remove everything, with all data, for good. Raises DeployError, AwsError; may be called again after either.

    The root goes last but for what it was made from: it knows what there is.
    """
    eraser = Eraser(access)
    root = deployer.find(root_name(environment))
    if root is None and deployer.find(artifacts_name(environment)) is None:
        raise DeployError(f"{root_name(environment)}: there is no such stack")
    locked = {} if root is None else _erase_root(access, deployer, eraser, environment, root)
    eraser.delete_secrets(environment)
    _erase_artifacts(deployer, eraser, environment)
    return Erased(locked)


def _erase_root(
    access: AwsAccess, deployer: Deployer, eraser: Eraser, environment: str, root: "StackTypeDef"
) -> Mapping[str, int]:
    """The buckets with locked objects, and how many."""
    parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in root.get("Parameters", ())}
    may_bypass = parameters.get("LockMode") == "GOVERNANCE"
    retained = _retained(environment, root)
    if root["StackStatus"] not in BEYOND_CHANGE:
        # Nothing may write any more, or the buckets would fill again.
        deployer.change(root_name(environment), {"Running": "false", "Archiving": "false"})
    for name in _device_stacks(access, environment):
        deployer.delete(name)
    locking = _outputs(root).get(_LOCKING)
    left = {bucket: eraser.empty(bucket, bypass=may_bypass and bucket == locking) for bucket in retained.buckets}
    locked = {bucket: count for bucket, count in left.items() if count}
    eraser.delete(retained, keep=frozenset(locked))
    deployer.delete(root_name(environment))
    return locked


def _retained(environment: str, root: "StackTypeDef") -> Retained:
    outputs = _outputs(root)
    return Retained(
        table=outputs.get("TableName", f"cardea-{environment}"),
        stream=outputs.get("StreamName", f"cardea-{environment}-events"),
        buckets=tuple(outputs[name] for name in _BUCKETS if name in outputs),
        pool=outputs.get("PoolId"),
        key=outputs.get("KeyArn"),
    )


def _outputs(stack: "StackTypeDef") -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def _erase_artifacts(deployer: Deployer, eraser: Eraser, environment: str) -> None:
    name = artifacts_name(environment)
    if deployer.find(name) is not None:
        eraser.empty(deployer.outputs(name)["ArtifactsBucket"])
        deployer.delete(name)


def _device_stacks(access: AwsAccess, environment: str) -> list[str]:
    with aws_errors():
        pages = access.cloudformation().get_paginator("describe_stacks").paginate()
        names = [stack["StackName"] for page in pages for stack in page["Stacks"]]
    return [name for name in names if name.startswith(device_prefix(environment))]
