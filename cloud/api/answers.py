"""What the API answers of people, cards and places. Each model names what may be seen; the rest of an item stays."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from cloud.contract.items import AntiPassback, DoorMode
from cloud.domain.payloads import GroupGrant, ScheduleWindow

CardStatus = Literal["unissued", "issued", "lost", "stolen", "expired", "revoked", "returned", "destroyed"]
PersonStatus = Literal["onboarding", "active", "inactive"]


class Answer(BaseModel):
    """Made from an item of the table; fields that are not named here are left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Validity(Answer):
    """When it holds: from <= now < until; null: without such a bound."""

    valid_from: str | None = None
    valid_until: str | None = None


_Entry = TypeVar("_Entry", bound=Answer)


class Page(Answer, Generic[_Entry]):
    """Some of a list; `next` leads on (as `cursor`), and is null at the end."""

    items: list[_Entry]
    next: str | None = None


# ---- people and cards -----------------------------------------------------------------------------------------------


class PersonEntry(Validity):
    """A person, as lists show them."""

    person: str
    name: str
    status: PersonStatus


class Permission(Validity):
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


class Card(Validity):
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
