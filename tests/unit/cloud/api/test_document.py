"""The OpenAPI document: current, complete, and true about the bodies that it shows."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from cloud.api import examples
from cloud.api.document import PATH, as_text, document, problems_of
from cloud.api.problems import KINDS
from cloud.api.route import Route
from cloud.api.routes import ROUTES
from cloud.api.uids import without_numbers
from cloud.domain.envelope import read_payload
from cloud.domain.payloads import PAYLOADS, RequestType

DOCUMENT: dict[str, Any] = document()
CHANGES = [route for route in ROUTES if route.change is not None]
SITE_KEY = bytes(32)


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return operation


def test_document_in_the_repository_is_current() -> None:
    """Whoever changes routes or models runs `python -m cloud.api.document` too."""
    assert PATH.read_text(encoding="utf-8") == as_text()


def test_document_refers_to_nothing_that_is_missing() -> None:
    """Each $ref leads somewhere."""
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))):
        place: Any = DOCUMENT
        for part in reference.split("/"):
            place = place[part]


def test_document_names_each_operation_once() -> None:
    """Generated clients name their functions by operationId."""
    names = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]

    assert sorted(names) == sorted({route.operation for route in ROUTES})


def test_every_kind_of_request_has_a_route() -> None:
    """What can be asked for can be asked for through the API."""
    assert {route.change for route in CHANGES} == set(RequestType)


def test_every_kind_of_problem_is_one_of_some_route() -> None:
    """No kind is left over, and no route names one that does not exist."""
    named = {kind for route in ROUTES for kind in problems_of(route)}

    assert named == set(KINDS) - {"route-unknown"}


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: route.operation)
def test_example_of_a_change_passes_the_schema_and_the_checks(route: Route) -> None:
    """What the document shows is accepted: by its own schema, and by the model behind the API."""
    body = examples.BODIES.get(route.operation, {})
    described = _operation(route).get("requestBody")
    if described is not None:
        jsonschema_rs.validator_for(described["content"]["application/json"]["schema"]).validate(body)
    assert route.change is not None
    merged = {**body, **{field: examples.PATHS[name] for name, field in route.bound.items()}}

    payload = read_payload(route.change, without_numbers(route.change, merged, SITE_KEY))

    assert isinstance(payload, PAYLOADS[route.change])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_body_does_not_say_again_what_the_path_says(route: Route) -> None:
    """Two places for one id could name two different things."""
    body = _operation(route).get("requestBody")
    properties = body["content"]["application/json"]["schema"]["properties"] if body is not None else {}

    assert not set(route.bound.values()) & set(properties)
