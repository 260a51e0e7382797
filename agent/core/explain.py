"""Schedules in words, for the trace of a decision. For people only: no code may read these texts back."""

from datetime import date, datetime, timedelta

from agent.core.schedule import NO_DATES, Dates, holiday_at, last_change, local_time, next_change
from cloud.contract.items import DAYS, Schedule


def schedule_text(schedule: Schedule, unix_s: float, holidays: Dates = NO_DATES, *, is_open: bool) -> str:
    """What a schedule says at an instant: `schedule day is closed since 18:00, opens Mon 07:00 (Europe/Berlin)`."""
    now = local_time(schedule, unix_s)
    if now is None:
        return f"schedule {schedule.id} is closed: this door does not know its time zone {schedule.zone}"
    change = next_change(schedule, unix_s, holidays)
    following = None if change is None else _moment(schedule, change, now)
    if is_open:
        words = "is open" if following is None else f"is open until {following}"
    else:
        holiday = holiday_at(schedule, unix_s, holidays)
        words = "is closed" + (_since(schedule, unix_s, holidays, now) if holiday is None else _on(schedule, holiday))
        words += ", does not open within 8 days" if following is None else f", opens {following}"
    return f"schedule {schedule.id} {words} ({schedule.zone})"


def _since(schedule: Schedule, unix_s: float, holidays: Dates, now: datetime) -> str:
    since = last_change(schedule, unix_s, holidays)
    return "" if since is None else f" since {_moment(schedule, since, now)}"


def _on(schedule: Schedule, holiday: date) -> str:
    return f" because {holiday.isoformat()} is a holiday in calendar {schedule.holidays}"


def _moment(schedule: Schedule, unix_s: int, now: datetime) -> str:
    # The shortest that can't be taken for another day. Not %a: it depends on the process's locale.
    local = local_time(schedule, unix_s) or now
    if local.date() == now.date():
        return f"{local:%H:%M}"
    day = DAYS[local.weekday()].capitalize()
    near = abs(local.date() - now.date()) < timedelta(days=7)
    return f"{day} {local:%H:%M}" if near else f"{day} {local:%Y-%m-%d %H:%M}"
