"""When a weekly schedule is open. Decides on what the wall clock in the schedule's zone shows at an instant.

A window on a day is a stretch of wall-clock time, `start` included and `end` not. It belongs to the day that it
begins on: Monday 22:00-06:00 holds Tuesday 03:00 and not Monday 03:00. `end` == `start` means the 24 hours from
`start`, and so does 00:00-24:00. When clocks go forward, the skipped wall-clock times never come, so a window inside
them does not open; when clocks go back, a repeated time is inside its window both times it comes.

A holiday is a date of the calendar that the schedule names, in the schedule's own zone. No window opens that begins
on it; one that began the evening before runs on past midnight to its end.

Instants are Unix seconds within `FIRST_S` <= instant < `LAST_S`. A zone that this machine does not know never opens:
a door must not guess. Must never read a clock.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Set
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.contract.items import Schedule

FIRST_S: Final = 86_400
"""The second day of 1970: local time is still in range in every zone."""
LAST_S: Final = 253_370_764_800
"""The year 9999 begins: likewise."""
HORIZON_S: Final = 8 * 86_400
"""How far `next_change` and `last_change` look: a week repeats, and a change of clocks moves an edge by hours."""
Dates = Set[date]
NO_DATES: Final[Dates] = frozenset()
_DAY: Final = 1440
_DAY_S: Final = 86_400
_ONE_DAY: Final = timedelta(days=1)
_HORIZON_DAYS: Final = HORIZON_S // _DAY_S + 3
"""Of the wall clock: with today, one that the clocks may skip, and one that a night runs into."""


@cache
def zone_of(name: str) -> ZoneInfo | None:
    """The zone of this name, or None where this machine's time zone database lacks it.

    Reads a file the first time. It is pure enough for the core: the same name gives the same answer for the life of
    the process, and the database is part of the installed system, as the interpreter is.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_time(schedule: Schedule, unix_s: float) -> datetime | None:
    """The wall clock of the schedule's zone at an instant, to the second; None in a zone that is not known."""
    zone = zone_of(schedule.zone)
    # floor: fromtimestamp rounds to microseconds, and 17:59:59.9999999 must not become 18:00.
    return None if zone is None else datetime.fromtimestamp(math.floor(unix_s), zone)


def open_at(schedule: Schedule, unix_s: float, holidays: Dates = NO_DATES) -> bool:
    """Whether some window of the schedule that did not begin on a holiday holds this instant."""
    return any(day not in holidays for day in _beginnings(schedule, unix_s))


def holiday_at(schedule: Schedule, unix_s: float, holidays: Dates) -> date | None:
    """The holiday but for which the schedule would be open at this instant; None where none keeps it closed."""
    begun = set(_beginnings(schedule, unix_s)) if holidays else set()
    return min(begun) if begun and begun <= holidays else None


def next_change(schedule: Schedule, unix_s: float, holidays: Dates = NO_DATES) -> int | None:
    """The first instant after this one at which the answer of `open_at` differs; None if not within `HORIZON_S`."""
    zone = zone_of(schedule.zone)
    if zone is None:
        return None
    at = math.floor(unix_s)
    before, limit = open_at(schedule, at, holidays), min(at + HORIZON_S, LAST_S - 1)
    edges = _edges(schedule, holidays, datetime.fromtimestamp(at, zone).date(), range(-2, _HORIZON_DAYS))
    while True:
        place = _wall_second(datetime.fromtimestamp(at, zone))
        after = bisect_right(edges, place // 60)
        change = at + edges[after] * 60 - place if after < len(edges) else limit + 1
        jump = _first_jump(zone, at, min(change, limit))
        if jump is None:
            return change if change <= limit else None
        if open_at(schedule, jump, holidays) != before:
            return jump
        at = jump


def last_change(schedule: Schedule, unix_s: float, holidays: Dates = NO_DATES) -> int | None:
    """Since which instant the answer of `open_at` is what it is; None if for longer than `HORIZON_S`."""
    zone = zone_of(schedule.zone)
    if zone is None:
        return None
    at = math.floor(unix_s)
    answer, limit = open_at(schedule, at, holidays), max(at - HORIZON_S, FIRST_S)
    edges = _edges(schedule, holidays, datetime.fromtimestamp(at, zone).date(), range(-_HORIZON_DAYS, 2))
    while True:
        place = _wall_second(datetime.fromtimestamp(at, zone))
        before = bisect_right(edges, place // 60) - 1
        change = at + edges[before] * 60 - place if before >= 0 else limit - 1
        jump = _last_jump(zone, max(change, limit) - 1, at)
        if jump is None:
            return change if change >= limit else None
        if open_at(schedule, jump - 1, holidays) != answer:
            return jump
        at = jump - 1


def _beginnings(schedule: Schedule, unix_s: float) -> Iterator[date]:
    """The days on which the windows began that hold this instant."""
    local = local_time(schedule, unix_s)
    if local is None:
        return
    day, minute = local.weekday(), local.hour * 60 + local.minute
    yesterday = (day - 1) % 7
    for window in schedule.windows:
        start, end = window.start, window.end
        if start < end:
            if start <= minute < end and day in window.days:
                yield local.date()
        else:
            if minute >= start and day in window.days:
                yield local.date()
            if minute < end and yesterday in window.days:
                yield local.date() - _ONE_DAY


def _edges(schedule: Schedule, holidays: Dates, today: date, days: range) -> list[int]:
    """Wall-clock minutes since the year 1, in order, at which windows of the days around today open or close."""
    begins: list[list[int]] = [[] for _ in range(7)]
    first = today.toordinal()
    for day in range(first + days.start, first + days.stop):
        if not holidays or date.fromordinal(day) not in holidays:
            begins[(day - 1) % 7].append(day * _DAY)  # the year 1 began on a Monday
    stretches: list[tuple[int, int]] = []
    for window in schedule.windows:
        length = window.end - window.start if window.end > window.start else window.end + _DAY - window.start
        for weekday in window.days:
            for midnight in begins[weekday]:
                start = midnight + window.start
                stretches.append((start, start + length))
    edges: list[int] = []
    for start, end in sorted(stretches):
        if not edges or start > edges[-1]:
            edges += (start, end)
        elif end > edges[-1]:
            edges[-1] = end
    return edges


def _wall_second(local: datetime) -> int:
    """Seconds since the year 1 that the wall clock shows."""
    return ((local.toordinal() * 24 + local.hour) * 60 + local.minute) * 60 + local.second


def _offset(zone: ZoneInfo, unix_s: int) -> timedelta | None:
    return datetime.fromtimestamp(unix_s, zone).utcoffset()


def _first_jump(zone: ZoneInfo, after: int, upto: int) -> int | None:
    """The first instant in (after, upto] whose offset from UTC differs from the one at `after`."""
    offset, low = _offset(zone, after), after
    while low < upto:
        # By days: no zone has changed its clocks twice within one.
        high = min(low + _DAY_S, upto)
        if _offset(zone, high) != offset:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(zone, middle) != offset else (middle, high)
            return high
        low = high
    return None


def _last_jump(zone: ZoneInfo, after: int, upto: int) -> int | None:
    """The last instant in (after, upto] from which on the offset from UTC is the one at `upto`."""
    offset, high = _offset(zone, upto), upto
    while high > after:
        low = max(high - _DAY_S, after)
        if _offset(zone, low) != offset:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(zone, middle) == offset else (middle, high)
            return high
        high = low
    return None
