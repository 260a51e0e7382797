"""How old the allow-list is: since when nobody has confirmed that it is the newest. Survives a restart."""

import math
from typing import Final

import structlog

from agent.core.model import Now
from agent.core.timekeeping import SLACK_S
from agent.errors import StorageError
from agent.ports import StateStore
from agent.runtime.presence import load, seconds

log = structlog.get_logger(__name__)

_TABLE: Final = "list"
_KEY: Final = "confirmed_s"
_SAVE_EVERY_S: Final = 60.0
"""Not at every poll: a restart may think the list a minute older than it is."""


class ListAge:
    """Owned by the controller's thread; `age_s` may be read from any."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._confirmed_wall_s = seconds(_TABLE, load(store, _TABLE).get(_KEY))
        self._confirmed_mono_s: float | None = None
        self._saved_s = -math.inf

    def age_s(self, now: Now) -> float:
        """Seconds; infinite when it can't be told (never confirmed, or before a restart and the time is unknown)."""
        if self._confirmed_mono_s is not None:
            return max(0.0, now.mono_s - self._confirmed_mono_s)
        if self._confirmed_wall_s is not None and now.known:
            age_s = now.wall_s - self._confirmed_wall_s
            # Confirmed later than now: one of the two times is wrong, and an old list must not pass for a fresh one.
            return max(0.0, age_s) if age_s >= -SLACK_S else math.inf
        return math.inf

    def confirm(self, now: Now) -> None:
        """The list in use was just seen to be the newest."""
        self._confirmed_mono_s = now.mono_s
        if now.known and now.mono_s - self._saved_s >= _SAVE_EVERY_S:
            self._saved_s = now.mono_s
            try:
                self._store.save(_TABLE, _KEY, repr(now.wall_s))
            except StorageError as error:
                log.error("state.unsaved", table=_TABLE, error=str(error))
