"""Weekly schedules: windows, midnight, and every way in which clocks have been changed."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.schedule import HORIZON_S, holiday_at, last_change, next_change, open_at
from cloud.contract.items import Schedule, Window

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
EVERY_DAY = range(7)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # goes forward by 30 minutes
    "America/Sao_Paulo",  # went forward at midnight until 2018: some days began at 01:00
    "Africa/Casablanca",  # goes back for Ramadan
    "Asia/Kathmandu",  # UTC+05:45
    "Pacific/Apia",  # had no 30 December 2011
    "Asia/Gaza",  # changes at odd hours
    "Pacific/Kiritimati",  # UTC+14
)


def minutes(text: str) -> int:
    hours, minute = text.split(":")
    return int(hours) * 60 + int(minute)


def window(days: Iterable[int], start: str, end: str) -> Window:
    return Window(frozenset(days), minutes(start), minutes(end))


def schedule(zone: str, *windows: Window) -> Schedule:
    return Schedule("s", zone, windows)


def local(zone: str, text: str, *, fold: int = 0) -> float:
    """The instant at which the zone's wall clock shows this; `fold` 1 for the second time that it does."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-02 06:59:59", False),
        ("2026-03-02 07:00:00", True),
        ("2026-03-02 17:59:59", True),
        ("2026-03-02 18:00:00", False),
        ("2026-03-01 12:00:00", False),  # a Sunday
        ("2026-03-03 12:00:00", False),  # a Tuesday
    ],
)
def test_a_window_is_half_open_and_only_on_its_days(when: str, expected: bool) -> None:
    """The start is inside, the end is not, and other days are not."""
    it = schedule("Europe/Berlin", window([MON], "07:00", "18:00"))
    assert open_at(it, local("Europe/Berlin", when)) is expected


def test_the_last_fraction_of_a_second_belongs_to_the_window() -> None:
    """An instant is never rounded up over the end of a window."""
    it = schedule("UTC", window([MON], "07:00", "18:00"))
    end = utc("2026-03-02 18:00:00")
    assert open_at(it, end - 1e-6)
    assert not open_at(it, end)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-08-17 03:00", False),  # Monday before it began
        ("2026-08-17 21:59", False),
        ("2026-08-17 22:00", True),
        ("2026-08-17 23:59", True),
        ("2026-08-18 00:00", True),
        ("2026-08-18 03:00", True),  # Tuesday, still Monday's night
        ("2026-08-18 05:59", True),
        ("2026-08-18 06:00", False),
        ("2026-08-18 22:30", False),
    ],
)
def test_a_night_belongs_to_the_day_it_began_on(when: str, expected: bool) -> None:
    """Monday 22:00-06:00 denies Monday 03:00 and allows Tuesday 03:00."""
    it = schedule("Europe/Berlin", window([MON], "22:00", "06:00"))
    assert open_at(it, local("Europe/Berlin", when)) is expected


def test_sunday_night_runs_into_monday() -> None:
    """The week is a circle."""
    it = schedule("UTC", window([SUN], "22:00", "06:00"))
    assert open_at(it, utc("2026-03-02 05:59:59"))
    assert not open_at(it, utc("2026-03-02 06:00:00"))
    assert not open_at(it, utc("2026-03-03 05:00:00"))


@pytest.mark.parametrize(("start", "end"), [("00:00", "24:00"), ("00:00", "00:00")])
def test_a_whole_day_is_its_24_hours(start: str, end: str) -> None:
    """00:00-24:00 and 00:00-00:00 hold the whole of their day and nothing of its neighbours."""
    it = schedule("UTC", window([WED], start, end))
    assert not open_at(it, utc("2026-03-03 23:59:59"))
    assert open_at(it, utc("2026-03-04 00:00:00"))
    assert open_at(it, utc("2026-03-04 23:59:59"))
    assert not open_at(it, utc("2026-03-05 00:00:00"))


def test_a_window_that_ends_where_it_starts_is_24_hours() -> None:
    """08:00-08:00 runs until the next morning."""
    it = schedule("UTC", window([WED], "08:00", "08:00"))
    assert not open_at(it, utc("2026-03-04 07:59:59"))
    assert open_at(it, utc("2026-03-04 08:00:00"))
    assert open_at(it, utc("2026-03-05 07:59:59"))
    assert not open_at(it, utc("2026-03-05 08:00:00"))


