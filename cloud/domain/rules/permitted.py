"""Which role may ask for what: one table, for the API and for whoever carries the request out."""

from collections.abc import Iterable, Mapping
from typing import Final

from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role

_OPERATORS_WORK: Final = ("card.", "person.", "people.", "permission.")

PERMITTED: Final[Mapping[str, frozenset[RequestType]]] = {
    Role.VIEWER: frozenset(),
    # A guard who is told of a lost card at night must not have to wait for an operator. It only ever closes doors.
    Role.GUARD: frozenset({RequestType.CARD_REPORT_LOST, RequestType.CARD_REPORT_STOLEN}),
    Role.AUDITOR: frozenset(),
    Role.OPERATOR: frozenset(kind for kind in RequestType if kind.value.startswith(_OPERATORS_WORK)),
    Role.ADMINISTRATOR: frozenset(RequestType),
}


def permitted(kind: RequestType, roles: Iterable[str]) -> bool:
    """Whether any of the roles may ask for this; a role that is not known may nothing."""
    return any(kind in PERMITTED.get(role, ()) for role in roles)
