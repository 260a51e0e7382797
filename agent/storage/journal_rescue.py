"""Opens the journal whatever state it is in: new, sound, damaged or missing. Must never delete or reuse anything.

A damaged file is copied, row by row as far as it can be read, into a new one that begins the next epoch; then it is
set aside and the new one takes its place. The order of the steps is such that a crash between any two of them is
finished, or begun anew, by the next start.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final

from agent.storage import journal_schema as schema
from agent.storage.database import Damaged, is_damage, open_reader, roll_back
from agent.storage.files import remove_database, rollback_journal, set_aside, sync_directory, write_atomic
from agent.storage.journal_file import JournalFile, JournalSettings
from agent.storage.journal_schema import epoch_and_seq, place_of
from agent.storage.runs import Runs

EPOCH_FILE: Final = "journal.epoch"
"""Holds the highest epoch that was ever begun, so that a deleted journal does not begin an old epoch again."""
_UNREADABLE_EPOCH: Final = 1 << 20
"""Stands for a marker that is there and can't be read: far above what a device reaches by one epoch per damage."""
_LAST_PLACE: Final = (1 << 63) - 1
_Row = tuple[int, int, str | None, bytes, bytes]


def open_journal(settings: JournalSettings, damage: str | None = None, *, check: bool = True) -> JournalFile:
    """The journal, ready to be written. `damage`: what was found while it was open; it is set aside for that.

    `check` reads every page; without it, damage shows when it is met.
    Raises sqlite3.Error, OSError (StorageError among them): the disk refuses, try again later.
    """
    path, successor = settings.path, settings.path.with_name(schema.FILE_NAME + ".new")
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _is_whole(successor):
        # Its predecessor may have lost its log to the set-aside folder already: a second rescue would find less.
        if path.exists():
            set_aside(path)
        _take_place(successor, path)
        damage = None
    if check and damage is None and path.exists():
        roll_back(path)
        damage = _damage(path)
    if damage is not None or not path.exists():
        _begin_epoch(path, successor, damage)
    file = _open(settings, successor)
    if _last_epoch(settings.state_dir) != file.epoch:
        _mark_epoch(settings.state_dir, max(file.epoch, _last_epoch(settings.state_dir)))
    return file


def _open(settings: JournalSettings, successor: Path) -> JournalFile:
    """The file in its place; another one in a new epoch when damage shows only now."""
    with ExitStack() as opened:
        try:
            file = JournalFile(settings)
            opened.callback(file.close)
            file.check_log()
        except (Damaged, sqlite3.Error) as error:
            if not is_damage(error):
                raise
            # The damaged file is closed only then, so that its log goes along into the set-aside folder.
            _begin_epoch(settings.path, successor, str(error))
        else:
            opened.pop_all()
            return file
    return JournalFile(settings)


def _begin_epoch(path: Path, successor: Path, damage: str | None) -> None:
    remove_database(successor)
    known = _last_epoch(path.parent)
    with closing(schema.create(successor, 0)) as new:
        notice: dict[str, str | int] = {"reason": damage[:200] if damage else "the file is missing", "rescued": 0}
        if damage is not None:
            with suppress(sqlite3.Error), closing(open_reader(path)) as old:
                notice["rescued"] = _copy(old, new)
                known = max(known, _epoch_of(old))
        newest = new.execute("SELECT max(place) FROM event").fetchone()[0]
        if newest is not None:
            notice["last_epoch"], notice["last_seq"] = epoch_and_seq(newest)
            known = max(known, epoch_and_seq(newest)[0])
        new.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (known + 1,))
        if known or damage is not None:
            new.execute("INSERT INTO meta VALUES ('notice', ?)", (json.dumps(notice),))
        new.execute("COMMIT")
    _mark_epoch(path.parent, known + 1)
    if damage is not None:
        set_aside(path)
    _take_place(successor, path)


def _take_place(successor: Path, path: Path) -> None:
    successor.rename(path)
    sync_directory(path.parent)


def _is_whole(successor: Path) -> bool:
    # While its rollback journal is there, it was not committed; and a reader could not roll it back.
    return successor.exists() and not rollback_journal(successor).exists() and _damage(successor) is None


def _damage(path: Path) -> str | None:
    try:
        schema.check_pages(path)
    except Damaged as damaged:
        return str(damaged)
    return None


def _last_epoch(state_dir: Path) -> int:
    try:
        text = (state_dir / EPOCH_FILE).read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdecimal() else _UNREADABLE_EPOCH


def _mark_epoch(state_dir: Path, epoch: int) -> None:
    write_atomic(state_dir / EPOCH_FILE, f"{epoch}\n".encode("ascii"))


