"""The running API against its own document: Schemathesis makes calls of it, right and wrong ones."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloud.api import examples
from cloud.api.document import document
from cloud.api.route import Function
from cloud.domain.roles import Role
from cloud.handlers import api_change, api_read
from cloud.local.asgi import http_api
from cloud.local.tokens import TokenVerifier
from tests.rigs.api_place import ApiPlace
from tests.rigs.http_server import served
from tests.rigs.staff_tokens import CLIENT, ISSUER, Pool

SCHEMA = schemathesis.openapi.from_dict(document())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
_EXAMPLES = 10
"""For each operation; with all 64 of them this takes about half a minute."""


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
    max_examples=_EXAMPLES,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_document_says(case: schemathesis.Case, administrator: tuple[str, str]) -> None:
    """No server error; status, headers and body as documented; and what the document forbids is refused."""
    address, token = administrator
    if "site" in case.path_parameters:
        # Almost every generated name is that of a site that does not exist, which would end each call there.
        case.path_parameters["site"] = examples.PATHS["site"]

    case.call_and_validate(address, headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
