"""What the three SQLite files have in common: reading without changing, and telling damage from a refusing disk."""

import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

from agent.storage.files import rollback_journal

BUSY_S: Final = 1.0
"""Only a reader of ours can be in the way, and never for long."""
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Damaged(Exception):  # noqa: N818 - named for what happened
    """A file's content is not what was written: it must be set aside."""


def is_damage(error: Exception) -> bool:
    """Whether the error says that the content is broken, rather than that the disk refuses."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _DAMAGE
    return isinstance(error, Damaged)


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can change nothing, not even by a checkpoint. Raises sqlite3.Error.

    For one thread at a time, which need not be the one that opens it. Spent once `is_frozen` changes.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if is_frozen(path) else "")
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
    connection.execute("PRAGMA query_only = 1")
    return connection


def is_frozen(path: Path) -> bool:
    """Whether the file is whole by itself on a file system that is mounted read-only.

    SQLite can't make the side files there that it reads a WAL database with, and must be told that nobody writes.
    """
    log = path.with_name(path.name + "-wal")
    return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY) and not (log.exists() and log.stat().st_size)


def roll_back(path: Path) -> None:
    """Undo a transaction outside WAL that a crash cut short; a reader can't, and is refused until somebody has.

    Damage is left to be found by `check`. Raises sqlite3.Error when the disk refuses.
    """
    if rollback_journal(path).exists():
        with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)) as connection:
            try:
                connection.execute("PRAGMA user_version").fetchone()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise


def check(connection: sqlite3.Connection, version: int, tables: str) -> None:
    """Raise Damaged unless the pages are sound and hold what this script makes, in this version, or nothing at all.

    Nothing at all is what a first start leaves that was cut short before its tables were made.
    """
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise Damaged(str(verdict))
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise Damaged(str(error)) from error
        raise
    check_tables(connection, version, tables)


def check_tables(connection: sqlite3.Connection, version: int, tables: str) -> None:
    """The part of `check` that takes no time: the tables, by the text that made them.

    That text lies on the disk like all else. A byte of it that changed gives a column another name, which is no fault
    of a page: every query would fail, and none of them with an error that says damage.
    """
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        made = _made(connection)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise Damaged(str(error)) from error
        raise
    if (found or made) and found != version:
        raise Damaged(f"its schema is {found}, known is {version}")
    if made != (_made_by(tables) if found else frozenset()):
        raise Damaged("its tables are not those that were made")


def _made(connection: sqlite3.Connection) -> frozenset[tuple[bytes, bytes, bytes | None]]:
    # As bytes: what rotted need not be text any more.
    query = "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_master"
    return frozenset(connection.execute(query).fetchall())


@cache
def _made_by(tables: str) -> frozenset[tuple[bytes, bytes, bytes | None]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
        empty.executescript(tables)
        return _made(empty)
