"""Small state that survives a restart: presence, latches. Strings by table and key.

WAL with synchronous=NORMAL: a power cut may take back the last entries, never tear the file. An entry that must not
be taken back is saved `durable`: that one commit runs under FULL on the same connection, and its flush of the log
carries all entries before it to the disk too.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from agent.errors import StorageError
from agent.storage.database import Damaged, check, is_damage
from agent.storage.files import inode_of, make_private, set_aside

log = structlog.get_logger(__name__)

FILE_NAME: Final = "state.db"
_SCHEMA_VERSION: Final = 1
_TABLES: Final = f"""
BEGIN;
CREATE TABLE entry (name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID;
PRAGMA user_version = {_SCHEMA_VERSION};
COMMIT;
"""


class SqliteStateStore:
    """`agent.ports.StateStore` in `state_dir/state.db`. One thread at a time, which need not be the one that opens it.

    A damaged file is set aside and the state begins empty; `on_set_aside` is told why. While the disk refuses, each
    method raises StorageError and the next one opens the file anew: a door starts and goes on without its state.
    """

    def __init__(self, state_dir: Path, *, on_set_aside: Callable[[str], None]) -> None:
        self._path = state_dir / FILE_NAME
        self._on_set_aside = on_set_aside
        self._db: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._closed = False
        with suppress(StorageError), self._using():
            pass

    def load(self, name: str) -> Mapping[str, str]:
        """See `agent.ports.StateStore`. A value that rotted comes as it is: that it is there may be what counts."""
        with self._using() as db:
            # As bytes: text that rotted must not hide the others.
            query = "SELECT CAST(key AS BLOB), CAST(value AS BLOB) FROM entry WHERE name = ?"
            rows: list[tuple[bytes, bytes]] = db.execute(query, (name,)).fetchall()
        entries = {}
        for key, value in rows:
            try:
                entries[key.decode()] = value.decode(errors="replace")
            except UnicodeDecodeError as error:
                log.error("state.unreadable", table=name, error=f"an entry is nobody's any more: {error.reason}")
        return entries

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        """See `agent.ports.StateStore`."""
        with self._using() as db:
            # Only between transactions does SQLite take this.
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            if value is None:
                removed = db.execute("DELETE FROM entry WHERE name = ? AND key = ?", (name, key)).rowcount
                if durable and not removed:
                    # Nothing to write, so nothing was flushed; an earlier removal may still be on its way.
                    db.execute("PRAGMA wal_checkpoint").fetchone()
            else:
                db.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", (name, key, value))

    def close(self) -> None:
        """See `agent.ports.StateStore`."""
        self._closed = True
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(self._path)
        log = self._path.with_name(self._path.name + "-wal")
        crashed = log.exists() and log.stat().st_size > 0
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            check(db, _SCHEMA_VERSION, _TABLES)
            db.executescript("PRAGMA journal_mode = WAL; PRAGMA mmap_size = 0; PRAGMA cache_size = -256;")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                db.executescript(_TABLES)
            if crashed:
                # After a failed flush the kernel calls lost pages clean; written into the file and flushed, they are.
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._inode = inode_of(self._path)
        except BaseException:
            db.close()
            raise
        return db

    def _begin_empty(self, why: str) -> None:
        folder = set_aside(self._path)
        self._db = self._open()
        self._on_set_aside(f"{why}; kept in {folder.name}")

    def _release(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The open file; after an error it is opened anew, and after damage it is another one."""
        try:
            if self._closed:
                raise StorageError("is closed")
            if self._db is not None and inode_of(self._path) != self._inode:
                self._release()
                self._on_set_aside("it was deleted or replaced while it was open")
            if self._db is None:
                try:
                    self._db = self._open()
                except Damaged as damaged:
                    self._begin_empty(str(damaged))
            assert self._db is not None  # noqa: S101 - tells the type checker what `_open` did
            try:
                yield self._db
            except sqlite3.DatabaseError as error:
                self._release()
                if is_damage(error):
                    self._begin_empty(str(error))
                raise
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{self._path.name}: {error}") from error
