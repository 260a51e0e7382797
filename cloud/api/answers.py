"""What the API answers with. Each model names what may be seen; whatever else an item holds stays in the table."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from cloud.contract.items import AntiPassback, DoorMode
from cloud.domain.delays import Delay
from cloud.domain.payloads import GroupGrant, RequestType, ScheduleWindow
from cloud.domain.roles import Role

CardStatus = Literal["unissued", "issued", "lost", "stolen", "expired", "revoked", "returned", "destroyed"]
PersonStatus = Literal["onboarding", "active", "inactive"]
RequestStatus = Literal["accepted", "processing", "done", "rejected"]


class Answer(BaseModel):
    """Made from an item of the table; fields that are not named here are left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Validity(Answer):
    valid_from: str | None = None
    valid_until: str | None = None


_Entry = TypeVar("_Entry", bound=Answer)


class Page(Answer, Generic[_Entry]):
    """Some of a list; `next` leads on (as `cursor`), and is null at the end."""

    items: list[_Entry]
    next: str | None = None


# ---- people and cards -----------------------------------------------------------------------------------------------


class PersonEntry(_Validity):
    """A person, as lists show them."""

    person: str
    name: str
    status: PersonStatus


class Permission(_Validity):
    """Belongs to a group, from then until then."""

    permission: str
    group: str
    granted_by: str | None = None


class Permissions(Answer):
    """The permissions of a person."""

    items: list[Permission]


class Person(PersonEntry):
    """A person with their cards and permissions. `email` is there only for those who keep people's records."""

    email: str | None = None
    created_at: str | None = None
    cards: list[str] = []
    permissions: list[Permission] = []


class Card(_Validity):
    """A card. `person` holds it, or held it last."""

    card: str
    label: str | None = None
    status: CardStatus
    person: str | None = None
    changed_at: str | None = None


class Cards(Answer):
    """The cards that a person holds."""

    items: list[Card]


class Presence(Answer):
    """Where a person was last known to be; all null if that is not known, no building: outside."""

    person: str
    building: str | None = None
    area: str | None = None
    door: str | None = None
    at: str | None = None


class Occupant(Answer):
    """Somebody who is inside."""

    person: str
    name: str | None = None
    area: str | None = None
    at: str | None = None


class Occupancy(Page[Occupant]):
    """Who is inside a building. `count` is of all of them, and is told with the first page only."""

    building: str
    count: int | None = None


# ---- places and times -----------------------------------------------------------------------------------------------


class Building(Answer):
    """A building."""

    building: str
    name: str


class Area(Answer):
    """An area, in a building or outside of all."""

    area: str
    name: str
    building: str | None = None
    anti_passback: AntiPassback = AntiPassback.OFF


class Door(Answer):
    """A door: what lies on its two sides, and what it does."""

    door: str
    name: str
    building: str | None = None
    mode: DoorMode = DoorMode.NORMAL
    inside: str | None = None
    outside: str | None = None


class Group(Answer):
    """An access group."""

    group: str
    name: str
    grants: list[GroupGrant] = []


class Schedule(Answer):
    """A week in a time zone."""

    schedule: str
    name: str
    zone: str
    windows: list[ScheduleWindow] = []
    holidays: str | None = None


class Holidays(Answer):
    """A calendar of days."""

    holidays: str
    name: str
    dates: list[str] = []


# ---- doors' events, devices, staff, requests ------------------------------------------------------------------------


class Event(Answer):
    """Something that happened at a door. `credential` is the keyed hash of a card."""

    id: str
    at: str
    type: str
    site: str
    device: str
    epoch: int
    seq: int
    door: str | None = None
    reader: str | None = None
    direction: str | None = None
    reason: str | None = None
    credential: str | None = None
    person: str | None = None
    clock: str
    online: bool
    detail: dict[str, str | int | float | bool | None] | None = None
    arrived_at: str
    delay: Delay
    """How long it took to arrive."""


class Device(Answer):
    """A controller: the keys that its records are signed with, the doors that it may speak for."""

    device: str
    status: Literal["registered", "retired"]
    changed_at: str | None = None
    keys: list[str] = []
    doors: list[str] = []
    last_seen: str | None = None


class OperatorGrant(_Validity):
    """A role of a member of staff at this site."""

    subject: str
    grant: str
    role: Role


class Requester(Answer):
    """Who asked, as the identity provider named them then."""

    subject: str
    name: str


class ListVersion(Answer):
    """The version of the site's allow-list that tells the doors."""

    epoch: int
    version: int


class Progress(Answer):
    """Of a request that takes several steps."""

    done: int
    of: int


class RowProblem(Answer):
    """What is wrong with one row of an import; `text` says it to the person who asked."""

    line: int
    column: str
    text: str


class Request(Answer):
    """How far a request has come; `code` and `detail` say why it was rejected, `summary` what came of it.

    Type and operator are missing only from what somebody put beside the API and nobody can read.
    """

    request: str
    type: RequestType | None = None
    site: str
    at: str
    operator: Requester | None = None
    status: RequestStatus
    code: str | None = None
    detail: str | None = None
    summary: dict[str, Any] | None = None
    problems: list[RowProblem] | None = None
    """Of an import: the first of those rows that could not be applied."""
    problem_count: int | None = None
    skipped: int | None = None
    progress: Progress | None = None
    finished_at: str | None = None
    list: ListVersion | None = None


class Accepted(Answer):
    """A change that is stored and will be carried out; `href` tells how far it has come."""

    request: str
    type: RequestType
    status: RequestStatus
    href: str
    replayed: bool
    """Whether the same request had been made before."""


class AuditEntry(Answer):
    """Who did or read what. `action` is the type of a request, `usage.read` or `audit.read`."""

    id: str
    at: str
    subject: str
    name: str | None = None
    action: str
    outcome: Literal["done", "rejected", "read"]
    code: str | None = None
    detail: str | None = None
    note: str | None = None
    summary: dict[str, Any] | None = None
    request: str | None = None
    person: str | None = None
    """Whose usage was read."""
    month: str | None = None
    """Of the audit, which was read."""
    finished_at: str | None = None


class GrantHeld(_Validity):
    """A role of whoever asks; site `*`: at every site."""

    site: str
    role: Role


class Me(Answer):
    """Whoever asks, as the identity provider and the table know them."""

    subject: str
    name: str
    groups: list[str]
    grants: list[GrantHeld]


class Site(Answer):
    """A site where whoever asks has a role."""

    site: str
    name: str
    zone: str | None = None
    roles: list[Role]
