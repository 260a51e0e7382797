"""Creates, updates and deletes CloudFormation stacks, through change sets where there is a choice.

Must never delete a stack that holds anything unless told to by name.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cloud.adapters.aws import AwsError, aws_errors
from cloud.deploy.following import Following, Progress, Report
from cloud.deploy.plan import StackPlan
from cloud.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

_LIMIT_S: Final = 3600.0
"""CloudFormation itself gives up on most resources sooner."""
_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")
_AT_REST: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
BEYOND_CHANGE: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
"""What is left of a failed creation or deletion can only be deleted."""
_CAPABILITIES: Final[Sequence[Any]] = ["CAPABILITY_NAMED_IAM"]


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

    def apply(self, plans: Sequence[StackPlan], given: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Bring all stacks to their plans, in order; returns their outputs together. Raises DeployError, AwsError.

        `given` are outputs of stacks that were applied before.
        """
        outputs = dict(given or {})
        for plan in plans:
            missing = sorted(set(plan.inputs.values()) - set(outputs))
            if missing:
                raise DeployError(f"{plan.name}: no stack before it has the output {missing[0]}")
            inputs = {parameter: outputs[output] for parameter, output in plan.inputs.items()}
            outputs |= self._apply_one(plan, {**plan.parameters, **inputs})
        return outputs

    def change(self, name: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Change parameters of a stack and nothing else; returns its outputs. Raises DeployError, AwsError."""
        stack = self.find(name)
        if stack is None:
            raise DeployError(f"{name}: there is no such stack")
        kept = [parameter["ParameterKey"] for parameter in stack.get("Parameters", ())]
        values: list[Any] = [{"ParameterKey": key, "UsePreviousValue": True} for key in kept if key not in parameters]
        self._run_change_set(name, "UPDATE", {"UsePreviousTemplate": True}, values + _values(parameters))
        return self.outputs(name)

    def delete(self, name: str) -> None:
        """Delete a stack and wait until it is gone; nothing happens if there is none. Raises DeployError, AwsError."""
        stack = self.find(name)
        if stack is None:
            return
        token = _token()
        with aws_errors():
            self._client.delete_stack(StackName=name, ClientRequestToken=token)
        following = Following(self._client, stack.get("StackId", name), token, self._report)
        for _ in self._looks(name):
            end = following.step()
            if end == "DELETE_COMPLETE" or (end is None and self.find(name) is None):
                return
            if end is not None:
                raise DeployError(f"{name}: {end}: {following.cause}")

    def find(self, name: str) -> "StackTypeDef | None":
        """A stack as it is; None when there is none. Raises AwsError."""
        try:
            with aws_errors():
                return self._client.describe_stacks(StackName=name)["Stacks"][0]
        except AwsError as error:
            if error.code == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def is_new(self, name: str) -> bool:
        """Whether applying a plan of this name would make the stack. Raises AwsError."""
        return _makes(self.find(name))

    def outputs(self, name: str) -> dict[str, str]:
        """The outputs of a stack. Raises DeployError when there is none, AwsError."""
        stack = self.find(name)
        if stack is None:
            raise DeployError(f"{name}: there is no such stack")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}

    def _apply_one(self, plan: StackPlan, parameters: Mapping[str, str]) -> dict[str, str]:
        stack = self.find(plan.name)
        if stack is not None and stack["StackStatus"] in BEYOND_CHANGE:
            self.delete(plan.name)
            stack = None
        defaults = self._defaults(plan.body())
        unknown = sorted(set(parameters) - set(defaults))
        if unknown:
            raise DeployError(f"{plan.name}: its template has no parameter {unknown[0]}")
        # What a plan does not name stays as somebody set it.
        kept = {name: value for name, value in _parameters(stack).items() if name in defaults}
        parameters = {**kept, **parameters}
        if stack is not None and self._is_as_planned(stack, plan.body(), {**defaults, **parameters}):
            self._report(Progress(plan.name, plan.name, "UNCHANGED", None))
        else:
            kind = "CREATE" if _makes(stack) else "UPDATE"
            self._run_change_set(plan.name, kind, {"TemplateBody": plan.body()}, _values(parameters))
        return self.outputs(plan.name)

    def _is_as_planned(self, stack: "StackTypeDef", body: str, parameters: Mapping[str, str]) -> bool:
        """Whether a stack was made from just this.

        A change set would not tell: it lists nested stacks as changed whenever it can't see inside, though what they
        are made of is named in the parameters, by its content.
        """
        if stack["StackStatus"] not in _AT_REST:
            return False
        with aws_errors():
            before = self._client.get_template(StackName=stack["StackName"], TemplateStage="Original")
        # A template in YAML comes back as the text that it was; only one in JSON would be parsed.
        return _parameters(stack) == parameters and str(before["TemplateBody"]) == body

    def _defaults(self, body: str) -> dict[str, str]:
        """The parameters of a template, with what they are unless given."""
        with aws_errors():
            summary = self._client.get_template_summary(TemplateBody=body)
        return {p["ParameterKey"]: p.get("DefaultValue", "") for p in summary.get("Parameters", ())}

    def _run_change_set(self, name: str, kind: Any, template: Mapping[str, Any], values: "list[Any]") -> None:
        # Events are matched by this token: those of earlier deployments of the same stack are not ours.
        token = _token()
        with aws_errors():
            self._client.create_change_set(
                StackName=name,
                ChangeSetName=token,
                ChangeSetType=kind,
                Parameters=values,
                Capabilities=_CAPABILITIES,
                **template,
            )
        if not self._is_ready(name, token):
            self._report(Progress(name, name, "UNCHANGED", None))
            return
        with aws_errors():
            self._client.execute_change_set(StackName=name, ChangeSetName=token, ClientRequestToken=token)
        following = Following(self._client, name, token, self._report)
        # The end is an event of ours, not the stack's state: for a moment that still is what it was before.
        for _ in self._looks(name):
            end = following.step()
            if end in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                return
            if end is not None:
                raise DeployError(f"{name}: {end}: {following.cause}")

    def _is_ready(self, name: str, token: str) -> bool:
        """Wait for a change set; False when it would change nothing, and then it is gone."""
        for _ in self._looks(name):
            with aws_errors():
                change_set = self._client.describe_change_set(StackName=name, ChangeSetName=token)
            status, reason = change_set["Status"], change_set.get("StatusReason", "")
            if status == "CREATE_COMPLETE":
                return True
            if status == "FAILED":
                with aws_errors():
                    self._client.delete_change_set(StackName=name, ChangeSetName=token)
                if any(text in reason for text in _NO_CHANGES):
                    return False
                raise DeployError(f"{name}: the change can't be made: {reason}")
        return False

    def _looks(self, name: str) -> Iterator[None]:
        """The moments to look at a stack; raises DeployError when there were enough."""
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:
            yield
            time.sleep(self._poll_s)
        raise DeployError(f"{name}: not done after {_LIMIT_S:.0f} s; it goes on without us")


def _makes(stack: "StackTypeDef | None") -> bool:
    return stack is None or stack["StackStatus"] in {*BEYOND_CHANGE, "REVIEW_IN_PROGRESS"}


def _parameters(stack: "StackTypeDef | None") -> dict[str, str]:
    given = () if stack is None else stack.get("Parameters", ())
    return {parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in given}


def _token() -> str:
    return f"cardea-{uuid.uuid4()}"


def _values(parameters: Mapping[str, str]) -> list[Any]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