def test_a_window_to_24_00_ends_at_midnight() -> None:
    """18:00-24:00 leaves no gap before 00:00 and takes nothing after it."""
    it = schedule("UTC", window([WED], "18:00", "24:00"))
    assert open_at(it, utc("2026-03-04 23:59:59"))
    assert not open_at(it, utc("2026-03-05 00:00:00"))


def test_a_leap_day_is_a_day_like_another() -> None:
    """29 February 2028 is a Tuesday, and its night runs into 1 March."""
    it = schedule("Europe/Berlin", window([TUE], "22:00", "06:00"))
    assert open_at(it, local("Europe/Berlin", "2028-02-29 22:00"))
    assert open_at(it, local("Europe/Berlin", "2028-03-01 05:59"))
    assert not open_at(it, local("Europe/Berlin", "2028-03-01 22:00"))


def test_a_schedule_without_windows_never_opens() -> None:
    """No window, no access, and no change to announce."""
    it = schedule("UTC")
    assert not open_at(it, utc("2026-03-04 12:00:00"))
    assert next_change(it, utc("2026-03-04 12:00:00")) is None
    assert last_change(it, utc("2026-03-04 12:00:00")) is None


def test_an_unknown_zone_never_opens() -> None:
    """A door that lacks the zone does not guess."""
    it = schedule("Atlantis/Poseidonis", window(EVERY_DAY, "00:00", "24:00"))
    assert not open_at(it, utc("2026-03-04 12:00:00"))
    assert next_change(it, utc("2026-03-04 12:00:00")) is None
    assert last_change(it, utc("2026-03-04 12:00:00")) is None


SPRING = [
    # zone, the day, a window that the clocks skip, the last instant before and the first after
    ("Europe/Berlin", "02:00", "03:00", "2026-03-29 01:00:00"),
    ("America/New_York", "02:00", "03:00", "2026-03-08 07:00:00"),
    ("Australia/Lord_Howe", "02:00", "02:30", "2026-10-03 15:30:00"),
    ("America/Sao_Paulo", "00:00", "01:00", "2018-11-04 03:00:00"),
    ("Africa/Casablanca", "02:00", "03:00", "2026-03-22 02:00:00"),
]


@pytest.mark.parametrize(("zone", "start", "end", "jump"), SPRING)
def test_skipped_wall_clock_time_never_opens(zone: str, start: str, end: str, jump: str) -> None:
    """A window inside the skipped time does not exist on that day; one around it has no hole."""
    at = utc(jump)
    skipped = schedule(zone, window(EVERY_DAY, start, end))
    assert not any(open_at(skipped, at + offset) for offset in range(-3600, 3600))
    around = schedule(zone, window(EVERY_DAY, "23:00", "04:00"))
    assert all(open_at(around, at + offset) for offset in range(-3000, 3000))


@pytest.mark.parametrize(
    ("zone", "second_pass", "back_s"),
    [
        ("Europe/Berlin", "2026-10-25 01:00:00", 3600),
        ("America/New_York", "2026-11-01 06:00:00", 3600),
        ("Australia/Lord_Howe", "2026-04-04 15:00:00", 1800),
        ("America/Sao_Paulo", "2018-02-18 02:00:00", 3600),
        ("Africa/Casablanca", "2026-02-15 02:00:00", 3600),
    ],
)
def test_repeated_wall_clock_time_is_inside_both_times(zone: str, second_pass: str, back_s: int) -> None:
    """When clocks go back, a window within the repeated time opens in both passes and closes between them."""
    at = utc(second_pass)
    first = datetime.fromtimestamp(at, ZoneInfo(zone))
    shown = first.hour * 60 + first.minute
    it = schedule(zone, Window(frozenset([first.weekday()]), shown + 5, shown + 10))
    inside = {offset for offset in range(-back_s, back_s, 60) if open_at(it, at + offset)}
    passes = {offset for minute in range(5, 10) for offset in (minute * 60 - back_s, minute * 60)}
    assert inside == passes
    assert next_change(it, at - back_s) == at - back_s + 300
    assert next_change(it, at - back_s + 300) == at - back_s + 600
    assert next_change(it, at - back_s + 600) == at + 300
    assert last_change(it, at + 299) == at - back_s + 600


