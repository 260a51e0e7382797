"""How late an event came: what happens now, what waited for an answer or a short outage, and what was stored."""

from datetime import datetime
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
    # Subtracted as they are: between two floats a minute is not always sixty seconds.
    late_s = (datetime.fromisoformat(arrived_at) - datetime.fromisoformat(at)).total_seconds()
    if late_s <= ONLINE_S:
        return Delay.ONLINE
    return Delay.GRACE if late_s <= GRACE_S else Delay.OFFLINE
