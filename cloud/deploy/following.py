"""Follows what CloudFormation does to a stack and to those nested in it, and finds out what went wrong first.

A failed parent only says that a child failed; the cause stands in the events of the innermost stack.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cloud.adapters.aws import AwsError, aws_errors

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

STACK: Final = "AWS::CloudFormation::Stack"
_GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"})
_THROTTLED: Final = frozenset({"Throttling", "ThrottlingException"})
"""A dozen nested stacks, each asked for its events every other second, meet the service's rate limit."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a resource of a stack is doing; `resource` is its name in the template, or the stack's for the whole."""

    stack: str
    resource: str
    status: str
    reason: str | None
    kind: str = STACK
    """Type of the resource."""


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class _Cause:
    at: datetime
    is_stack: bool
    text: str


class Following:
    """One operation on one stack.

    Args:
        client: CloudFormation.
        name: The stack, or its id: a deleted one answers to that alone.
        token: Marks the events of the operation: those of earlier ones are not ours.
        report: Told of every change of state.
    """

    def __init__(self, client: "CloudFormationClient", name: str, token: str, report: Report) -> None:
        self._client = client
        self._name = name
        self._token = token
        self._report = report
        self._seen: set[str] = set()
        self._causes: list[_Cause] = []
        self._since: datetime | None = None
        self._nested: set[str] = set()
        """Ids of nested stacks, at whatever depth, that something may happen to."""
        self._ended: set[str] = set()
        """Those of them that are to be looked at once more."""

    def step(self) -> str | None:
        """Look once, and report what is new; the stack's state once the operation has ended, else None."""
        end = None
        for event in self._new_events(self._name, lambda event: event.get("ClientRequestToken") == self._token):
            self._since = self._since or event["Timestamp"]
            self._take(event)
            status = event.get("ResourceStatus", "")
            if _is_whole(event) and not status.endswith("_IN_PROGRESS"):
                end = status
        self._look_inside()
        if end is not None and end not in _GOOD:
            self._look_for_unnamed()
        return end

    @property
    def cause(self) -> str:
        """What went wrong first, in the innermost stack that something went wrong in."""
        causes = [cause for cause in self._causes if not cause.is_stack] or self._causes
        return min(causes, key=lambda cause: cause.at).text if causes else "no reason was given"

    def _look_inside(self) -> None:
        """At all nested stacks, and at those nested in them that they tell of."""
        looked: set[str] = set()
        while new := self._nested - looked:
            for stack in sorted(new):
                looked.add(stack)
                for event in self._new_events(stack, self._is_since_then):
                    self._take(event)
        self._nested -= self._ended
        self._ended.clear()

    def _look_for_unnamed(self) -> None:
        """The local AWS does not say which stack it was that could not be made; its name begins with ours."""
        own = self._name.rpartition("stack/")[2].partition("/")[0]
        with aws_errors():
            for page in self._client.get_paginator("list_stacks").paginate():
                self._nested |= {
                    stack["StackId"] for stack in page["StackSummaries"] if stack["StackName"].startswith(f"{own}-")
                }
        self._look_inside()

    def _is_since_then(self, event: "StackEventTypeDef") -> bool:
        return self._since is not None and event["Timestamp"] >= self._since

    def _new_events(self, stack: str, ours: Callable[["StackEventTypeDef"], bool]) -> "list[StackEventTypeDef]":
        """Events of the operation that were not seen yet, oldest first."""
        events: list[StackEventTypeDef] = []
        try:
            with aws_errors():
                for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack):
                    new = [event for event in page["StackEvents"] if ours(event) and event["EventId"] not in self._seen]
                    events += new
                    if len(new) < len(page["StackEvents"]):
                        break
        except AwsError as error:
            if error.code in _THROTTLED:
                return []  # all of it is told at the next look
            # The local AWS forgets what was deleted.
            if error.code != "ValidationError":
                raise
        self._seen.update(event["EventId"] for event in events)
        return events[::-1]

    def _take(self, event: "StackEventTypeDef") -> None:
        kind, status = event.get("ResourceType", ""), event.get("ResourceStatus", "")
        resource, reason = event.get("LogicalResourceId", ""), event.get("ResourceStatusReason", "")
        nested = event.get("PhysicalResourceId", "")
        if kind == STACK and not _is_whole(event) and nested:
            self._nested.add(nested)
            if not status.endswith("_IN_PROGRESS"):
                self._ended.add(nested)
        if status.endswith("_FAILED") and "cancelled" not in reason.lower():
            text = f"{resource} ({kind}): {reason or 'no reason was given'}"
            self._causes.append(_Cause(event["Timestamp"], kind == STACK, text))
        self._report(Progress(event["StackName"], resource, status, reason or None, kind))


def _is_whole(event: "StackEventTypeDef") -> bool:
    """Whether it tells of the stack as a whole."""
    return event.get("ResourceType") == STACK and event.get("LogicalResourceId") == event["StackName"]
