"""Tells how an environment stands. Changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloud.adapters.aws import AwsAccess, aws_errors
from cloud.deploy.following import STACK
from cloud.deploy.package import code_artifact
from cloud.deploy.plan import artifacts_name, device_prefix, root_name
from cloud.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True, slots=True)
class StackStatus:
    """One stack of an environment."""

    name: str
    status: str
    resources: int
    unfinished: Mapping[str, str]
    """Resources that are not as they should be: their state, by name."""


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """An environment."""

    environment: str
    running: bool
    """False after `destroy`: what holds data is there, what works is not."""
    stacks: tuple[StackStatus, ...]
    outputs: Mapping[str, str]
    code_is_current: bool
    """Whether the functions run the code of this checkout."""

    @property
    def is_sound(self) -> bool:
        """Whether every stack and resource is as its last deployment wanted it."""
        return all(stack.status.endswith("COMPLETE") and not stack.unfinished for stack in self.stacks) and not any(
            "ROLLBACK" in stack.status for stack in self.stacks
        )


def status(access: AwsAccess, environment: str) -> EnvironmentStatus:
    """How an environment stands. Raises DeployError when there is none, AwsError."""
    client = access.cloudformation()
    with aws_errors():
        pages = client.get_paginator("describe_stacks").paginate()
        stacks = {stack["StackName"]: stack for page in pages for stack in page["Stacks"]}
    root = stacks.get(root_name(environment))
    if root is None:
        raise DeployError(f"{root_name(environment)}: there is no such stack")
    names = [name for name in stacks if name == artifacts_name(environment)]
    names += [name for name in sorted(stacks) if name.startswith(device_prefix(environment))]
    found = [*_with_nested(client, root_name(environment)), *(s for n in names for s in _with_nested(client, n))]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in root.get("Outputs", ())}
    parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in root.get("Parameters", ())}
    return EnvironmentStatus(
        environment=environment,
        running=parameters.get("Running") == "true",
        stacks=tuple(found),
        outputs=outputs,
        code_is_current=parameters.get("CodeKey") == code_artifact().key,
    )


def _with_nested(client: "CloudFormationClient", name: str) -> list[StackStatus]:
    with aws_errors():
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    own = StackStatus(
        name=stack["StackName"],
        status=stack["StackStatus"],
        resources=len(resources),
        unfinished={
            resource["LogicalResourceId"]: resource["ResourceStatus"]
            for resource in resources
            if not resource["ResourceStatus"].endswith("_COMPLETE")
        },
    )
    nested = [r["PhysicalResourceId"] for r in resources if r["ResourceType"] == STACK and "PhysicalResourceId" in r]
    return [own, *(inner for child in nested for inner in _with_nested(client, child))]
