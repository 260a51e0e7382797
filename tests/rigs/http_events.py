"""Events of an HTTP API (payload 2.0): the recorded ones, and others made after their pattern."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from cloud.domain.roles import Role

_EVENTS: Final = Path(__file__).parents[1] / "events"
JSON: Final = "application/json"


def recorded(name: str) -> dict[str, Any]:
    """A recorded event, by the name of its file."""
    event: dict[str, Any] = json.loads((_EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of staff, as their token names them."""

    subject: str
    groups: tuple[Role, ...] = tuple(Role)
    name: str = "grace"


def event(
    staff: Staff,
    method: str,
    target: str,
    body: Any = None,
    *,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An event for a path with its query. `body` is sent as JSON, a string as it is; `key`: the idempotency key."""
    made = recorded("http_api_get" if body is None else "http_api_post")
    path, query = urlsplit(target).path, urlsplit(target).query
    made |= {"rawPath": path, "rawQueryString": query, "routeKey": f"{method} {path}"}
    context = made["requestContext"]
    context["http"] |= {"method": method, "path": path}
    context |= {"requestId": f"req-{uuid.uuid4()}", "routeKey": made["routeKey"]}
    context["authorizer"]["jwt"]["claims"] |= {
        "sub": staff.subject,
        "username": staff.name,
        "cognito:groups": f"[{' '.join(staff.groups)}]",
    }
    made.pop("pathParameters")
    if query:
        made["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
    made["headers"].pop("idempotency-key", None)
    made["headers"] |= {"idempotency-key": key} if key is not None else {}
    made["headers"] |= headers or {}
    if body is not None:
        made["body"] = body if isinstance(body, str) else json.dumps(body)
    return made


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a function."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def kind(self) -> str:
        """The kind of a problem."""
        return str(self.body["type"]).removeprefix("/problems/")


def reply(answer: Mapping[str, Any]) -> Reply:
    """Read an answer."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    return Reply(answer["statusCode"], json.loads(answer["body"]), headers)