def test_02_30_is_inside_both_times_in_berlin() -> None:
    """The example that everybody knows."""
    it = schedule("Europe/Berlin", window([SUN], "02:00", "03:00"))
    for fold in (0, 1):
        assert open_at(it, local("Europe/Berlin", "2026-10-25 02:30", fold=fold))
    assert next_change(it, local("Europe/Berlin", "2026-10-25 02:00")) == utc("2026-10-25 02:00:00")


def test_a_change_of_clocks_can_open_and_close() -> None:
    """Where the clocks jump into or out of a window, the jump itself is the change."""
    forward = schedule("Europe/Berlin", window([SUN], "02:30", "08:00"))
    assert next_change(forward, utc("2026-03-28 20:00:00")) == utc("2026-03-29 01:00:00")
    assert last_change(forward, utc("2026-03-29 02:00:00")) == utc("2026-03-29 01:00:00")
    back = schedule("Europe/Berlin", window([SUN], "01:00", "02:30"))
    assert next_change(back, utc("2026-10-25 00:30:00")) == utc("2026-10-25 01:00:00")
    assert next_change(back, utc("2026-10-25 01:00:00")) == utc("2026-10-25 01:30:00")
    assert last_change(back, utc("2026-10-25 01:29:00")) == utc("2026-10-25 01:00:00")


def test_an_edge_that_the_clocks_jump_over_is_no_change() -> None:
    """Where clocks jump from one window into another, or back into the one that just ended, nothing changes."""
    forward = schedule("Europe/Berlin", window([SUN], "00:00", "02:00"), window([SUN], "03:00", "08:00"))
    assert next_change(forward, utc("2026-03-29 00:30:00")) == utc("2026-03-29 06:00:00")
    assert last_change(forward, utc("2026-03-29 02:00:00")) == utc("2026-03-28 23:00:00")
    back = schedule("Europe/Berlin", window([SUN], "00:00", "03:00"))
    assert next_change(back, utc("2026-10-24 23:00:00")) == utc("2026-10-25 02:00:00")
    assert last_change(back, utc("2026-10-25 01:30:00")) == utc("2026-10-24 22:00:00")


def test_two_changes_of_clocks_within_a_week_are_both_seen() -> None:
    """Recife tried summer time for one week in October 2000; Gaza will for a week in 2040."""
    it = schedule("America/Recife", window([SAT], "23:30", "23:45"))
    week_before, summer, winter = utc("2000-10-08 02:50:00"), utc("2000-10-15 01:30:00"), utc("2000-10-15 02:30:00")
    assert next_change(it, week_before) == summer
    assert last_change(it, winter - 60) == summer + 900
    assert next_change(it, summer + 900) == winter


def test_kathmandu_opens_at_its_own_quarter_hours() -> None:
    """UTC+05:45: 09:00 there is 03:15 UTC."""
    it = schedule("Asia/Kathmandu", window([MON], "09:00", "17:00"))
    assert not open_at(it, utc("2026-03-02 03:14:59"))
    assert open_at(it, utc("2026-03-02 03:15:00"))
    assert open_at(it, utc("2026-03-02 11:14:59"))
    assert not open_at(it, utc("2026-03-02 11:15:00"))


def test_apia_skips_a_whole_day() -> None:
    """Friday 30 December 2011 never came: Friday's day hours never open, its night ends on Saturday morning."""
    thursday_ends = utc("2011-12-30 10:00:00")
    fridays = schedule("Pacific/Apia", window([FRI], "08:00", "17:00"))
    assert not any(open_at(fridays, thursday_ends + hour * 3600) for hour in range(-24, 48))
    friday_night = schedule("Pacific/Apia", window([FRI], "22:00", "06:00"))
    thursday_night = schedule("Pacific/Apia", window([THU], "22:00", "06:00"))
    assert not open_at(friday_night, thursday_ends - 1)
    assert open_at(friday_night, thursday_ends)
    assert open_at(thursday_night, thursday_ends - 1)
    assert not open_at(thursday_night, thursday_ends)
    assert next_change(thursday_night, thursday_ends - 3600) == thursday_ends


