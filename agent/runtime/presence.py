"""What a controller must remember through a restart: who is in which area, and which doors are in a fire state.

A state file that can't be read or written costs memory over a restart, never a decision now.
"""

import math
from collections.abc import Mapping
from typing import Final

import structlog

from agent.errors import StorageError
from agent.ports import StateStore

log = structlog.get_logger(__name__)

MAX_PERSONS: Final = 300_000
"""Full policy: whoever moved longest ago is forgotten, which admits them once more."""
_AREAS: Final = "area"
_FIRE: Final = "fire"


class Presence:
    """Owned by the controller's thread."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._areas = dict(load(store, _AREAS))
        self._fire = set(load(store, _FIRE))
        """Doors: an entry means latched, whatever became of its value."""

    def area(self, person: str) -> str | None:
        """Where the person is, as far as this controller knows."""
        return self._areas.get(person)

    def move(self, person: str, area: str) -> None:
        """The person is now there."""
        self._areas.pop(person, None)
        self._areas[person] = area
        self._save(_AREAS, person, area)
        while len(self._areas) > MAX_PERSONS:
            oldest = next(iter(self._areas))
            del self._areas[oldest]
            self._save(_AREAS, oldest, None)

    def fire_latched(self, door: str) -> bool:
        """Whether the door was in a fire state when the agent last ran."""
        return door in self._fire

    def latch_fire(self, door: str, *, latched: bool) -> None:
        """Remember the fire state of a door, on disk before this returns if the disk will."""
        if latched == (door in self._fire):
            return
        # First: of what could not even be handed on, the next call must not think that it is kept.
        self._save(_FIRE, door, "latched" if latched else None, durable=True)
        (self._fire.add if latched else self._fire.discard)(door)

    def _save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        try:
            self._store.save(name, key, value, durable=durable)
        except StorageError as error:
            log.error("state.unsaved", table=name, error=str(error))


def load(store: StateStore, name: str) -> Mapping[str, str]:
    """A table of the state; empty when the disk refuses: a door must start all the same."""
    try:
        return store.load(name)
    except StorageError as error:
        log.error("state.unreadable", table=name, error=str(error))
        return {}


def seconds(name: str, text: str | None) -> float | None:
    """An entry that is a time; None when there is none, or it is no time any more: a byte may rot on the disk."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    log.error("state.unreadable", table=name, error=f"{text[:40]!r} is no time")
    return None
