"""What the groups of a person open: the best that any of them offers at a moment. Must never raise or read a clock.

Open now is best. Of the reasons that keep a door shut, the one nearest to opening is told: a holiday, then the
schedule, then a membership that has not begun, then one that is over. What opens the door at no time is no reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.core.explain import schedule_text
from agent.core.model import ClockPolicy, Policy, Words
from agent.core.schedule import NO_DATES, Dates, holiday_at, open_at
from agent.core.validity import Moment, denial_words, denies
from cloud.contract.items import Group, Membership, Person, Schedule
from cloud.contract.reasons import Reason

MAX_NAMED: Final = 3
"""How many groups a denial names: the trace of a person in a hundred groups must stay readable and quick."""
_NEAREST: Final = (
    Reason.CLOCK_UNKNOWN,
    Reason.HOLIDAY,
    Reason.OUTSIDE_SCHEDULE,
    Reason.NOT_YET_VALID,
    Reason.EXPIRED,
)

Finding = tuple[Reason | None, str | Words]
"""What a check found: the reason to deny, None when it passed; and the words for it."""


@dataclass(frozen=True, slots=True)
class _Shut:
    """A right to the door that does not open it at this moment."""

    reason: Reason
    membership: Membership
    schedule: Schedule | None
    """None: the membership itself does not hold."""


def group_finding(policy: Policy, person: Person, door: str, moment: Moment) -> Finding:
    """Whether some group of the person opens the door at this moment, and the words for it."""
    shut: list[_Shut] = []
    useless: list[str] = []
    seen: dict[str, Reason | None] = {}
    for membership in person.groups:
        group = policy.groups.get(membership.group)
        if group is None:
            useless.append(f"group {membership.group} is not on the allow-list and opens nothing")
            continue
        schedules, missing = _hours(policy, group, door)
        useless += missing
        over = denies(membership, moment)
        if over is not None:
            shut += [_Shut(over, membership, None)] if schedules else []
            continue
        for schedule in schedules:
            if schedule is None:
                return None, f"group {group.id} opens {door} at any time"
            # Each schedule is looked at once, however many groups name it: a decision must not take long.
            if schedule.id not in seen:
                seen[schedule.id] = _shut_by(schedule, _dates(policy, schedule), moment)
            reason = seen[schedule.id]
            if reason is None:
                return None, Words(_opens_text, (policy, group.id, door, schedule, moment))
            shut.append(_Shut(reason, membership, schedule))
    if not shut:
        return Reason.NO_GROUP, _listed([f"no group of person {person.id} opens {door}", *useless])
    nearest = sorted(shut, key=lambda it: _NEAREST.index(it.reason))
    return nearest[0].reason, Words(_shut_text, (policy, door, moment, nearest, useless))


def belongs(person: Person, groups: Iterable[str], moment: Moment) -> str | None:
    """One of these groups that the person belongs to at this moment; None where there is none."""
    wanted = frozenset(groups)
    return next((it.group for it in person.groups if it.group in wanted and denies(it, moment) is None), None)


def _hours(policy: Policy, group: Group, door: str) -> tuple[list[Schedule | None], list[str]]:
    """The schedules on which the group opens the door, None for at any time; and in words what opens nothing."""
    schedules: list[Schedule | None] = []
    missing: list[str] = []
    for wanted in [grant.schedule for grant in group.grants if grant.door == door]:
        schedule = None if wanted is None else policy.schedules.get(wanted)
        if wanted is not None and schedule is None:
            missing.append(f"group {group.id} opens nothing here: its schedule {wanted} is not on the allow-list")
        elif schedule is not None and schedule.holidays is not None and schedule.holidays not in policy.holidays:
            missing.append(
                f"group {group.id} opens nothing here: calendar {schedule.holidays} of its schedule {schedule.id} "
                "is not on the allow-list"
            )
        else:
            schedules.append(schedule)
    return schedules, missing


def _dates(policy: Policy, schedule: Schedule) -> Dates:
    return NO_DATES if schedule.holidays is None else policy.holidays[schedule.holidays].dates


def _shut_by(schedule: Schedule, holidays: Dates, moment: Moment) -> Reason | None:
    if moment.at_s is None:
        return None if moment.clock is ClockPolicy.IGNORE_SCHEDULES else Reason.CLOCK_UNKNOWN
    if open_at(schedule, moment.at_s, holidays):
        return None
    return Reason.OUTSIDE_SCHEDULE if holiday_at(schedule, moment.at_s, holidays) is None else Reason.HOLIDAY


def _hours_text(policy: Policy, schedule: Schedule, moment: Moment, *, is_open: bool) -> str:
    if moment.at_s is not None:
        return schedule_text(schedule, moment.at_s, _dates(policy, schedule), is_open=is_open)
    if moment.clock is ClockPolicy.IGNORE_SCHEDULES:
        return f"schedule {schedule.id} is ignored without a known time"
    return f"schedule {schedule.id} needs a known time"


def _opens_text(policy: Policy, group: str, door: str, schedule: Schedule, moment: Moment) -> str:
    return f"group {group} opens {door}: {_hours_text(policy, schedule, moment, is_open=True)}"


def _shut_text(policy: Policy, door: str, moment: Moment, nearest: list[_Shut], useless: list[str]) -> str:
    named = []
    for it in nearest[:MAX_NAMED]:
        words = (
            denial_words("the membership", it.membership, it.reason, moment)
            if it.schedule is None
            else _hours_text(policy, it.schedule, moment, is_open=False)
        )
        named.append(f"group {it.membership.group} opens {door}: {words}")
    return _listed([*named, *useless], unnamed=len(nearest) - len(named))


def _listed(texts: list[str], *, unnamed: int = 0) -> str:
    """The first few of many findings in one text, and how many more there are."""
    more = len(texts) - MAX_NAMED + unnamed
    return "; ".join([*texts[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])])
