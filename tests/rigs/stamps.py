"""Stamped events for tests: time is a counter, nothing else differs unless asked for."""

from itertools import count

from agent.core.events import EventDraft, StampedEvent
from cloud.contract.events import EventType

_TICKS = count()


def stamp(draft: EventDraft) -> StampedEvent:
    """The draft with the next instant."""
    tick = next(_TICKS)
    at = f"2026-03-01T{tick // 3_600_000 % 24:02}:{tick // 60_000 % 60:02}:{tick // 1000 % 60:02}.{tick % 1000:03}Z"
    return StampedEvent(draft=draft, at=at, clock="synced", boot="boot-1", mono_ms=tick, online=False)


def opened(door: str = "front", **detail: str | int) -> StampedEvent:
    """An event that is no alarm."""
    return stamp(EventDraft(type=EventType.DOOR_OPENED, door=door, detail=detail or None))


def forced(door: str = "front", **detail: str | int) -> StampedEvent:
    """An event that is an alarm."""
    return stamp(EventDraft(type=EventType.DOOR_FORCED, door=door, detail=detail or None))
