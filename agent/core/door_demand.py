"""What the facts about a door demand of its lock: where fire, mode, grants and REX, each a cause to unlock, meet."""

from collections.abc import Mapping
from typing import Final

from agent.core.door_state import DoorSettings, DoorState
from agent.core.events import EventDraft
from agent.core.model import Direction
from cloud.contract.items import DoorMode
from cloud.contract.reasons import Reason

_BARRED: Final[Mapping[DoorMode, Reason]] = {
    DoorMode.LOCKDOWN: Reason.LOCKDOWN,
    DoorMode.DISABLED: Reason.DOOR_DISABLED,
}


def barred_by(mode: DoorMode) -> Reason | None:
    """Why nobody enters in this mode, whatever was granted; None where grants count."""
    return _BARRED.get(mode)


def leads_out(event: EventDraft) -> bool:
    """Whether a tap asks to leave; what is not known to lead out leads in."""
    return event.direction == Direction.OUT


def grants_end_s(door: DoorState) -> float | None:
    """When the last grant's unlock time ends; None when there is none."""
    return max((end for end in (door.entry_until_s, door.exit_until_s) if end is not None), default=None)


def demand(settings: DoorSettings, door: DoorState) -> tuple[bool, float | None]:
    """Whether the lock ought to be unlocked, and until when (None: without an end)."""
    if door.fire or door.mode is DoorMode.UNLOCKED:
        return True, None
    ends = [grants_end_s(door), door.rex_until_s if settings.rex_unlocks else None]
    known = [end for end in ends if end is not None]
    return bool(known), max(known, default=None)
