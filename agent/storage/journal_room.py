"""Keeps the journal within its bounds: drops what was sent, then, leaving a gap event, the oldest that was not.

The bound in bytes is over the pages in use. The file itself keeps its highest size and fills freed pages again; it
does not shrink, because moving pages wears the card for nothing.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from agent.core.events import EventDraft
from agent.storage.database import Damaged
from agent.storage.journal_schema import epoch_and_seq, place_of
from agent.storage.runs import Runs
from cloud.contract.events import EventType

_BLOCK: Final = 100
"""One part in a hundred goes at once, so that room is made seldom and gap events stay few."""
_LEAST_KEPT: Final = 64
"""A bound in bytes never takes these: a journal too small for anything would only hold gap events."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Unsent events of an epoch that were given up and whose gap event was not acknowledged yet."""

    epoch: int
    first: int
    last: int
    count: int
    """Fewer than last - first + 1 where sent ones lay between."""

    def draft(self) -> EventDraft:
        """The event that tells of it."""
        return EventDraft(
            type=EventType.JOURNAL_GAP,
            detail={
                "epoch": self.epoch,
                "first": self.first,
                "last": self.last,
                "count": self.count,
                "reason": "full",
            },
        )


class Room:
    """The bounds of an open journal file; works inside the owner's transaction."""

    def __init__(self, db: sqlite3.Connection, sent: Runs, unsent: Runs, save_sent: Callable[[int, int], None]) -> None:
        self._db = db
        self._sent = sent
        self._unsent = unsent
        self._save_sent = save_sent
        (self._page_bytes,) = db.execute("PRAGMA page_size").fetchone()
        # A gap that is told again by a later one adds up, so the newest gap event explains all that is missing.
        self._gaps: dict[int, tuple[Gap, int]] = {
            epoch: (Gap(epoch, first, last, count), place)
            for epoch, first, last, count, place in db.execute("SELECT epoch, first, last, count, gap FROM lost")
        }
        self._told: set[int] = set()

    def file_bytes(self) -> int:
        """Size of the database, its free pages included."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        return int(pages) * int(self._page_bytes)

    def make(self, coming: int, max_events: int, max_bytes: int) -> list[Gap]:
        """Make room for `coming` events; returns the gaps that must be journaled in the same transaction."""
        block = max(1, max_events // _BLOCK)
        told_again: dict[int, Gap] = {}
        while (held := len(self._sent) + len(self._unsent)) and (
            held + coming + len(told_again) > max_events or (held > _LEAST_KEPT and self._uses_more_than(max_bytes))
        ):
            if len(self._sent):
                self._drop_sent(block)
            else:
                self._drop_unsent(block, told_again)
        return list(told_again.values())

    def gap_written(self, gap: Gap, place: int) -> None:
        """The gap event is at this place."""
        self._gaps[gap.epoch] = gap, place
        row = gap.epoch, gap.first, gap.last, gap.count, place
        self._db.execute("INSERT OR REPLACE INTO lost VALUES (?, ?, ?, ?, ?)", row)

    def acked(self, first: int, last: int) -> None:
        """Events were acknowledged: gaps that these tell of are known in the cloud now."""
        for epoch, (_, place) in list(self._gaps.items()):
            if first <= place <= last:
                del self._gaps[epoch]
                self._told.add(epoch)

    def save_acked(self) -> None:
        """Forget the acknowledged gaps on disk too."""
        for epoch in self._told - self._gaps.keys():
            self._db.execute("DELETE FROM lost WHERE epoch = ?", (epoch,))
        self._told.clear()

    def _uses_more_than(self, max_bytes: int) -> bool:
        size_bytes = self.file_bytes()
        if size_bytes <= max_bytes:
            return False
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return size_bytes - int(free) * int(self._page_bytes) > max_bytes

    def _drop_sent(self, count: int) -> None:
        for first, last in self._sent.take_lowest(count, below=1 << 62):
            self._delete(first, last)
            self._save_sent(*self._sent.remove(first, last))

    def _drop_unsent(self, count: int, told_again: dict[int, Gap]) -> None:
        epoch, _ = epoch_and_seq(self._unsent.lowest() or 0)
        runs = self._unsent.take_lowest(count, below=place_of(epoch + 1, 0))
        for first, last in runs:
            self._delete(first, last)
            self._unsent.remove(first, last)
        dropped = sum(last - first + 1 for first, last in runs)
        lowest, highest = epoch_and_seq(runs[0][0])[1], epoch_and_seq(runs[-1][1])[1]
        known = self._gaps.get(epoch)
        gap = told_again.get(epoch) or (known[0] if known else Gap(epoch, lowest, highest, 0))
        gap = replace(gap, first=min(gap.first, lowest), last=max(gap.last, highest), count=gap.count + dropped)
        told_again[epoch] = gap
        # A gap event that is itself given up must be told again.
        for other, (untold, place) in self._gaps.items():
            if other not in told_again and any(first <= place <= last for first, last in runs):
                told_again[other] = untold

    def _delete(self, first: int, last: int) -> None:
        """Delete rows and join the hole to those beside it; its hash lets the chain be checked across it."""
        newest = self._db.execute("SELECT hash FROM event WHERE place = ?", (last,)).fetchone()
        if newest is None:
            raise Damaged("an event is missing")
        hashed = newest[0]
        self._db.execute("DELETE FROM event WHERE place BETWEEN ? AND ?", (first, last))
        below = self._db.execute(
            "SELECT first, last FROM gone WHERE first < ? ORDER BY first DESC LIMIT 1", (first,)
        ).fetchone()
        above = self._db.execute("SELECT last, hash FROM gone WHERE first = ?", (last + 1,)).fetchone()
        if above is not None:
            self._db.execute("DELETE FROM gone WHERE first = ?", (last + 1,))
            last, hashed = above
        if below is not None and below[1] == first - 1:
            first = below[0]
        self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?)", (first, last, hashed))
