"""From an event of an HTTP API to its answer: finds the route, lets in who may, calls, and logs one line.

The line holds who and what in ids of ours: never a body, a name, a path, a card's number or a token. Answers that are
not what was asked for are problem documents, whatever went wrong.
"""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from pydantic import ValidationError

from cloud.adapters.aws import AwsError
from cloud.api.answers import Answer
from cloud.api.call import Backend, Call, Operation
from cloud.api.caller import Caller, caller_of
from cloud.api.problems import PROBLEM_JSON, Problem
from cloud.api.route import Route
from cloud.contract.checks import CREDENTIAL, ID
from cloud.domain import keys
from cloud.domain.envelope import explained
from cloud.domain.grants import GRANT_PREFIX, partition, read_grant
from cloud.domain.roles import Role, RoleGrant, roles_at

_JSON: Final = "application/json"


@dataclass(slots=True)
class _Told:
    """What the log line tells of a call, as far as it came."""

    route: str
    request: str
    subject: str | None = None
    site: str | None = None
    roles: frozenset[Role] = frozenset()
    fault: dict[str, Any] = field(default_factory=dict)
    """Of ours, for whoever looks into it."""


class Service:
    """Answers the calls of some routes.

    Args:
        backend: What it answers from.
        operations: What answers each route, by operation.
        routes: Those that it serves.
        logger: Where its lines go.
        timer: Seconds that only go forward.
    """

    def __init__(
        self,
        backend: Backend,
        operations: Mapping[str, Operation],
        routes: tuple[Route, ...],
        logger: Logger,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._backend = backend
        self._operations = operations
        self._logger = logger
        self._timer = timer
        self._resolver = APIGatewayHttpResolver()
        for route in routes:
            rule = route.path.replace("{", "<").replace("}", ">")
            self._resolver.route(rule, method=route.method)(self._answering(route))
        self._resolver.not_found(self._not_found)

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to an event of an HTTP API (payload 2.0)."""
        return self._resolver.resolve(event, context)

    def _answering(self, route: Route) -> Callable[..., Response[str]]:
        def answer(**names: str) -> Response[str]:
            return self._answered(route.path, lambda told: self._called(route, names, told), _status(route))

        return answer

    def _not_found(self, _: NotFoundError) -> Response[str]:
        def refuse(_: _Told) -> Answer:
            raise Problem("route-unknown")

        return self._answered("unknown", refuse, 200)

    def _answered(self, route: str, call: Callable[[_Told], Answer], status: int) -> Response[str]:
        """Call, and log what became of it."""
        started = self._timer()
        request = str(self._resolver.current_event.raw_event["requestContext"]["requestId"])
        told = _Told(route, request)
        try:
            body, content_type = call(told).model_dump_json(exclude_none=False), _JSON
        except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, the caller gets an answer
            problem = _problem(error, told)
            status, content_type = problem.status, PROBLEM_JSON
            body = problem.document(request).model_dump_json(exclude_none=True)
        self._log(told, status, self._timer() - started)
        headers: dict[str, str | list[str]] = {"X-Request-Id": request, "Cache-Control": "no-store"}
        return Response(status_code=status, content_type=content_type, body=body, headers=headers)

    def _called(self, route: Route, names: Mapping[str, str], told: _Told) -> Answer:
        event = self._resolver.current_event.raw_event
        caller = caller_of(event)
        told.subject = caller.subject
        names = {name: _checked_name(name, text) for name, text in names.items()}
        told.site = names.get("site")
        now_s = self._backend.clock()
        grants, roles = self._roles(route, caller, told.site, now_s)
        told.roles = roles
        call = Call(
            route=route,
            backend=self._backend,
            caller=caller,
            grants=grants,
            roles=roles,
            names=names,
            query=_checked_query(route, event.get("queryStringParameters") or {}),
            event=event,
            request=told.request,
            now_s=now_s,
        )
        return self._operations[route.operation](call)

    def _roles(
        self, route: Route, caller: Caller, site: str | None, now_s: float
    ) -> tuple[tuple[RoleGrant, ...], frozenset[Role]]:
        """All grants of the caller, and the roles that hold at the site; raises Problem when none will do."""
        items = self._backend.entities.query_all(None, partition(caller.subject), prefix=GRANT_PREFIX)
        grants = tuple(map(read_grant, items))
        if route.roles is None or site is None:
            return grants, frozenset()
        roles = roles_at(grants, caller.groups, site, now_s)
        if not roles & route.roles:
            # Before the site is looked for: who has no role there learns nothing of it.
            raise Problem("role-missing")
        if self._backend.entities.get(keys.site(site)) is None:
            raise Problem("site-unknown")
        return grants, roles

    def _log(self, told: _Told, status: int, took_s: float) -> None:
        write = self._logger.error if status >= 500 else self._logger.info
        write(
            "call.answered",
            extra={
                "request": told.request,
                "route": told.route,
                "status": status,
                "latency_ms": round(took_s * 1000, 1),
                "subject": told.subject,
                "site": told.site,
                "roles": sorted(told.roles),
                **told.fault,
            },
        )


def _status(route: Route) -> int:
    return 200 if route.change is None else 202


def _checked_name(name: str, text: str) -> str:
    text = unquote(text)
    if name == "card":
        if not CREDENTIAL.fullmatch(text):
            raise Problem("parameter-invalid", "The card in the path is not the keyed hash of one.")
    elif not ID.fullmatch(text):
        raise Problem("parameter-invalid", f"The {name} in the path is not an id.")
    return text


def _checked_query(route: Route, given: Mapping[str, str]) -> Mapping[str, Any]:
    known = {parameter.name: parameter for parameter in route.query}
    if given.keys() - known.keys():
        raise Problem("parameter-invalid", f"It takes {', '.join(known) or 'no parameters'} behind the path.")
    values = {}
    for name, text in given.items():
        try:
            values[name] = known[name].read(text)
        except ValueError as error:
            raise Problem("parameter-invalid", f"`{name}` {error}.") from None
    return values


def _problem(error: Exception, told: _Told) -> Problem:
    """What the caller is told; what we have to know goes into `told`."""
    if isinstance(error, Problem):
        cause = error.__cause__
        if cause is not None:
            told.fault = _fault(cause)
        return error
    told.fault = _fault(error)
    return Problem("unavailable" if isinstance(error, AwsError) else "internal-error")


def _fault(error: BaseException) -> dict[str, Any]:
    """Kind and place of an error. Not its message, which may hold what the caller sent or what an item says."""
    fault: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, AwsError):
        fault["code"] = error.code
    if isinstance(error, ValidationError):
        fault["what"] = explained(error)
    frames = traceback.extract_tb(error.__traceback__)
    fault["where"] = [f"{frame.name}:{frame.lineno}" for frame in frames[-5:]]
    return fault
