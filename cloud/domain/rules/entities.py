"""What lies in the table for the back office, typed: read from items, and written back with the attributes of indexes.

An item that is not what it should be is an error (pydantic.ValidationError), never a default: who decides on a guess
writes the guess back. What an entity names is told by the entity itself, so that `uses` can be counted from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from pydantic import TypeAdapter

from cloud.contract.items import AntiPassback, DoorMode
from cloud.domain import keys
from cloud.domain.keys import Key
from cloud.domain.outcome import Item
from cloud.domain.roles import Role


class PersonStatus(StrEnum):
    """Where a person is in their time here; only an active one is admitted."""

    ONBOARDING = "onboarding"
    ACTIVE = "active"
    INACTIVE = "inactive"


class CardState(StrEnum):
    """Where a card is in its life, as the back office tells it apart; only an issued one admits."""

    UNISSUED = "unissued"
    ISSUED = "issued"
    RETURNED = "returned"
    EXPIRED = "expired"
    LOST = "lost"
    REVOKED = "revoked"
    STOLEN = "stolen"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Entity:
    """One item. `NAME` is the field that holds its id, and how people call such a thing."""

    NAME: ClassVar[str]

    @property
    def id(self) -> str:
        """What it is called at its site."""
        name = getattr(self, self.NAME)
        assert isinstance(name, str)  # noqa: S101 - tells the type checker what every class below declares
        return name

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        return keys.place(site, cls.NAME, name)

    def index(self, site: str) -> dict[str, str]:  # noqa: ARG002 - of those that are listed by an index
        """The attributes by which indexes find it."""
        return {}

    def references(self, site: str) -> tuple[Key, ...]:  # noqa: ARG002 - of those that name others
        """Keys of what it names and what must not go before it; one that counts twice is there twice."""
        return ()

    @classmethod
    def of(cls, item: Item) -> Self:
        """Read an item; fields of others (keys, `rev`, indexes) are passed over."""
        read: Self = _ADAPTERS[cls].validate_python(dict(item))
        return read

    def fields(self, site: str) -> dict[str, Any]:
        """What is written: JSON values, without what is None, with the attributes of indexes."""
        return {**_ADAPTERS[type(self)].dump_python(self, mode="json", exclude_none=True), **self.index(site)}


# ---- people and cards -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Permission:
    """That a person belongs to a group, from <= now < until; instants as text, None: without such a bound."""

    permission: str
    """The id of the request that granted it."""
    group: str
    granted_by: str
    """Subject of the operator."""
    valid_from: str | None = None
    valid_until: str | None = None

    def over(self, now: str) -> bool:
        """Whether it has ended and can't begin again."""
        return self.valid_until is not None and self.valid_until <= now

    def covers(self, valid_from: str | None, valid_until: str | None, now: str) -> bool:
        """Whether it already gives, from now on, all that one with these bounds would give."""
        begins_in_time = (self.valid_from or "") <= max(valid_from or "", now)
        return begins_in_time and (
            self.valid_until is None or (valid_until is not None and valid_until <= self.valid_until)
        )


@dataclass(frozen=True, slots=True)
class Person(Entity):
    """Who holds cards."""

    NAME = "person"
    person: str
    name: str
    status: PersonStatus
    created_at: str
    status_at: str
    """When the request was made that led to the status."""
    email: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    cards: tuple[str, ...] = ()
    """Those that are issued to them."""
    permissions: tuple[Permission, ...] = ()

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        return keys.person(site, name)

    def index(self, site: str) -> dict[str, str]:
        """People of a site, by id."""
        return {"g2pk": f"PEOPLE#{site}", "g2sk": self.person}

    def references(self, site: str) -> tuple[Key, ...]:
        """Their groups, one for each permission."""
        return tuple(Group.key(site, permission.group) for permission in self.permissions)


@dataclass(frozen=True, slots=True)
class Card(Entity):
    """A card: `card` is its keyed hash."""

    NAME = "card"
    card: str
    status: CardState
    changed_at: str
    """When the request was made that led to the status."""
    label: str | None = None
    person: str | None = None
    """Who holds it, or held it last."""
    valid_from: str | None = None
    valid_until: str | None = None

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        return keys.card(site, name)

    def index(self, site: str) -> dict[str, str]:
        """Cards of a site, by status."""
        return {"g2pk": f"CARDS#{site}", "g2sk": f"{self.status}#{self.card}"}


# ---- places and times -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Building(Entity):
    """What areas and doors lie in. Doors do not know of it."""

    NAME = "building"
    building: str
    name: str
    uses: int = 0
    """Areas and doors that name it."""


