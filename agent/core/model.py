"""The plain data that decisions are made over. Site data comes from the wire contract; this adds what a door knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cloud.contract.items import Area, Card, Door, Group, Holidays, Person, Schedule
from cloud.contract.reasons import Reason


class Direction(StrEnum):
    """Which way a reader leads. `out` is never refused."""

    IN = "in"
    OUT = "out"


class ClockPolicy(StrEnum):
    """What a door does with rights that depend on the time, while it does not know the time."""

    DENY = "deny"
    """Deny every entry."""
    UNTIMED_ONLY = "untimed_only"
    """Admit who needs no clock: always-on groups, and no validity bounds."""
    IGNORE_SCHEDULES = "ignore_schedules"
    """Ignore schedules and validity starts; an end counts as passed once the list itself is newer than it."""


class StalePolicy(StrEnum):
    """What a door does when its allow-list is older than its limit."""

    CARRY_ON = "carry_on"
    GROUPS_ONLY = "groups_only"


@dataclass(frozen=True, slots=True)
class Now:
    """The time, passed in."""

    mono_s: float
    """Monotonic seconds; durations and deadlines only."""
    wall_s: float
    """Unix seconds; meaningful only when `known`."""
    known: bool
    """Whether the wall clock is trusted."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The small part of an allow-list: everything but cards and persons, which are looked up one by one."""

    epoch: int
    version: int
    issued_s: int
    """When it was published, Unix seconds: the time is at least this."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    holidays: Mapping[str, Holidays] = field(default_factory=dict)
    doors: Mapping[str, Door] = field(default_factory=dict)
    areas: Mapping[str, Area] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holder:
    """What the list says of one credential: the card, and its person if the list has that person."""

    card: Card
    person: Person | None


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """A door's own choices about deciding."""

    clock_policy: ClockPolicy = ClockPolicy.UNTIMED_ONLY
    max_list_age_s: float | None = None
    """None: a list never grows too old."""
    stale_policy: StalePolicy = StalePolicy.CARRY_ON
    stale_groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody wants through a door."""

    door: str
    direction: Direction
    holder: Holder | None
    """None: the card is not on the list."""
    policy: Policy | None
    """None: the door has no list at all."""
    list_age_s: float
    """Seconds since the list was last known to be the newest."""
    area: str | None
    """Where the person is, as far as this door knows."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text that is put together when somebody reads it: what a schedule says takes as long as all the rest of a
    decision, and of most taps nobody asks why."""

    tell: Callable[..., str]
    about: tuple[Any, ...]

    def __str__(self) -> str:
        return self.tell(*self.about)


@dataclass(frozen=True, slots=True)
class Check:
    """One step of the reasoning."""

    name: str
    passed: bool
    words: str | Words

    @property
    def text(self) -> str:
        """What was found, for people."""
        return str(self.words)


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, and the whole reasoning that led to it."""

    granted: bool
    reason: Reason
    person: str | None
    leads_to: str | None
    """Area that the person enters if the grant is taken."""
    noted: Reason | None = None
    """For an exit: what would have been denied."""
    checks: tuple[Check, ...] = ()
