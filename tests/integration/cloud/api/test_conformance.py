"""The running API against its own document: Schemathesis makes calls of it, right and wrong ones."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import Phase, settings

from cloud.api import examples
from cloud.api.route import Function
from cloud.domain.roles import Role
from cloud.handlers import api_change, api_read
from tests.rigs.api_conformance import SCHEMA, SITE, call, generated
from tests.rigs.api_place import ApiPlace
from tests.rigs.gateway_tokens import TokenVerifier
from tests.rigs.http_gateway import http_api
from tests.rigs.http_server import served
from tests.rigs.staff_tokens import CLIENT, ISSUER, Pool

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
    place.site(SITE)
    place.person(SITE, examples.PATHS["person"])
    place.grant("admin", Role.ADMINISTRATOR, "*")
    verifier = TokenVerifier(pool.key_set, ISSUER, frozenset({CLIENT}))
    functions = {Function.READ: api_read.handler, Function.CHANGE: api_change.handler}
    with served(http_api(functions, verifier)) as address:
        yield address, pool.token("admin", *Role)


@SCHEMA.parametrize()
@generated(3)
def test_answers_are_as_the_document_says(case: schemathesis.Case[Any], administrator: tuple[str, str]) -> None:
    """No server error; status, headers and body as documented; and what the document forbids is refused."""
    call(case, *administrator)


@SCHEMA.include(operation_id=_AT_THE_BOUNDARIES).parametrize()
@settings(max_examples=1, derandomize=True, deadline=None, phases=[Phase.explicit])
def test_answers_at_the_boundaries_are_as_the_document_says(
    case: schemathesis.Case[Any], administrator: tuple[str, str]
) -> None:
    """The same for the longest and shortest, the missing and the wrong of each field and parameter."""
    call(case, *administrator)
