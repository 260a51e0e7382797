"""Checks a journal from the outside: pages, sequence, hash chain. Reads only, and may run beside the agent.

An event is as it was when its SHA-256 is the stored one, and the chain is whole when each event holds the hash of
the one before it. Where events were dropped (sent long ago, or given up with a gap event), the file keeps the hash
of the last of them, so that the chain is checked across the hole. In an epoch that was rescued from a damaged file
some hashes are not known; what was lost there is told by `journal.set_aside`.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import StorageError
from agent.ports import JournalBreak
from agent.storage import journal_schema as schema
from agent.storage.database import Damaged, is_damage, open_reader
from agent.storage.journal_schema import epoch_and_seq, place_of
from cloud.contract.events import GENESIS

_SLICE: Final = 1000
"""Rows per read transaction: a long one would keep the agent's log from being reused."""
_Row = tuple[int, bytes, bytes]
_Holes = dict[int, tuple[int, bytes | None]]


@dataclass(slots=True)
class _Chain:
    """How far the check has come."""

    place: int
    hashed: bytes | None
    """Of the event at `place`; None: not known."""


def verify(path: Path, progress: Callable[[int, int], None] | None = None) -> JournalBreak | None:
    """The first break of the journal in this file, None when it is whole.

    `progress` is called with (events checked, events in all), at least every thousand. Raises StorageError when the
    file can't be opened.
    """
    if not path.exists():
        raise StorageError(f"{path}: there is no journal")
    try:
        with closing(open_reader(path)) as db:
            return _verify(db, progress or (lambda _done, _all: None))
    except Damaged as damaged:
        return JournalBreak(0, 0, str(damaged))
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return JournalBreak(0, 0, str(error))
        raise StorageError(f"{path}: {error}") from error


def _verify(db: sqlite3.Connection, progress: Callable[[int, int], None]) -> JournalBreak | None:
    schema.check_schema(db)
    (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        return JournalBreak(0, 0, f"pages: {verdict}")
    (total,) = db.execute("SELECT count(*) FROM event").fetchone()
    epoch = schema.read_epoch(db)
    chain, checked = _Chain(place_of(1, 0), bytes.fromhex(GENESIS)), 0
    while True:
        rows, holes = _slice(db, chain.place)
        if not rows:
            return _check_end(db, epoch, chain)
        for row in rows:
            what = _check(row, holes, chain)
            if what is not None:
                return JournalBreak(*epoch_and_seq(row[0]), what)
        checked += len(rows)
        progress(checked, max(total, checked))


def _slice(db: sqlite3.Connection, after: int) -> tuple[list[_Row], _Holes]:
    """The next rows and the holes before them, of one instant: the agent may be dropping events meanwhile."""
    db.execute("BEGIN")
    try:
        rows = db.execute(
            "SELECT place, hash, body FROM event WHERE place > ? ORDER BY place LIMIT ?", (after, _SLICE)
        ).fetchall()
        newest = rows[-1][0] if rows else after
        holes = db.execute("SELECT first, last, hash FROM gone WHERE last >= ? AND first < ?", (after, newest))
        return rows, {last: (first, hashed) for first, last, hashed in holes}
    finally:
        db.execute("COMMIT")


def _check(row: _Row, holes: _Holes, chain: _Chain) -> str | None:
    place, hashed, body = row
    epoch, seq = epoch_and_seq(place)
    if epoch != epoch_and_seq(chain.place)[0]:
        chain.place, chain.hashed = place_of(epoch, 0), bytes.fromhex(GENESIS)
    if place != chain.place + 1:
        # Holes may lie side by side; the one next to the row must reach back to what was checked, by way of them.
        first, before = place, None
        while first > chain.place + 1 and (hole := holes.get(first - 1)) is not None:
            before = hole[1] if first == place else before
            first = hole[0]
        if first > chain.place + 1:
            return f"event {epoch_and_seq(chain.place)[1] + 1} is missing"
        chain.hashed = before
    try:
        event = schema.read_event(hashed, body)
    except Damaged as damaged:
        return str(damaged)
    document = json.loads(body)
    if (document.get("epoch"), document.get("seq")) != (epoch, seq):
        return "the event belongs to another place"
    if event is not None and event.canonical() != body:
        return "the event is not in its canonical form"
    if chain.hashed is not None and document.get("prev") != chain.hashed.hex():
        return "prev is not the hash of the event before it"
    chain.place, chain.hashed = place, hashed
    return None


def _check_end(db: sqlite3.Connection, epoch: int, chain: _Chain) -> JournalBreak | None:
    """What was acknowledged was there once: an ack beyond the newest event means that the end was cut off."""
    (acked,) = db.execute("SELECT max(last) FROM sent WHERE first > ?", (place_of(epoch, 0),)).fetchone()
    (newest,) = db.execute("SELECT max(place) FROM event").fetchone()
    if acked is not None and (newest is None or acked > newest):
        return JournalBreak(*epoch_and_seq(chain.place + 1), f"events up to {epoch_and_seq(acked)[1]} were cut off")
    return None
