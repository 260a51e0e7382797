"""The floor under everything that is recorded: one row committed to a bare table, synchronous=FULL."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def bare_table(path: Path) -> Iterator[sqlite3.Connection]:
    """A database with nothing but a table for events."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        db.execute("CREATE TABLE event (place INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        yield db


def commit_ms(db: sqlite3.Connection, body: bytes) -> float:
    """Store one body; the milliseconds until it is on disk."""
    start = time.perf_counter()
    db.execute("INSERT INTO event (body) VALUES (?)", (body,))
    return (time.perf_counter() - start) * 1000
