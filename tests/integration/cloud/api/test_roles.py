"""Who may do what: every route against every role, through the handlers."""

import pytest

from cloud.api import examples
from cloud.api.route import Function, Route
from cloud.api.routes import ROUTES
from cloud.domain.roles import Role
from cloud.handlers import api_change, api_read
from tests.integration.cloud.api.conftest import Desk
from tests.rigs.http_events import Staff, event, reply

BELOW_A_SITE = [route for route in ROUTES if route.roles is not None]
HANDLERS = {Function.READ: api_read.handler, Function.CHANGE: api_change.handler}


EXPECTED: dict[Role, set[str]] = {
    Role.VIEWER: {
        *(f"list{kind}" for kind in ("Buildings", "Areas", "Doors", "Groups", "Schedules", "Holidays")),
        *(f"get{kind}" for kind in ("Building", "Area", "Door", "Group", "Schedule", "Holidays")),
        "getRequest",
    },
    Role.GUARD: {
        "listPeople", "getPerson", "listPersonPermissions", "listPersonCards", "getPresence", "getOccupancy",
        "listCards", "getCard", "lookupCard", "listDoorEvents", "listDevices", "getDevice",
        "reportCardLost", "reportCardStolen",
    },
    Role.OPERATOR: {
        "listPeople", "getPerson", "listPersonPermissions", "listPersonCards", "listCards", "getCard", "lookupCard",
        "listRequests", "createPerson", "updatePerson", "activatePerson", "deactivatePerson", "importPeople",
        "grantPermission", "endPermission", "registerCards", "issueCardByNumber", "issueCard", "returnCard",
        "reportCardLost", "reportCardStolen", "destroyCard", "expireCard", "reactivateCard", "revokeCard",
        "replaceCard",
    },
    Role.AUDITOR: {
        "listPeople", "getPerson", "listPersonPermissions", "listPersonCards", "listCards", "getCard",
        "listDoorEvents", "listUsage", "listOperators", "listRequests", "listAudit",
    },
    Role.ADMINISTRATOR: {route.operation for route in BELOW_A_SITE},
}  # fmt: skip
"""Written down once more, by hand: the table of routes is what is tested. Everybody may what a viewer may."""


def _status(desk: Desk, route: Route, staff: Staff) -> int:
    target = route.path.format_map({**examples.PATHS, "site": desk.site})
    body = examples.BODIES.get(route.operation)
    made = event(staff, route.method, target, body, key="k" if route.change else None)
    return reply(HANDLERS[route.function](made, None)).status


@pytest.mark.parametrize("route", BELOW_A_SITE, ids=lambda route: route.operation)
def test_only_the_roles_that_may_are_let_in(desk: Desk, route: Route) -> None:
    """Each role alone: the one is answered (or told what is unknown), the other gets 403."""
    for role in Role:
        allowed = route.operation in EXPECTED[role] | EXPECTED[Role.VIEWER]

        status = _status(desk, route, desk.somebody(role))

        assert status in ((200, 202, 404) if allowed else (403,)), (role, status)


@pytest.mark.parametrize("route", BELOW_A_SITE, ids=lambda route: route.operation)
def test_nobody_without_a_role_is_let_in(desk: Desk, route: Route) -> None:
    """Being signed in is not enough."""
    assert _status(desk, route, Staff("stranger")) == 403


def test_table_of_roles_names_every_route() -> None:
    """A new route is thought about."""
    assert set().union(*EXPECTED.values()) == {route.operation for route in BELOW_A_SITE}
    assert set(EXPECTED) == set(Role)
