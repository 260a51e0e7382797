"""Who may ask for what."""

from collections.abc import Collection
from typing import Final

from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role

_BY_OPERATORS: Final = ("card.", "person.", "people.", "permission.")


def permitted(kind: RequestType, roles: Collection[Role]) -> bool:
    """Whether one of the roles may ask for it."""
    if Role.ADMINISTRATOR in roles:
        return True
    return Role.OPERATOR in roles and kind.value.startswith(_BY_OPERATORS)
