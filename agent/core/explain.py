"""Schedules in words, for the trace of a decision. For people only: no code may read these texts back."""

from datetime import datetime, timedelta

from agent.core.schedule import last_change, local_time, next_change
from cloud.contract.items import DAYS, Schedule


def schedule_text(schedule: Schedule, unix_s: float, *, is_open: bool) -> str:
    """What a schedule says at an instant: `schedule day is closed since 18:00, opens Mon 07:00 (Europe/Berlin)`."""
    now = local_time(schedule, unix_s)
    if now is None:
        return f"schedule {schedule.id} is closed: this door does not know its time zone {schedule.zone}"
    change = next_change(schedule, unix_s)
    following = None if change is None else _moment(schedule, change, now)
    if is_open:
        words = "is open" if following is None else f"is open until {following}"
    else:
        since = last_change(schedule, unix_s)
        words = "is closed" if since is None else f"is closed since {_moment(schedule, since, now)}"
        words += ", does not open within 8 days" if following is None else f", opens {following}"
    return f"schedule {schedule.id} {words} ({schedule.zone})"


def _moment(schedule: Schedule, unix_s: int, now: datetime) -> str:
    # The shortest that can't be taken for another day. Not %a: it depends on the process's locale.
    local = local_time(schedule, unix_s) or now
    if local.date() == now.date():
        return f"{local:%H:%M}"
    day = DAYS[local.weekday()].capitalize()
    near = abs(local.date() - now.date()) < timedelta(days=7)
    return f"{day} {local:%H:%M}" if near else f"{day} {local:%Y-%m-%d %H:%M}"
