"""The journal's file: its tables, how it is opened, and how an event becomes a row and back.

One table holds every event under its place, `epoch << 40 | seq`: the order of the rows is the order of the device's
history, over all epochs. Of each epoch every place from 1 to the newest is either a row or part of a `gone` run.
What was acknowledged is kept as runs too, so that an ack of 200 events writes one page and not forty.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from agent.errors import StorageError
from agent.storage.database import BUSY_S, Damaged, check, check_tables, is_damage, open_reader
from agent.storage.files import make_private
from cloud.contract import events
from cloud.contract.errors import ContractError, UnknownVersionError
from cloud.contract.events import Event

FILE_NAME: Final = "journal.db"
SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = 0x43445231
_SEQ_BITS: Final = 40
MAX_EPOCH: Final = 1 << (63 - _SEQ_BITS)
"""Places are integers of SQLite's, which have 64 bits and a sign."""
# Three events fill a page, and a commit writes whole pages: at 4 KiB an event costs the disk a fifth more. A journal
# that was made with another size keeps it.
_PAGE_BYTES: Final = 2048
# 1 MiB of log: what a power cut leaves to be replayed, and some 300 events between checkpoints.
_CHECKPOINT_PAGES: Final = (1 << 20) // _PAGE_BYTES
_LOG_LIMIT_BYTES: Final = 2 << 20
_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE event (place INTEGER PRIMARY KEY, alarm INTEGER NOT NULL, door TEXT, hash BLOB NOT NULL,
                    body BLOB NOT NULL);
CREATE INDEX event_alarm ON event (alarm) WHERE alarm = 1;
CREATE TABLE sent (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE gone (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, hash BLOB);
CREATE TABLE lost (epoch INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,
                   gap INTEGER NOT NULL);
"""
# meta holds `epoch` and, where an earlier journal was lost or damaged, `notice`: the detail of the first event, JSON.
# gone.hash is the chain hash of the run's last event, which the event after it holds as `prev`; NULL: not known.
# lost counts, per epoch, the unsent events that were given up since a gap event at place `gap` was last acknowledged.


def place_of(epoch: int, seq: int) -> int:
    """Key of the event `seq` of `epoch`; seq 0 lies before the first."""
    return epoch << _SEQ_BITS | seq


def epoch_and_seq(place: int) -> tuple[int, int]:
    """The inverse of `place_of`."""
    return place >> _SEQ_BITS, place & ((1 << _SEQ_BITS) - 1)


def read_epoch(db: sqlite3.Connection) -> int:
    """The epoch that the journal is in. Raises Damaged, sqlite3.Error: no check of pages sees a byte that rots here."""
    row = db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    if row is None or not isinstance(row[0], int) or not 0 <= row[0] < MAX_EPOCH:
        raise Damaged("it does not say its epoch")
    return row[0]


def create(path: Path, epoch: int) -> sqlite3.Connection:
    """A new, empty journal file, with its transaction still open: unless that is committed, nothing was made.

    Raises sqlite3.Error, OSError.
    """
    make_private(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        f"PRAGMA page_size = {_PAGE_BYTES}; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;"
        f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; {_TABLES}"
    )
    connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch,))
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes. Raises sqlite3.Error, Damaged, StorageError for a file of a later release."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        check_schema(connection)
        # FULL: a commit is on the disk when it returns. In WAL that is one fdatasync.
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0;"
            f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}; PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES};"
            "PRAGMA cache_size = -1024;"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def check_pages(path: Path) -> None:
    """Raise Damaged when SQLite's own check finds a fault. Leaves the file as it is."""
    with closing(open_reader(path)) as connection:
        check_schema(connection)
        check(connection, SCHEMA_VERSION, _TABLES)


def read_event(hashed: bytes, body: bytes) -> Event | None:
    """The event of a row; None for one that only a later release can read. Raises Damaged."""
    if hashlib.sha256(body).digest() != hashed:
        raise Damaged("an event is not the bytes that were written")
    try:
        return events.read_event(body)
    except UnknownVersionError:
        return None
    except ContractError as error:
        raise Damaged(f"an event can't be read: {error}") from error


def check_schema(connection: sqlite3.Connection) -> None:
    """Raise StorageError for a file of a later release: it is precious, so it is not set aside but left alone.

    Raises Damaged for one that is no journal, or whose tables are not those of one.
    """
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise Damaged(str(error)) from error
        raise
    if version > SCHEMA_VERSION:
        raise StorageError(f"the journal was written by a later release (schema {version}); it is left as it is")
    if version == 0:
        raise Damaged("it is not a journal of ours")
    check_tables(connection, SCHEMA_VERSION, _TABLES)
