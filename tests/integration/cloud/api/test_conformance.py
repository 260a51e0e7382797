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
from cloud.local.asgi import http_api
from cloud.local.tokens import TokenVerifier
from tests.rigs.api_place import ApiPlace
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
_EXAMPLES = 3
"""For each operation, beside the boundary cases of its parameters and fields, which are some thirty each."""


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
def test_answers_are_as_the_document_says(case: schemathesis.Case[Any], administrator: tuple[str, str]) -> None:
    """No server error; status, headers and body as documented; and what the document forbids is refused."""
    address, token = administrator
    if "site" in case.path_parameters:
        # Almost every generated name is that of a site that does not exist, which would end each call there.
        case.path_parameters["site"] = examples.PATHS["site"]
    if re.fullmatch(KEY_PATTERN, str(case.headers.get("Idempotency-Key", ""))):
        # Most of those that are made are the same, and would end each call but the first.
        case.headers["Idempotency-Key"] = f"key-{next(_KEYS)}"

    case.call_and_validate(address, headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
