"""Roles of the staff as they lie in the table, and a request with the roles that really held when it was made."""

from collections.abc import Iterable
from typing import Any, Final

from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import instant
from cloud.domain.envelope import Envelope
from cloud.domain.outcome import Item
from cloud.domain.roles import Role, RoleGrant, roles_at
from cloud.domain.times import moment_s
from cloud.errors import CloudError

GRANT_PREFIX: Final = "GRANT#"
"""Of the sort keys of grants, among what else may lie in the partition of a member of staff."""


def partition(subject: str) -> str:
    """Where all grants of a member of staff lie, at whatever site (cloud.domain.keys.role_grant)."""
    return f"OPERATOR#{subject}"


def read_grant(item: Item) -> RoleGrant:
    """The grant of an item; raises CloudError for one that is not as it must be: a role is never guessed."""
    try:
        return RoleGrant(
            subject=str(item["subject"]),
            role=Role(item["role"]),
            site=str(item["site"]),
            valid_from=_seconds(item.get("valid_from")),
            valid_until=_seconds(item.get("valid_until")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CloudError(f"grant {item.get('sk')}: {type(error).__name__}") from error


def as_permitted(envelope: Envelope, grants: Iterable[Item]) -> Envelope:
    """The request with those of its roles that were granted at its site when it was made, whatever holds by now."""
    held = roles_at(map(read_grant, grants), envelope.operator.roles, envelope.site, moment_s(envelope.at))
    operator = envelope.operator.model_copy(update={"roles": sorted(role.value for role in held)})
    return envelope.model_copy(update={"operator": operator})


def _seconds(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ContractError("not an instant")
    return instant(value)
