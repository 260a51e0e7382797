"""Which unsent events go next: alarms, then live ones, then the backlog. One thread only; reads, never writes."""

import sqlite3
from typing import Final

from agent.storage.runs import Runs

_LIVE_IN_A_ROW: Final = 8
"""With a backlog waiting, so many live runs go before one of the backlog: a steady trickle must not starve it."""
_ALARMS_AT_ONCE: Final = 50


class Lanes:
    """Two cursors over the unsent places.

    The live lane begins after what was found when the file was opened. When more waits in it than one run may hold,
    the device was cut off: all that waits becomes backlog, and the lane begins again behind it. So the first event
    after a reconnect waits for one run in flight, however long the outage was.
    """

    def __init__(self, db: sqlite3.Connection, unsent: Runs, live_from: int) -> None:
        self._db = db
        self._unsent = unsent
        self._live_from = live_from
        self._alarms_after = 0
        """No unsent alarm lies at or below this place."""
        self._live_in_a_row = 0

    def pick(self, max_events: int) -> tuple[int, int] | None:
        """First and last place of the consecutive unsent events to send from; None when all are sent."""
        lowest = self._unsent.lowest()
        if lowest is None:
            return None
        alarm = self._next_alarm()
        if alarm is not None:
            return self._unsent.run_from(alarm)
        if self._unsent.count_from(self._live_from) > max_events:
            *_, (_, newest) = self._unsent
            self._live_from = newest + 1
        backlog = lowest < self._live_from
        live = self._unsent.run_from(self._live_from)
        if live is not None and not (backlog and self._live_in_a_row >= _LIVE_IN_A_ROW):
            self._live_in_a_row += backlog
            return live
        self._live_in_a_row = 0
        return self._unsent.run_from(lowest)

    def _next_alarm(self) -> int | None:
        while alarms := self._db.execute(
            "SELECT place FROM event WHERE alarm = 1 AND place > ? ORDER BY place LIMIT ?",
            (self._alarms_after, _ALARMS_AT_ONCE),
        ).fetchall():
            for (place,) in alarms:
                if place in self._unsent:
                    return int(place)
                self._alarms_after = place
        return None
