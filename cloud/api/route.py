"""What a route is, and how the table of them is made. Nothing is called here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cloud.api.answers import Answer, Page
from cloud.api.parameters import CURSOR, PAGED, Parameter
from cloud.api.record_answers import Accepted
from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role
from cloud.domain.rules import permitted

SITE: Final = "/v1/sites/{site}"

EVERYONE: Final = frozenset(Role)
AT_THE_DOORS: Final = frozenset({Role.GUARD, Role.ADMINISTRATOR})
DOOR_EVENTS: Final = AT_THE_DOORS | {Role.AUDITOR}
PEOPLE: Final = EVERYONE - {Role.VIEWER}
CARD_FINDERS: Final = frozenset({Role.GUARD, Role.OPERATOR, Role.ADMINISTRATOR})
KEEPERS_OF_PEOPLE: Final = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})
"""Who sees how to reach a person."""
ALL_REQUESTS: Final = KEEPERS_OF_PEOPLE | {Role.AUDITOR}
"""Who sees what others asked for."""
RECORDED: Final = frozenset({Role.AUDITOR, Role.ADMINISTRATOR})
"""Who may read what is recorded of people; reading it is recorded too."""


class Function(StrEnum):
    """Which function answers."""

    READ = "api-read"
    CHANGE = "api-change"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `roles` None: whoever is signed in, because the answer is about them alone."""

    operation: str
    method: str
    path: str
    summary: str
    roles: frozenset[Role] | None
    answer: type[Answer]
    function: Function = Function.READ
    query: tuple[Parameter, ...] = ()
    change: RequestType | None = None
    bound: Mapping[str, str] = field(default_factory=dict)
    """Which fields of what a request holds come from the path: name in the path -> name of the field."""
    missing: str | None = None
    """The kind of problem when what the path names is unknown."""

    @property
    def paged(self) -> bool:
        """Whether it answers with a part of a list."""
        return CURSOR in self.query

    @property
    def takes_body(self) -> bool:
        """Whether something may be sent along."""
        return self.method in ("POST", "PUT", "PATCH")


def read(
    operation: str,
    path: str,
    summary: str,
    roles: frozenset[Role],
    answer: type[Answer],
    *query: Parameter,
    missing: str | None = None,
) -> Route:
    """A reading below a site."""
    return Route(operation, "GET", SITE + path, summary, roles, answer, query=query, missing=missing)


def change(operation: str, method: str, path: str, kind: RequestType, *bound: str, **renamed: str) -> Route:
    """A change below a site; `bound` are fields that the path holds, `renamed` those of another name in it."""
    return Route(
        operation,
        method,
        SITE + path,
        f"Ask for `{kind.value}`.",
        frozenset(role for role in Role if permitted(kind, {role})),
        Accepted,
        function=Function.CHANGE,
        change=kind,
        bound={**{name: name for name in bound}, **renamed},
    )


def place(singular: str, plural: str, answer: type[Answer]) -> tuple[Route, ...]:
    """What each kind of place has: a list, one of them, put and remove."""
    kind, member, unknown = singular.capitalize(), f"/{plural}/{{{singular}}}", f"{singular}-unknown"
    listing: type[Answer] = Page[answer]  # type: ignore[valid-type]  # the parameter is a value here
    return (
        read(f"list{plural.capitalize()}", f"/{plural}", f"List {plural} by id.", EVERYONE, listing, *PAGED),
        read(f"get{kind}", member, f"Read one of the {plural}.", EVERYONE, answer, missing=unknown),
        change(f"put{kind}", "PUT", member, RequestType(f"{singular}.put"), singular),
        change(f"remove{kind}", "DELETE", member, RequestType(f"{singular}.remove"), **{singular: "id"}),
    )


def card_verb(verb: str, operation: str, kind: RequestType) -> Route:
    """Something that is done with a card."""
    return change(operation, "POST", f"/cards/{{card}}/{verb}", kind, "card")
