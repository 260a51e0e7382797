"""Who of the staff may do what. A role holds at a site for a time; the identity provider must name it too."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a member of staff is there for. The names are those of the groups in the identity provider."""

    VIEWER = "viewer"
    """Sees doors, places and rights."""
    GUARD = "guard"
    """Sees also who is where and what happens at the doors."""
    OPERATOR = "operator"
    """Changes people, cards and permissions."""
    AUDITOR = "auditor"
    """Reads who used a card where, and who changed what; each such reading is itself recorded."""
    ADMINISTRATOR = "administrator"
    """Changes places, rights, devices and roles, and may do all the rest."""


EVERY_SITE: Final = "*"
"""Instead of a site in a grant."""


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role of one member of staff; Unix seconds, from <= now < until, None: without such a bound."""

    subject: str
    role: Role
    site: str
    valid_from: int | None = None
    valid_until: int | None = None


def roles_at(grants: Iterable[RoleGrant], named: Iterable[str], site: str, at_s: float) -> frozenset[Role]:
    """The roles that hold at a site at a time: granted for it then, and named by the identity provider."""
    wanted = frozenset(named)
    return frozenset(
        grant.role
        for grant in grants
        if grant.role in wanted
        and grant.site in (site, EVERY_SITE)
        and (grant.valid_from is None or grant.valid_from <= at_s)
        and (grant.valid_until is None or at_s < grant.valid_until)
    )
