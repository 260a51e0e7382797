"""Remembers the newest settled times over a reboot: a clock that wakes up before them is not believed."""

from typing import Final, Protocol

import structlog

from agent.core.timekeeping import Seen
from agent.errors import StorageError
from agent.ports import StateStore
from agent.runtime.presence import load, seconds

log = structlog.get_logger(__name__)

_TABLE: Final = "time"
_SYSTEM: Final = "system_s"
_CLOUD: Final = "cloud_s"
SAVE_EVERY_S: Final = 3600.0
"""Spares the disk: what it holds may be this much older than what was seen."""


class SeenClock(Protocol):
    """The part of the clock that is remembered."""

    def seen(self) -> Seen:
        """What to remember."""

    def remember(self, seen: Seen) -> None:
        """What was remembered."""


class TimeMemory:
    """Owned by the controller's thread. The clock is told what is remembered at once."""

    def __init__(self, store: StateStore, clock: SeenClock) -> None:
        self._store = store
        self._clock = clock
        text = load(store, _TABLE)
        self._saved = {key: seconds(_TABLE, text.get(key)) or 0.0 for key in (_SYSTEM, _CLOUD)}
        clock.remember(Seen(self._saved[_SYSTEM], self._saved[_CLOUD]))

    def keep(self) -> None:
        """Save what has become newer by an hour, or was put right; cheap, for every turn of the loop."""
        seen = self._clock.seen()
        for key, seen_s in ((_SYSTEM, seen.system_s), (_CLOUD, seen.cloud_s)):
            if self._saved[key] <= seen_s < self._saved[key] + SAVE_EVERY_S:
                continue
            self._saved[key] = seen_s
            try:
                self._store.save(_TABLE, key, repr(seen_s))
            except StorageError as error:
                log.error("state.unsaved", table=_TABLE, error=str(error))
