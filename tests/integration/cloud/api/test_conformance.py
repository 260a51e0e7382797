"""The running API against its own document: Schemathesis makes calls of it, right and wrong ones."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloud.api import examples
from cloud.api.changes import KEY_PATTERN
from cloud.api.document import document
from cloud.api.route import Function
from cloud.domain.roles import Role
from cloud.handlers import api_change, api_read
from tests.rigs.api_place import ApiPlace
from tests.rigs.gateway_tokens import TokenVerifier
from tests.rigs.http_gateway import http_api
from tests.rigs.http_server import served
from tests.rigs.staff_tokens import CLIENT, ISSUER, Pool

CONFIG = SchemathesisConfig.from_dict(
    # That other methods are no routes is a matter of the gateway, and tested with it.
    {"phases": {"coverage": {"unexpected-methods": []}}}
)
SCHEMA = schemathesis.openapi.from_dict(document(), config=CONFIG)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
_KEYS = itertools.count()
_AT_THE_BOUNDARIES = [
    "listPeople", "listUsage", "createPerson", "updatePerson", "importPeople", "grantPermission", "listCards",
    "lookupCard", "registerCards", "issueCard", "replaceCard", "getOccupancy", "listDoorEvents", "putArea",
    "removeArea", "putGroup", "putSchedule", "putHolidays", "registerDevice", "grantRole", "getRequest", "listAudit",
]  # fmt: skip
"""Operations with parameters and fields of every kind: some thirty calls for each; the others are made of the same."""


@pytest.fixture(scope="module")
def administrator(place: ApiPlace) -> Iterator[tuple[str, str]]:
    """The served API, and the token of one who may do everything at the site that the examples name."""
    pool = Pool()
    place.site(examples.PATHS["site"])
    place.person(examples.PATHS["site"], examples.PATHS["person"])
    place.grant("admin", Role.ADMINISTRATOR, "*")
    verifier = TokenVerifier(pool.key_set, ISSUER, frozenset({CLIENT}))
    functions = {Function.READ: api_read.handler, Function.CHANGE: api_change.handler}
    with served(http_api(functions, verifier)) as address:
        yield address, pool.token("admin", *Role)


@SCHEMA.parametrize()
@settings(
    max_examples=3,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_document_says(case: schemathesis.Case[Any], administrator: tuple[str, str]) -> None:
    """No server error; status, headers and body as documented; and what the document forbids is refused."""
    _call(case, administrator)


@SCHEMA.include(operation_id=_AT_THE_BOUNDARIES).parametrize()
@settings(max_examples=1, derandomize=True, deadline=None, phases=[Phase.explicit])
def test_answers_at_the_boundaries_are_as_the_document_says(
    case: schemathesis.Case[Any], administrator: tuple[str, str]
) -> None:
    """The same for the longest and shortest, the missing and the wrong of each field and parameter."""
    _call(case, administrator)


def _call(case: schemathesis.Case[Any], administrator: tuple[str, str]) -> None:
    address, token = administrator
    if "site" in case.path_parameters:
        # Almost every generated name is that of a site that does not exist, which would end each call there.
        case.path_parameters["site"] = examples.PATHS["site"]
    if re.fullmatch(KEY_PATTERN, str(case.headers.get("Idempotency-Key", ""))):
        # Most of those that are made are the same, and would end each call but the first.
        case.headers["Idempotency-Key"] = f"key-{next(_KEYS)}"

    case.call_and_validate(address, headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