def test_next_change_looks_no_further_than_its_horizon() -> None:
    """A weekly window that the clocks skip leaves a fortnight without a change."""
    it = schedule("Europe/Berlin", window([SUN], "02:00", "03:00"))
    assert next_change(it, local("Europe/Berlin", "2026-03-22 03:00")) is None
    assert next_change(it, local("Europe/Berlin", "2026-03-29 12:00")) == local("Europe/Berlin", "2026-04-05 02:00")


@pytest.mark.parametrize("days", [EVERY_DAY, [MON]])
def test_windows_that_touch_are_one_stretch(days: Iterable[int]) -> None:
    """Nothing changes where one window takes over from another."""
    it = schedule("UTC", window(days, "08:00", "12:00"), window(days, "12:00", "24:00"), window(days, "00:00", "08:00"))
    noon = utc("2026-03-02 12:00:00")
    if days is EVERY_DAY:
        assert next_change(it, noon) is None
        assert last_change(it, noon) is None
    else:
        assert next_change(it, noon) == utc("2026-03-03 00:00:00")
        assert last_change(it, noon) == utc("2026-03-02 00:00:00")


NEW_YEAR = frozenset({date(2027, 1, 1)})
"""A Friday."""


def test_no_window_begins_on_a_holiday() -> None:
    """The day itself is closed; the days around it are not, nor is the same day without the calendar."""
    it = schedule("Europe/Berlin", window(EVERY_DAY, "07:00", "18:00"))
    noon = [local("Europe/Berlin", f"{day} 12:00") for day in ("2026-12-31", "2027-01-01", "2027-01-02")]
    assert [open_at(it, at, NEW_YEAR) for at in noon] == [True, False, True]
    assert [holiday_at(it, at, NEW_YEAR) for at in noon] == [None, date(2027, 1, 1), None]
    assert open_at(it, noon[1])
    before, after = local("Europe/Berlin", "2026-12-31 18:00"), local("Europe/Berlin", "2027-01-02 07:00")
    assert next_change(it, noon[1], NEW_YEAR) == after
    assert last_change(it, noon[1], NEW_YEAR) == before


def test_a_night_that_began_before_a_holiday_runs_to_its_end() -> None:
    """And the one that would begin on it does not, not even its part on the next day."""
    it = schedule("Europe/Berlin", window(EVERY_DAY, "22:00", "06:00"))
    assert open_at(it, local("Europe/Berlin", "2027-01-01 05:59"), NEW_YEAR)
    for closed in ("2027-01-01 22:00", "2027-01-02 05:59"):
        assert not open_at(it, local("Europe/Berlin", closed), NEW_YEAR)
        assert holiday_at(it, local("Europe/Berlin", closed), NEW_YEAR) == date(2027, 1, 1)
    assert holiday_at(it, local("Europe/Berlin", "2027-01-01 12:00"), NEW_YEAR) is None  # closed anyway
    assert open_at(it, local("Europe/Berlin", "2027-01-02 22:00"), NEW_YEAR)


def test_a_holiday_is_a_date_of_the_schedules_own_zone() -> None:
    """It comes to Auckland eleven hours before UTC, to New York five hours after."""
    for zone, begins in (("Pacific/Auckland", "2026-12-31 11:00:00"), ("America/New_York", "2027-01-01 05:00:00")):
        always = schedule(zone, window(EVERY_DAY, "00:00", "24:00"))
        assert open_at(always, utc(begins) - 1, NEW_YEAR)
        assert not open_at(always, utc(begins), NEW_YEAR)
        assert next_change(always, utc(begins) - 1, NEW_YEAR) == utc(begins)
        assert next_change(always, utc(begins), NEW_YEAR) == utc(begins) + 86_400
        assert last_change(always, utc(begins) + 86_400, NEW_YEAR) == utc(begins) + 86_400


# An oracle that shares nothing with the code but the zone database: it counts minutes of real dates in sets.


