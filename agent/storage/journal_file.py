"""The journal's open file: every read and write, in transactions. One thread only; knows nothing of queues or waiting.

After any error the object is spent: what is in memory may be ahead of the disk. Close it and open the file again.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.core.events import EventDraft, StampedEvent
from agent.errors import StorageError
from agent.ports import JournalStats, StoredEvent
from agent.storage import journal_schema as schema
from agent.storage.database import Damaged
from agent.storage.files import inode_of
from agent.storage.journal_lanes import Lanes
from agent.storage.journal_log import check_log
from agent.storage.journal_room import Room
from agent.storage.journal_schema import epoch_and_seq, place_of
from agent.storage.runs import Runs
from agent.storage.sealing import seal
from cloud.contract.events import ALARMS, GENESIS, Event, EventType

ACKS_TOGETHER: Final = 16
"""So many acks go to the disk at once, with an event if there is one: each alone would cost every event a page more.
After a crash so many records are sent again at most."""
_SCAN_ROWS: Final = 2000
"""Rows that one `events` call looks at: bounds how long an append may wait behind it."""


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """What a journal is for, and how much it may hold."""

    state_dir: Path
    device: str
    site: str
    stamp: Callable[[EventDraft], StampedEvent]
    max_events: int
    max_bytes: int

    @property
    def path(self) -> Path:
        """The database."""
        return self.state_dir / schema.FILE_NAME


class JournalFile:
    """Appends, acks, runs to send and bounds over one connection."""

    def __init__(self, settings: JournalSettings) -> None:
        self._settings = settings
        self._db = schema.open_writer(settings.path)
        try:
            self._inode = settings.path.stat().st_ino
            self._load()
        except (TypeError, ValueError, OverflowError) as error:
            # A byte rotted where no check of pages looks: a number has become a text, or another number.
            self._db.close()
            raise Damaged(f"what it holds makes no sense: {error}") from error
        except BaseException:
            self._db.close()
            raise

    def _load(self) -> None:
        self.epoch = schema.read_epoch(self._db)
        self._sent, self._unsent = Runs(), Runs()
        for first, last in self._epochs():
            self._unsent.add(first, last)
        for first, last in self._db.execute("SELECT first, last FROM gone"):
            self._unsent.remove(first, last)
        for first, last in self._db.execute("SELECT first, last FROM sent"):
            self._unsent.remove(first, last)
            self._sent.add(first, last)
        self._acked: list[tuple[int, int]] = []
        self._oldest: tuple[int, str] | None = None
        self._lanes = Lanes(self._db, self._unsent, self._head + 1)
        self._room = Room(self._db, self._sent, self._unsent, self._save_sent)

    def _epochs(self) -> list[tuple[int, int]]:
        """First and newest place of every epoch that has any; sets the head of the current one."""
        found, above = [], place_of(1, 0)
        self._head, self._prev = place_of(self.epoch, 0), GENESIS
        while row := self._db.execute(
            "SELECT min(place) FROM (SELECT min(place) AS place FROM event WHERE place > ?1"
            " UNION ALL SELECT min(first) FROM gone WHERE first > ?1)",
            (above,),
        ).fetchone():
            if row[0] is None:
                break
            epoch, _ = epoch_and_seq(row[0])
            above = place_of(epoch + 1, 0)
            newest = max(
                self._newest("SELECT place, hash FROM event WHERE place < ? ORDER BY place DESC LIMIT 1", above),
                self._newest("SELECT last, hash FROM gone WHERE first < ? ORDER BY first DESC LIMIT 1", above),
            )
            found.append((place_of(epoch, 1), newest[0]))
            if epoch == self.epoch:
                self._head, self._prev = newest[0], newest[1].hex()
        return found

    def _newest(self, query: str, below: int) -> tuple[int, bytes]:
        place, hashed = self._db.execute(query, (below,)).fetchone() or (0, b"")
        return place, hashed or b""

    def notice(self) -> EventDraft | None:
        """The event that must open this epoch and is not there yet: what is known of the journal before it."""
        if self.seq:
            return None
        row = self._db.execute("SELECT value FROM meta WHERE name = 'notice'").fetchone()
        if row is None:
            return None
        try:
            detail = dict(json.loads(row[0]))
        except (TypeError, ValueError):
            detail = {"reason": "what was known of the loss can't be read"}
        return EventDraft(type=EventType.JOURNAL_SET_ASIDE, detail=detail)

    @property
    def seq(self) -> int:
        """Of the newest event; 0 when there is none."""
        return epoch_and_seq(self._head)[1]

    def holds(self, epoch: int, seq: int) -> bool:
        """Whether this event was written, whatever became of it since."""
        place = place_of(epoch, seq)
        return place in self._unsent or place in self._sent or (epoch == self.epoch and seq <= self.seq)

    def write(self, batch: Sequence[StampedEvent]) -> list[Event]:
        """Seal and store events in one transaction, and the acks once they are many; durable when this returns."""
        self._check_place()
        self._db.execute("BEGIN IMMEDIATE")
        if self.acks >= ACKS_TOGETHER:
            self._flush_acks()
        notice = self.notice()
        if notice is not None:
            self._insert(self._settings.stamp(notice))
        gaps = self._room.make(len(batch), self._settings.max_events, self._settings.max_bytes)
        for gap in gaps:
            event = self._insert(self._settings.stamp(gap.draft()))
            self._room.gap_written(gap, place_of(event.epoch, event.seq))
        sealed = [self._insert(stamped) for stamped in batch]
        self._db.execute("COMMIT")
        return sealed

    def _check_place(self) -> None:
        """Raise StorageError when the file has lost its name: what went into it now would be gone at the next start."""
        if inode_of(self._settings.path) != self._inode:
            raise StorageError("the journal was deleted or replaced while it was open")

    def _insert(self, stamped: StampedEvent) -> Event:
        place = self._head + 1
        epoch, seq = epoch_and_seq(place)
        event = seal(stamped, self._settings.device, self._settings.site, epoch, seq, self._prev)
        body = event.canonical()
        hashed = hashlib.sha256(body)
        self._db.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?)",
            (place, event.type in ALARMS, event.door, hashed.digest(), body),
        )
        self._prev = hashed.hexdigest()
        self._head = place
        self._unsent.add(place, place)
        if self._unsent.lowest() == place:
            self._oldest = place, event.at
        return event

    def mark_sent(self, epoch: int, first: int, last: int) -> None:
        """Note an ack in memory; it reaches the disk with a later write or flush."""
        for begin, end in self._unsent.clip(place_of(epoch, first), place_of(epoch, last)):
            self._unsent.remove(begin, end)
            self._acked.append(self._sent.add(begin, end))
            self._room.acked(begin, end)

    @property
    def acks(self) -> int:
        """Number of acks that the disk does not hold yet."""
        return len(self._acked)

    def flush_acks(self) -> None:
        """Write the acks without waiting for the disk: one that a power cut takes back is a harmless resend."""
        if not self._acked:
            return
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("BEGIN IMMEDIATE")
        self._flush_acks()
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA synchronous = FULL")

    def _flush_acks(self) -> None:
        for first, last in self._acked:
            self._save_sent(first, last)
        self._room.save_acked()
        self._acked.clear()

    def _save_sent(self, first: int, last: int) -> None:
        """Make the stored runs between two places those in memory."""
        self._db.execute("DELETE FROM sent WHERE first BETWEEN ? AND ?", (first, last))
        self._db.executemany("INSERT INTO sent VALUES (?, ?)", self._sent.clip(first, last))

    def next_unsent(self, max_events: int, max_bytes: int) -> list[Event]:
        """The next run to send; see `Lanes` for the order. Raises Damaged."""
        while (run := self._lanes.pick(max_events)) is not None:
            events: list[Event] = []
            room = max_bytes
            for place, hashed, body in self._db.execute(
                "SELECT place, hash, body FROM event WHERE place BETWEEN ? AND ? ORDER BY place LIMIT ?",
                (*run, max_events),
            ).fetchall():
                event = schema.read_event(hashed, body)
                # One of a later release stays on disk for that release; it must not hold up the others.
                if event is None:
                    self._unsent.remove(place, place)
                    break
                if place != run[0] + len(events):
                    raise Damaged("an event is missing")
                # A comma goes between two events.
                room -= len(body) + 1
                if events and room < 0:
                    break
                events.append(event)
            else:
                if not events:
                    raise Damaged("an event is missing")
            if events:
                return events
        return []

    def events(self, since: int, door: str | None, limit: int) -> tuple[list[StoredEvent], int | None]:
        """Stored events with seq > since, and the seq to go on from, None at the end. Looks at 2,000 rows at most."""
        found: list[StoredEvent] = []
        rows = self._db.execute(
            "SELECT place, door, hash, body FROM event WHERE place > ? AND place < ? ORDER BY place LIMIT ?",
            (place_of(self.epoch, since), place_of(self.epoch + 1, 0), _SCAN_ROWS),
        ).fetchall()
        for place, at, hashed, body in rows:
            since = epoch_and_seq(place)[1]
            event = schema.read_event(hashed, body) if door is None or at == door else None
            if event is not None:
                found.append(StoredEvent(event, place in self._sent))
                if len(found) == limit:
                    return found, None
        return found, since if len(rows) == _SCAN_ROWS else None

    def stats(self) -> JournalStats:
        """Where the journal stands; `waiting` and `degraded` are the owner's to fill in."""
        return JournalStats(
            epoch=self.epoch,
            seq=self.seq,
            unsent=len(self._unsent),
            oldest_unsent_at=self._oldest_unsent_at(),
            bytes=self._room.file_bytes(),
            waiting=0,
            degraded=None,
        )

    def _oldest_unsent_at(self) -> str | None:
        place = self._unsent.lowest()
        if place is None:
            return None
        if self._oldest is None or self._oldest[0] != place:
            row = self._db.execute("SELECT hash, body FROM event WHERE place = ?", (place,)).fetchone()
            event = schema.read_event(*row) if row else None
            self._oldest = place, "" if event is None else event.at
        return self._oldest[1] or None

    def check_log(self) -> None:
        """Raise Damaged when events in the log can't be read any more; see `journal_log`. For a file just opened."""
        # What is in the file need not be in the log: the next write begins it anew, and leaves nothing to misread.
        try:
            (_, sound, _) = self._db.execute("PRAGMA wal_checkpoint").fetchone()
        except sqlite3.OperationalError:
            return  # a disk that takes no more can still be read and drained; the next start looks again
        check_log(self._settings.path, sound, self.epoch, self.seq)
        # What a power cut left behind the sound end was never promised. SQLite may go on before it under the same
        # salts, and the next power cut would make it look like a second write that was lost: it must go.
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def checkpoint(self) -> None:
        """Move everything from the log into the file and flush it. Raises sqlite3.Error, StorageError: in use."""
        (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageError("the journal is being read by another program")

    def close(self) -> None:
        """Release the file; idempotent. What was not committed is dropped."""
        self._db.close()
