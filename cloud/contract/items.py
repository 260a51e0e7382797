"""The items of an allow-list: what a door must know to decide alone. Personal data stays in the cloud."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Kind(StrEnum):
    """What an item describes."""

    CARD = "card"
    PERSON = "person"
    GROUP = "group"
    SCHEDULE = "schedule"
    HOLIDAYS = "holidays"
    DOOR = "door"
    AREA = "area"


class CardStatus(StrEnum):
    """Where a card is in its life; only an active one admits."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    REVOKED = "revoked"
    LOST = "lost"
    STOLEN = "stolen"


class DoorMode(StrEnum):
    """What a door does with those who want to enter. None of them ever stops an exit."""

    NORMAL = "normal"
    UNLOCKED = "unlocked"
    LOCKDOWN = "lockdown"
    DISABLED = "disabled"


class AntiPassback(StrEnum):
    """What an area does with a person who enters it twice without leaving."""

    OFF = "off"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class Card:
    """A credential; `id` is its keyed hash. `valid_from` and `valid_until` are Unix seconds: from <= now < until."""

    id: str
    person: str
    status: CardStatus = CardStatus.ACTIVE
    valid_from: int | None = None
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """That a person belongs to a group; validity as for a card. One person may belong to one group several times."""

    group: str
    valid_from: int | None = None
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who holds cards; validity as for a card, and both must hold."""

    id: str
    active: bool = True
    groups: tuple[Membership, ...] = ()
    valid_from: int | None = None
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One door that a group opens; `schedule` None means always."""

    door: str
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """An access group."""

    id: str
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """Open from `start` to `end`, minutes of local time, on each of `days` (0 is Monday).

    `end` <= `start` runs past midnight into the next day; `end` may be 1440 (24:00).
    """

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A week in an IANA time zone."""

    id: str
    zone: str
    windows: tuple[Window, ...] = ()
    holidays: str | None = None
    """Calendar on whose days no window begins."""


@dataclass(frozen=True, slots=True)
class Holidays:
    """A calendar of days, which schedules that name it read in their own time zones."""

    id: str
    dates: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Door:
    """What the site says of a door; the hardware is in the door's own configuration."""

    id: str
    mode: DoorMode = DoorMode.NORMAL
    inside: str | None = None
    """Area that an `in` reader leads to."""
    outside: str | None = None
    """Area that an `out` reader leads to."""


@dataclass(frozen=True, slots=True)
class Area:
    """A place that doors lead to."""

    id: str
    anti_passback: AntiPassback = AntiPassback.OFF


Item = Card | Person | Group | Schedule | Holidays | Door | Area


def kind_of(item: Item) -> Kind:
    """The kind of an item."""
    return Kind(type(item).__name__.lower())