@dataclass(frozen=True, slots=True)
class Area(Entity):
    """A place that doors lead to."""

    NAME = "area"
    area: str
    name: str
    building: str | None = None
    anti_passback: AntiPassback = AntiPassback.OFF
    uses: int = 0
    """Doors that name it."""

    def references(self, site: str) -> tuple[Key, ...]:
        """Its building."""
        return _distinct((Building.key(site, self.building) if self.building else None,))


@dataclass(frozen=True, slots=True)
class Door(Entity):
    """A door and what lies on its two sides."""

    NAME = "door"
    door: str
    name: str
    building: str | None = None
    mode: DoorMode = DoorMode.NORMAL
    inside: str | None = None
    outside: str | None = None
    uses: int = 0
    """Groups and devices that name it."""

    def references(self, site: str) -> tuple[Key, ...]:
        """Its building and its areas, each once."""
        return _distinct(
            (
                Building.key(site, self.building) if self.building else None,
                Area.key(site, self.inside) if self.inside else None,
                Area.key(site, self.outside) if self.outside else None,
            )
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """One door that a group opens; `schedule` None: always."""

    door: str
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Group(Entity):
    """An access group."""

    NAME = "group"
    group: str
    name: str
    grants: tuple[Grant, ...] = ()
    uses: int = 0
    """Permissions that name it."""

    def references(self, site: str) -> tuple[Key, ...]:
        """Its doors and schedules, each once."""
        return _distinct(
            (
                *(Door.key(site, grant.door) for grant in self.grants),
                *(Schedule.key(site, grant.schedule) for grant in self.grants if grant.schedule),
            )
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Times of day as text, `24:00` included; an end that is not later lies on the next day."""

    days: tuple[str, ...]
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Schedule(Entity):
    """A week in a time zone."""

    NAME = "schedule"
    schedule: str
    name: str
    zone: str
    windows: tuple[Window, ...] = ()
    holidays: str | None = None
    uses: int = 0
    """Groups that name it."""

    def references(self, site: str) -> tuple[Key, ...]:
        """Its calendar of holidays."""
        return _distinct((Holidays.key(site, self.holidays) if self.holidays else None,))


@dataclass(frozen=True, slots=True)
class Holidays(Entity):
    """A calendar of days on which the schedules that name it do not open."""

    NAME = "holidays"
    holidays: str
    name: str
    dates: tuple[str, ...] = ()
    uses: int = 0
    """Schedules that name it."""


# ---- devices and operators ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Device(Entity):
    """A controller. Its id is its own at all sites."""

    NAME = "device"
    device: str
    site: str
    registered_at: str
    keys: tuple[str, ...] = ()
    """Ed25519 public keys in hex; none: nothing that it sends is believed."""
    doors: tuple[str, ...] = ()
    retired_at: str | None = None

    @classmethod
    def key(cls, site: str, name: str) -> Key:  # noqa: ARG003 - the same at every site
        """Where the one with this id lies."""
        return keys.device(name)

    def index(self, site: str) -> dict[str, str]:
        """Devices of a site, by id."""
        return {"g2pk": f"DEVICES#{site}", "g2sk": self.device}

    def references(self, site: str) -> tuple[Key, ...]:
        """Its doors, each once."""
        return _distinct(Door.key(site, door) for door in self.doors)


@dataclass(frozen=True, slots=True)
class StaffRole(Entity):
    """A role of a member of staff at a site. Its id is `subject#grant`."""

    NAME = "grant"
    grant: str
    """The id of the request that granted it."""
    subject: str
    role: Role
    site: str
    valid_from: str
    granted_by: str
    """Subject of the administrator."""
    valid_until: str | None = None
    ended_by: str | None = None

    @property
    def id(self) -> str:
        """The member of staff and the grant: ids of neither hold a #."""
        return f"{self.subject}#{self.grant}"

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        subject, _, grant = name.partition("#")
        return keys.role_grant(subject, site, grant)

    def index(self, site: str) -> dict[str, str]:
        """Roles at a site, by member of staff."""
        return {"g2pk": f"OPERATORS#{site}", "g2sk": self.id}


def _distinct(references: Iterable[Key | None]) -> tuple[Key, ...]:
    return tuple(dict.fromkeys(key for key in references if key is not None))


_ADAPTERS: Final[Mapping[type[Entity], TypeAdapter[Any]]] = {
    kind: TypeAdapter(kind)
    for kind in (Person, Card, Building, Area, Door, Group, Schedule, Holidays, Device, StaffRole)
}
