"""How late an event came: what happens now, what waited for an answer or a short outage, and what was stored."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

ONLINE_S: Final = 60.0
GRACE_S: Final = 86_400.0


class Delay(StrEnum):
    """The class of a delay."""

    ONLINE = "online"
    """Up to a minute, or before it happened: its clock is ahead of ours."""
    GRACE = "grace"
    """Up to a day."""
    OFFLINE = "offline"
    """Longer: the door was cut off, and decided by an old list."""


def delay_of(at: str, arrived_at: str) -> Delay:
    """The class of what happened at one instant and arrived at the other (RFC 3339)."""
    late_s = (datetime.fromisoformat(arrived_at) - datetime.fromisoformat(at)).total_seconds()
    if late_s <= ONLINE_S:
        return Delay.ONLINE
    return Delay.GRACE if late_s <= GRACE_S else Delay.OFFLINE


def arrival_text(unix_s: float) -> str:
    """An arrival at the stream as an instant of events: RFC 3339 UTC with milliseconds."""
    # Rounded first: 0.9996 s would be shown as the second before.
    moment = datetime.fromtimestamp(round(unix_s, 3), UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def seconds_of(instant: str) -> float:
    """The inverse of `arrival_text`: Unix seconds."""
    return datetime.fromisoformat(instant).timestamp()
