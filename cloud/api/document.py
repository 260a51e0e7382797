"""The OpenAPI 3.1 document, made from the routes and the models. `python -m cloud.api.document` writes openapi.json.

It lies in the repository, so that a change of the API is seen in review, and a test holds the two together.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from cloud.api import examples
from cloud.api.changes import KEY_PATTERN
from cloud.api.problems import KINDS, PROBLEM_JSON, ProblemDocument, problem_type
from cloud.api.route import Route
from cloud.api.routes import ROUTES
from cloud.api.schemas import body_schema, components, reference
from cloud.contract.checks import CREDENTIAL, ID

PATH: Final = Path(__file__).parent / "openapi.json"
API_VERSION: Final = "1.0.0"
_BY_GATEWAY: Final = (401, 404, 413)
"""What the gateway also refuses before our code sees it, in its own words and without our header."""
_DESCRIPTION: Final = (
    "People, cards, doors and rights of the sites, and what happens at the doors. Changes are requests: they are "
    "stored, answered with 202, and carried out or rejected within seconds; reading the request tells which."
)


def document() -> dict[str, Any]:
    """The whole document; the same for the same code."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cardea",
            "version": API_VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_tag(route) for route in ROUTES)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token of the environment's user pool.",
                }
            },
            "parameters": {"IdempotencyKey": _idempotency_key()},
            "headers": {
                "RequestId": {"description": "Id of this exchange, as in our log.", "schema": {"type": "string"}}
            },
            "responses": _problem_responses(),
            "schemas": components(_models()),
        },
    }


def as_text() -> str:
    """What the file holds."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _models() -> list[type[BaseModel]]:
    return list(dict.fromkeys([*(route.answer for route in ROUTES), ProblemDocument]))


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [_tag(route)],
        "x-cardea-function": route.function.value,
        "x-cardea-roles": None if route.roles is None else sorted(route.roles),
        "x-cardea-problems": problems_of(route),
    }
    if route.change is not None:
        operation["x-cardea-request"] = route.change.value
    operation["parameters"] = list(_parameters(route))
    body = body_schema(route)
    if body is not None:
        operation["requestBody"] = {
            "required": bool(body.get("required") or body.get("oneOf")),
            "content": {"application/json": {"schema": body, "example": dict(examples.BODIES[route.operation])}},
        }
    statuses = sorted({KINDS[kind][0] for kind in problems_of(route)} | {429})
    operation["responses"] = {
        **_success(route),
        **{str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses},
    }
    return operation


def problems_of(route: Route) -> list[str]:
    """The kinds of problem that a route may answer with."""
    kinds = ["parameter-invalid", "not-authenticated", "internal-error", "unavailable"]
    if route.roles is not None:
        kinds += ["role-missing", "site-unknown"]
    if route.missing is not None:
        kinds.append(route.missing)
    if route.paged:
        kinds.append("cursor-invalid")
    if route.takes_body:
        kinds.append("media-type-unsupported")
    if route.change is not None:
        kinds += ["idempotency-key-invalid", "idempotency-key-reused"]
    if route.method != "GET":
        # DELETE too: it takes no body, and says so to whoever sends one.
        kinds += ["body-malformed", "body-too-large", "body-invalid"]
    return kinds


def _tag(route: Route) -> str:
    parts = [part for part in route.path.split("/") if part and not part.startswith("{")]
    return parts[2] if len(parts) > 2 else parts[1]


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        pattern = CREDENTIAL.pattern if name == "card" else ID.pattern
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{pattern}$"},
            "example": examples.PATHS[name],
        }
    for parameter in route.query:
        described = {
            "name": parameter.name,
            "in": "query",
            "description": parameter.summary,
            "schema": dict(parameter.schema),
        }
        yield described if parameter.example is None else {**described, "example": parameter.example}
    if route.change is not None:
        yield {"$ref": "#/components/parameters/IdempotencyKey"}


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "The same key of the same caller at the same site is the same request: sent again, it is "
        "answered again and done once.",
        "schema": {"type": "string", "pattern": f"^{KEY_PATTERN}$"},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    }


def _success(route: Route) -> dict[str, Any]:
    status, description = ("200", "What was asked for.") if route.change is None else ("202", "It will be carried out.")
    content = {"application/json": {"schema": {"$ref": reference(route.answer)}}}
    return {status: {"description": description, "headers": _headers(), "content": content}}


def _problem_responses() -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for kind, (status, _) in KINDS.items():
        by_status.setdefault(status, []).append(kind)
    responses = {f"Problem{status}": _problem(status, kinds) for status, kinds in by_status.items()}
    return {**responses, "Problem429": {"description": "Too many calls, says the gateway.", "content": _by_gateway()}}


def _problem(status: int, kinds: list[str]) -> dict[str, Any]:
    examples_of_it = {
        kind: {"value": {"type": problem_type(kind), "title": KINDS[kind][1], "status": status}} for kind in kinds
    }
    content = {PROBLEM_JSON: {"schema": {"$ref": reference(ProblemDocument)}, "examples": examples_of_it}}
    if status in _BY_GATEWAY:
        content |= _by_gateway()
    return {"description": "; ".join(KINDS[kind][1] for kind in kinds), "headers": _headers(), "content": content}


def _headers() -> dict[str, Any]:
    return {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}


def _by_gateway() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
    return {"application/json": {"schema": schema}}


if __name__ == "__main__":
    PATH.write_text(as_text(), encoding="utf-8")
