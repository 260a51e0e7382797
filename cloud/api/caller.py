"""Who is calling: what the gateway found in the token, and the roles that the table grants. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloud.api.problems import Problem
from cloud.contract.checks import ID
from cloud.domain.fields import MAX_NAME_CHARS
from cloud.domain.roles import RoleGrant, roles_at

_ACCESS: Final = "access"
"""An id token is for the page that somebody signs in to, and says so."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A member of staff, as the identity provider names them."""

    subject: str
    name: str
    groups: tuple[str, ...]


def caller_of(event: Mapping[str, Any]) -> Caller:
    """Whose token the gateway checked; raises Problem for a token that is not for this API, and for none."""
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    subject = claims.get("sub")
    if claims.get("token_use") != _ACCESS or not isinstance(subject, str) or not ID.fullmatch(subject):
        raise Problem("not-authenticated")
    name = str(claims.get("username") or subject)
    name = name if name.isprintable() and name.strip() else subject
    return Caller(subject, name.strip()[:MAX_NAME_CHARS], _groups(claims.get("cognito:groups")))


def sites_of(grants: Iterable[RoleGrant], groups: Iterable[str], at_s: float) -> frozenset[str]:
    """The sites where any role holds at a time; EVERY_SITE among them for all."""
    groups = tuple(groups)
    return frozenset(grant.site for grant in grants if roles_at([grant], groups, grant.site, at_s))


def _groups(claim: object) -> tuple[str, ...]:
    """HTTP APIs hand a list of a token on as the text `[a b]`; other ways of serving this leave it a list."""
    if isinstance(claim, str):
        return tuple(claim.strip("[]").replace(",", " ").split())
    if isinstance(claim, list):
        return tuple(str(group) for group in claim)
    return ()
