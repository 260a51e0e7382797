"""The deployed API, with gateway and authorizer, against its own document. The tests of the functions ask for more."""

from typing import Any

import schemathesis

from cloud.domain.roles import Role
from tests.rigs.api_conformance import SCHEMA, call, generated
from tests.rigs.deployed_site import DeployedSite


@SCHEMA.parametrize()
@generated(2)
def test_deployed_api_answers_as_the_document_says(case: schemathesis.Case[Any], site: DeployedSite) -> None:
    """No server error; status, headers and body as documented; and what the document forbids is refused."""
    call(case, site.details.api, site.staff(Role.ADMINISTRATOR).token())
