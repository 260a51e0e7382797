"""Schemathesis on the API's own document: calls of every operation, right and wrong, and what to check of answers."""

import itertools
import re
from typing import Any, Final

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

SITE: Final = examples.PATHS["site"]
SCHEMA: Final = schemathesis.openapi.from_dict(
    document(),
    # That other methods are no routes is a matter of the gateway, and tested with it.
    config=SchemathesisConfig.from_dict({"phases": {"coverage": {"unexpected-methods": []}}}),
)
_CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
_KEYS: Final = itertools.count()
_PATIENCE_S: Final = 90.0
"""A function that runs for the first time takes seconds to start, and longer on a busy machine."""


def generated(calls: int) -> settings:
    """So many calls of each operation, the same in every run."""
    return settings(
        max_examples=calls,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def call(case: schemathesis.Case[Any], address: str, token: str) -> None:
    """Make the call at SITE and check the answer; raises what Schemathesis finds."""
    if "site" in case.path_parameters:
        # Almost every generated name is that of a site that does not exist, which would end each call there.
        case.path_parameters["site"] = SITE
    if re.fullmatch(KEY_PATTERN, str(case.headers.get("Idempotency-Key", ""))):
        # Most of those that are made are the same, and would end each call but the first.
        case.headers["Idempotency-Key"] = f"key-{next(_KEYS)}"

    case.call_and_validate(address, headers={"Authorization": f"Bearer {token}"}, checks=_CHECKS, timeout=_PATIENCE_S)