def minutes_open(it: Schedule, around: date, holidays: frozenset[date]) -> set[int]:
    """Wall-clock minutes, counted from the year 1, that windows of the days near this one hold."""
    held: set[int] = set()
    for day in (around + timedelta(days=offset) for offset in (-2, -1, 0, 1)):
        for each in it.windows:
            if day.isoweekday() - 1 in each.days and day not in holidays:
                first = day.toordinal() * 1440 + each.start
                last = day.toordinal() * 1440 + each.end + (1440 if each.end <= each.start else 0)
                held.update(range(first, last))
    return held


def oracle(it: Schedule, unix_s: int, holidays: frozenset[date]) -> bool:
    aware = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=unix_s)).astimezone(ZoneInfo(it.zone))
    shown = aware.date().toordinal() * 1440 + (aware.hour * 3600 + aware.minute * 60 + aware.second) // 60
    return shown in minutes_open(it, aware.date(), holidays)


def changes_of_clocks() -> list[tuple[str, int]]:
    found = []
    for zone in ZONES:
        info = ZoneInfo(zone)
        for day in range(utc("2010-01-01") // 86400, utc("2030-01-01") // 86400):
            before, after = (datetime.fromtimestamp(it * 86400, info).utcoffset() for it in (day, day + 1))
            if before != after:
                found.append((zone, day * 86400))
    return found


CHANGES = changes_of_clocks()
windows = st.builds(
    Window,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.one_of(st.integers(0, 1439), st.integers(0, 23).map(lambda hour: hour * 60)),
    st.one_of(st.integers(0, 1440), st.integers(0, 24).map(lambda hour: hour * 60)),
)
near_a_change = st.builds(
    lambda change, offset: (change[0], change[1] + offset), st.sampled_from(CHANGES), st.integers(-86_400, 2 * 86_400)
)
anywhere = st.tuples(st.sampled_from(ZONES), st.integers(utc("1975-01-01"), utc("2037-01-01")))
moments = st.one_of(near_a_change, anywhere)


def generated(zone: str, some: list[Window]) -> Schedule:
    return Schedule("s", zone, tuple(some))


holiday_offsets = st.lists(st.integers(-9, 9), max_size=5)
"""Days from the moment; none in many a case."""


def days_off(zone: str, unix_s: int, offsets: list[int]) -> frozenset[date]:
    today = datetime.fromtimestamp(unix_s, ZoneInfo(zone)).date()
    return frozenset(today + timedelta(days=offset) for offset in offsets)


@settings(max_examples=1200, deadline=None, suppress_health_check=list(HealthCheck))
@given(moment=moments, some=st.lists(windows, max_size=3), offsets=holiday_offsets)
def test_open_at_agrees_with_counting_minutes(moment: tuple[str, int], some: list[Window], offsets: list[int]) -> None:
    """6,000 generated cases, half of them around changes of clocks: five instants of each schedule."""
    zone, unix_s = moment
    it, off = generated(zone, some), days_off(zone, unix_s, offsets)
    hour = unix_s - unix_s % 3600
    for at in (unix_s, hour, hour - 1, hour + 1800, unix_s + 43_200):
        assert open_at(it, at, off) is oracle(it, at, off)
        assert (holiday_at(it, at, off) is not None) is (open_at(it, at) and not open_at(it, at, off))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(moment=moments, some=st.lists(windows, max_size=3), offsets=holiday_offsets)
def test_changes_are_where_the_answer_changes(moment: tuple[str, int], some: list[Window], offsets: list[int]) -> None:
    """Between the last and the next change the answer never differs, and at both it does."""
    zone, unix_s = moment
    it, off = generated(zone, some), days_off(zone, unix_s, offsets)
    answer = open_at(it, unix_s, off)
    following, last = next_change(it, unix_s, off), last_change(it, unix_s, off)
    stop = unix_s + HORIZON_S if following is None else following
    start = unix_s - HORIZON_S if last is None else last
    if following is not None:
        assert unix_s < following <= unix_s + HORIZON_S
        assert open_at(it, following, off) is not answer
    if last is not None:
        assert unix_s - HORIZON_S <= last <= unix_s
        assert open_at(it, last, off) is answer
        assert open_at(it, last - 1, off) is not answer
    assert all(open_at(it, at, off) is answer for at in range(start, unix_s, 60))
    assert all(open_at(it, at, off) is answer for at in range(stop - 1, unix_s, -60))
