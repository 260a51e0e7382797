"""An event as the core makes it, before the shell adds time and the journal adds its place in the chain."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud.contract.events import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """What happened; when and in which order is not the core's to say."""

    type: EventType
    door: str | None = None
    reader: str | None = None
    direction: str | None = None
    reason: str | None = None
    credential: str | None = None
    person: str | None = None
    policy: int | None = None
    detail: Mapping[str, str | int | float | bool | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedEvent:
    """A draft with its time; the journal adds id, epoch, seq and prev."""

    draft: EventDraft
    at: str
    """RFC 3339 UTC with milliseconds, from the wall clock such as it was."""
    clock: str
    """`synced` or `unsynced`."""
    boot: str
    mono_ms: int
    """Milliseconds since boot."""
    online: bool
