"""Puts right the time of events that were made before the wall clock was trusted. Must never touch what is hashed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.core.model import Now
from cloud.contract.events import Event

_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def boot_at_ms(now: Now, boot_ms: int) -> int | None:
    """When this boot began, Unix milliseconds; None while the wall clock is not trusted.

    Args:
        now: The present.
        boot_ms: Milliseconds since boot at that same instant.
    """
    return round(now.wall_s * 1000) - boot_ms if now.known else None


def correct(event: Event, boot_id: str, booted_at_ms: int | None) -> Event:
    """The event with its true `at`, and in `at_raw` what the untrusted clock said.

    Only for an event of this boot, made with an unsynced clock, and once the instant of the boot is known; any other
    is returned as it is. What the event is hashed over does not change.
    """
    if event.clock != "unsynced" or event.boot != boot_id or event.at_raw is not None or booted_at_ms is None:
        return event
    try:
        instant = _UNIX_EPOCH + timedelta(milliseconds=booted_at_ms + event.mono_ms)
    except OverflowError:
        return event
    return replace(event, at=instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"), at_raw=event.at)
