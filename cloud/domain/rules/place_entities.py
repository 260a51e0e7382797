"""Places and times as they lie in the table. Each is named by others, or names others, or both."""

from dataclasses import dataclass

from cloud.contract.items import AntiPassback, DoorMode
from cloud.domain.rules.entity import Place, Reference, distinct


@dataclass(frozen=True, slots=True)
class Building(Place):
    """What areas and doors lie in. Doors do not know of it."""

    NAME = "building"
    building: str
    name: str


@dataclass(frozen=True, slots=True)
class Area(Place):
    """A place that doors lead to."""

    NAME = "area"
    area: str
    name: str
    building: str | None = None
    anti_passback: AntiPassback = AntiPassback.OFF

    def references(self) -> tuple[Reference, ...]:
        """Its building."""
        return distinct(((Building, self.building),))


@dataclass(frozen=True, slots=True)
class Door(Place):
    """A door and what lies on its two sides."""

    NAME = "door"
    door: str
    name: str
    building: str | None = None
    mode: DoorMode = DoorMode.NORMAL
    inside: str | None = None
    outside: str | None = None

    def references(self) -> tuple[Reference, ...]:
        """Its building and its areas, each once."""
        return distinct(
            (
                (Building, self.building),
                (Area, self.inside),
                (Area, self.outside),
            )
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """One door that a group opens; `schedule` None: always."""

    door: str
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Group(Place):
    """An access group."""

    NAME = "group"
    group: str
    name: str
    grants: tuple[Grant, ...] = ()

    def references(self) -> tuple[Reference, ...]:
        """Its doors and schedules, each once."""
        return distinct(
            (
                *((Door, grant.door) for grant in self.grants),
                *((Schedule, grant.schedule) for grant in self.grants),
            )
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Times of day as text, `24:00` included; an end that is not later lies on the next day."""

    days: tuple[str, ...]
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Schedule(Place):
    """A week in a time zone."""

    NAME = "schedule"
    schedule: str
    name: str
    zone: str
    windows: tuple[Window, ...] = ()
    holidays: str | None = None

    def references(self) -> tuple[Reference, ...]:
        """Its calendar of holidays."""
        return distinct(((Holidays, self.holidays),))


@dataclass(frozen=True, slots=True)
class Holidays(Place):
    """A calendar of days on which the schedules that name it do not open."""

    NAME = "holidays"
    holidays: str
    name: str
    dates: tuple[str, ...] = ()