def _epoch_of(old: sqlite3.Connection) -> int:
    with suppress(sqlite3.Error, Damaged):
        epoch = schema.read_epoch(old)
        if epoch < _UNREADABLE_EPOCH * 2:
            return epoch
    return 0


def _copy(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """Copy what can be read; returns the number of events."""
    held = Runs()
    for row in _readable(old):
        new.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", row)
        held.add(row[0], row[0])
    missing = Runs()
    for first, last in _runs(old):
        new.executemany("INSERT OR IGNORE INTO sent VALUES (?, ?)", held.clip(first, last))
    for epoch in {epoch_and_seq(first)[0] for first, _ in held}:
        newest = new.execute("SELECT max(place) FROM event WHERE place < ?", (place_of(epoch + 1, 0),)).fetchone()[0]
        missing.add(place_of(epoch, 1), newest)
    for first, last in held:
        missing.remove(first, last)
    new.executemany("INSERT INTO gone VALUES (?, ?, NULL)", list(missing))
    for row in _ascending(old, "lost", "epoch, first, last, count, gap"):
        new.execute("INSERT OR IGNORE INTO lost VALUES (?, ?, ?, ?, ?)", row)
    return len(held)


def _runs(old: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    for first, last in _ascending(old, "sent", "first, last"):
        if isinstance(last, int):
            yield first, last


def _ascending(old: sqlite3.Connection, table: str, fields: str) -> Iterator[tuple[Any, ...]]:
    """Rows as far as they can be read. A damaged tree may lead back into itself: keys that do not grow end it."""
    key = -1
    with suppress(sqlite3.Error):
        for row in old.execute(f"{_by_place(table, fields)} ORDER BY number"):
            if row[0] <= key:
                return
            key = row[0]
            yield row


def _by_place(table: str, fields: str) -> str:
    """A query for the fields of a table by their places: the names of columns lie on the disk too, and may have rotted.

    The key, which comes first, is read as the number of the row that it is: one whose type rotted reads as NULL.
    """
    key, _, others = fields.partition(", ")
    return f"WITH found(number, {fields}) AS (SELECT rowid, * FROM {table}) SELECT number AS {key}, {others} FROM found"  # noqa: S608 - our own names


def _readable(old: sqlite3.Connection) -> Iterator[_Row]:
    """Every row that can be read and is what was written.

    Reads on until a damaged page, looks for the next sound one in growing steps, reads back from there to the
    damage, and goes on. So a damaged page costs its own rows and at most a few sound ones between damaged pages.
    """
    place = place_of(1, 0)
    while True:
        last, broken = place, False
        for row in _scan(old, place):
            if row is None:
                broken = True
                break
            last = row[0]
            if _is_sound(row):
                yield row
        if not broken:
            return
        beyond = _beyond(old, last)
        for row in _scan(old, beyond, back=True):
            if row is None or row[0] <= last:
                break
            if _is_sound(row):
                yield row
        if beyond == _LAST_PLACE:
            return
        place = beyond - 1


def _beyond(old: sqlite3.Connection, place: int) -> int:
    """The first row that can be reached beyond the damage after `place`; _LAST_PLACE when none can."""
    step = 1
    while place + step < _LAST_PLACE:
        for row in _scan(old, place + step):
            if row is not None:
                return row[0]
            break
        else:
            break
        step *= 2
    return _LAST_PLACE


def _scan(old: sqlite3.Connection, place: int, *, back: bool = False) -> Iterator[_Row | None]:
    """Rows after `place`, or back from before it; then None if damage ended it.

    A damaged tree may lead back into itself, and a query then never end: rows out of their order are damage too.
    """
    query = _by_place("event", "place, alarm, door, hash, body")
    query += " WHERE number < ? ORDER BY number DESC" if back else " WHERE number > ? ORDER BY number"
    try:
        for row in old.execute(query, (place,)):
            if not _follows(row, place, back):
                yield None
                return
            place = row[0]
            yield row
    except sqlite3.Error:
        # The module steps ahead: the error of the next row takes the sound one before it along.
        with suppress(sqlite3.Error):
            for row in old.execute(f"{query} LIMIT 1", (place,)).fetchall():
                if _follows(row, place, back):
                    yield row
        yield None


def _follows(row: _Row, place: int, back: bool) -> bool:
    return row[0] < place if back else row[0] > place


def _is_sound(row: _Row) -> bool:
    place, _, _, hashed, body = row
    try:
        event = schema.read_event(hashed, body)
    except (Damaged, TypeError):
        return False
    return event is None or place == place_of(event.epoch, event.seq)
