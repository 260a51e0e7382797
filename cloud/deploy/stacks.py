"""Creates and updates CloudFormation stacks through change sets, and says what went wrong first.

Must never delete a stack that holds anything: only one whose creation failed and was rolled back.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cloud.adapters.aws import AwsError, aws_errors
from cloud.deploy.plan import StackPlan
from cloud.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef

_LIMIT_S: Final = 3600.0
"""CloudFormation itself gives up on most resources sooner."""
_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True, slots=True)
class Progress:
    """What a resource of a stack is doing; `resource` is its name in the template, or the stack's for the whole."""

    stack: str
    resource: str
    status: str
    reason: str | None


Report = Callable[[Progress], None]


class Deployer:
    """Applies plans to one account.

    Args:
        client: CloudFormation.
        report: Told of every change of state, in order.
        poll_s: Wait between looks at a stack; 2 s spares the service's rate limit, the local AWS has none.
    """

    def __init__(self, client: "CloudFormationClient", report: Report | None = None, poll_s: float = 2.0) -> None:
        self._client = client
        self._report: Report = report or (lambda _: None)
        self._poll_s = poll_s

    def apply(self, plans: Sequence[StackPlan]) -> Mapping[str, str]:
        """Bring all stacks to their plans, in order; returns their outputs together. Raises DeployError, AwsError."""
        outputs: dict[str, str] = {}
        for plan in plans:
            missing = sorted(set(plan.inputs.values()) - set(outputs))
            if missing:
                raise DeployError(f"{plan.name}: no stack before it has the output {missing[0]}")
            inputs = {parameter: outputs[output] for parameter, output in plan.inputs.items()}
            outputs |= self._apply_one(plan, {**plan.parameters, **inputs})
        return outputs

    def _apply_one(self, plan: StackPlan, parameters: Mapping[str, str]) -> dict[str, str]:
        stack = self._find(plan.name)
        if stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            # What is left of a failed creation: it holds nothing and can only be deleted.
            self._delete(plan.name)
            stack = None
        is_new = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
        # Events are matched by this token: those of earlier deployments of the same stack are not ours.
        token = f"cardea-{uuid.uuid4()}"
        if self._prepare(plan, parameters, token, is_new=is_new):
            with aws_errors():
                self._client.execute_change_set(StackName=plan.name, ChangeSetName=token, ClientRequestToken=token)
            self._follow(plan.name, token)
        else:
            self._report(Progress(plan.name, plan.name, "UNCHANGED", None))
        done = self._find(plan.name)
        if done is None:
            raise DeployError(f"{plan.name}: gone after it was deployed")
        return {output["OutputKey"]: output["OutputValue"] for output in done.get("Outputs", ())}

    def _prepare(self, plan: StackPlan, parameters: Mapping[str, str], token: str, *, is_new: bool) -> bool:
        """Make the change set; False when it would change nothing."""
        with aws_errors():
            self._client.create_change_set(
                StackName=plan.name,
                ChangeSetName=token,
                ChangeSetType="CREATE" if is_new else "UPDATE",
                TemplateBody=plan.body(),
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:
            with aws_errors():
                change_set = self._client.describe_change_set(StackName=plan.name, ChangeSetName=token)
            status, reason = change_set["Status"], change_set.get("StatusReason", "")
            if status == "CREATE_COMPLETE":
                return True
            if status == "FAILED":
                with aws_errors():
                    self._client.delete_change_set(StackName=plan.name, ChangeSetName=token)
                if any(text in reason for text in _NO_CHANGES):
                    return False
                raise DeployError(f"{plan.name}: the change can't be made: {reason}")
            time.sleep(self._poll_s)
        raise DeployError(f"{plan.name}: the change set was not ready after {_LIMIT_S:.0f} s")

    def _follow(self, name: str, token: str) -> None:
        """Wait for the end of what `token` began, reporting on the way; raises DeployError with the first cause.

        The end is an event of ours, not the stack's state: for a moment that still is what it was before.
        """
        seen: set[str] = set()
        causes: list[str] = []
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:
            for event in self._events(name, token):
                if event["EventId"] in seen:
                    continue
                seen.add(event["EventId"])
                self._tell(name, event)
                causes.extend(_cause(event))
                status = event.get("ResourceStatus", "")
                if event.get("LogicalResourceId") == name and not status.endswith("_IN_PROGRESS"):
                    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                        return
                    raise DeployError(f"{name}: {status}: {causes[0] if causes else 'no reason was given'}")
            time.sleep(self._poll_s)
        raise DeployError(f"{name}: not done after {_LIMIT_S:.0f} s; it goes on without us")

    def _events(self, name: str, token: str) -> "list[StackEventTypeDef]":
        """Events of this deployment, oldest first."""
        events: list[StackEventTypeDef] = []
        with aws_errors():
            for page in self._client.get_paginator("describe_stack_events").paginate(StackName=name):
                ours = [event for event in page["StackEvents"] if event.get("ClientRequestToken") == token]
                events += ours
                if len(ours) < len(page["StackEvents"]):
                    break
        return events[::-1]

    def _tell(self, name: str, event: "StackEventTypeDef") -> None:
        self._report(
            Progress(
                stack=name,
                resource=event.get("LogicalResourceId", name),
                status=event.get("ResourceStatus", ""),
                reason=event.get("ResourceStatusReason") or None,
            )
        )

    def _find(self, name: str) -> "StackTypeDef | None":
        try:
            with aws_errors():
                return self._client.describe_stacks(StackName=name)["Stacks"][0]
        except AwsError as error:
            if error.code == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def _delete(self, name: str) -> None:
        with aws_errors():
            self._client.delete_stack(StackName=name)
        deadline = time.monotonic() + _LIMIT_S
        while self._find(name) is not None:
            if time.monotonic() > deadline:
                raise DeployError(f"{name}: what is left of its failed creation can't be deleted")
            time.sleep(self._poll_s)


def _cause(event: "StackEventTypeDef") -> list[str]:
    """Why a resource failed, if this event says so; resources that were only cancelled are no cause."""
    reason = event.get("ResourceStatusReason", "")
    if not event.get("ResourceStatus", "").endswith("_FAILED") or "cancelled" in reason.lower():
        return []
    return [f"{event.get('LogicalResourceId')} ({event.get('ResourceType')}): {reason or 'no reason was given'}"]
