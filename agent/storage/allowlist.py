"""The allow-list over SQLite: one writer, on the sync thread, and one reader, on the controller's.

A version is applied in one transaction: a crash at any byte leaves the old list or the new one. The file can be
rebuilt from the cloud, so a damaged one is set aside and the list begins empty: nobody is admitted by a guess.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from agent.core.model import Holder, Policy
from agent.errors import StorageError
from agent.ports import Applied, ListPosition
from agent.storage import allowlist_schema as schema
from agent.storage.allowlist_changes import Changes, card_key, cards_taken_away, is_readable
from agent.storage.database import Damaged, check, is_damage, is_frozen, open_reader, roll_back
from agent.storage.files import inode_of, set_aside
from cloud.contract.allowlist import Delta, Snapshot
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import instant
from cloud.contract.items import Kind

log = structlog.get_logger(__name__)

_SNAPSHOT_CACHE_KIB: Final = 12 * 1024
"""While a snapshot is applied: keys come in any order, and a small cache would write each page many times."""
_CACHE_KIB: Final = 1024


class SqliteAllowListStore:
    """`agent.ports.AllowListStore` in `state_dir/allowlist.db`. One thread at a time; another may have opened it.

    `on_set_aside` is told why a damaged list was set aside, at the start or later; `position()` is None then.
    Every method raises StorageError when the disk refuses.
    """

    def __init__(self, state_dir: Path, *, on_set_aside: Callable[[str], None]) -> None:
        self._path = state_dir / schema.FILE_NAME
        self._on_set_aside = on_set_aside
        with _as_storage_error(self._path):
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            damage = _find_damage(self._path) if self._path.exists() else None
            if damage is not None:
                self._set_aside(damage)
            self._open()

    def position(self) -> ListPosition | None:
        """See `agent.ports.AllowListStore`."""
        with self._mending():
            row = self._db.execute("SELECT epoch, version FROM list").fetchone()
            return None if row is None else ListPosition(*row)

    def apply_delta(self, delta: Delta) -> Applied:
        """See `agent.ports.AllowListStore`. Raises ValueError for one that does not follow: a fault of the caller."""
        position = self.position()
        if position is None or (position.epoch, position.version) != (delta.epoch, delta.prev_version):
            raise ValueError(f"delta {delta.epoch}/{delta.prev_version}..{delta.version} does not follow {position}")
        with self._mending(), self._transaction():
            changes = Changes(self._db)
            changes.apply(delta.changes)
            return self._arrive(delta, changes)

    def apply_snapshot(self, snapshot: Snapshot) -> Applied:
        """See `agent.ports.AllowListStore`. Raises ValueError for one that is not newer: a fault of the caller."""
        position = self.position()
        if position is not None and (snapshot.epoch, snapshot.version) <= (position.epoch, position.version):
            raise ValueError(f"snapshot {snapshot.epoch}/{snapshot.version} is not newer than {position}")
        with self._mending():
            self._set_cache(_SNAPSHOT_CACHE_KIB)
            try:
                with self._transaction():
                    for table in ("card", "person", "item"):
                        self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
                    changes = Changes(self._db)
                    changes.put_all(snapshot.items)
                    applied = self._arrive(snapshot, changes)
                self._tidy_up()
            finally:
                self._set_cache(_CACHE_KIB)
                self._db.execute("PRAGMA shrink_memory")
            return applied

    def removals(self, change: Delta | Snapshot) -> tuple[int, int]:
        """See `agent.ports.AllowListStore`. A card whose status changes is not taken away."""
        with self._mending():
            row = self._db.execute("SELECT cards FROM list").fetchone()
            held = int(row[0]) if row else 0
            if not held:
                return 0, 0
            if isinstance(change, Delta):
                gone = cards_taken_away(change.changes)
                query = "SELECT 1 FROM card WHERE id = ?"
                return sum(self._db.execute(query, (key,)).fetchone() is not None for key in gone), held
            return held - self._count_kept(change), held

    def close(self) -> None:
        """See `agent.ports.AllowListStore`."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _count_kept(self, snapshot: Snapshot) -> int:
        self._db.execute("CREATE TEMP TABLE kept (id BLOB PRIMARY KEY) WITHOUT ROWID")
        try:
            keys = (
                (card_key(raw.get("id")),)
                for raw in snapshot.items
                if raw.get("kind") == Kind.CARD and is_readable(raw)
            )
            self._db.executemany("INSERT OR IGNORE INTO kept SELECT id FROM card WHERE id = ?", keys)
            return int(self._db.execute("SELECT count(*) FROM kept").fetchone()[0])
        finally:
            self._db.execute("DROP TABLE kept")

    def _arrive(self, change: Delta | Snapshot, changes: Changes) -> Applied:
        (cards,) = self._db.execute("SELECT count(*) FROM card").fetchone()
        (rights_bytes,) = self._db.execute("SELECT sum(length(body)) FROM item").fetchone()
        if (rights_bytes or 0) > schema.MAX_RIGHTS_BYTES:
            raise ContractError(f"list: {rights_bytes} bytes of rights, {schema.MAX_RIGHTS_BYTES} fit")
        row = change.epoch, change.version, instant(change.at), cards
        self._db.execute("INSERT OR REPLACE INTO list VALUES (1, ?, ?, ?, ?)", row)
        return Applied(ListPosition(change.epoch, change.version), cards, changes.refused)

    def _tidy_up(self) -> None:
        """Empty the log. The list is in use already: that this failed must not keep the door from being told."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            if is_damage(error):
                raise
            log.warning("allowlist.untidied", error=str(error))

    def _open(self) -> None:
        self._db = schema.open_writer(self._path)
        self._inode = inode_of(self._path)
        self._set_cache(_CACHE_KIB)

    def _set_cache(self, kib: int) -> None:
        self._db.execute(f"PRAGMA cache_size = -{kib}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _mending(self) -> Iterator[None]:
        """Set a list aside that turns out to be damaged while it is used, and begin empty; so too if it is gone."""
        with _as_storage_error(self._path):
            if inode_of(self._path) != self._inode:
                self._db.close()
                self._on_set_aside("it was deleted or replaced while it was open")
                self._open()
            try:
                yield
            except sqlite3.DatabaseError as error:
                if is_damage(error):
                    self._db.close()
                    self._set_aside(str(error))
                    self._open()
                raise

    def _set_aside(self, why: str) -> None:
        folder = set_aside(self._path)
        self._on_set_aside(f"{why}; kept in {folder.name}")


class SqliteAllowListReader:
    """`agent.ports.AllowListReader` over the store's file. One thread at a time; open the store first.

    Every method raises StorageError when the list can't be read, whether the disk refuses or its content makes no
    sense; the next call opens it anew. A list on a disk that turned read-only is read all the same.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / schema.FILE_NAME
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._frozen = False
        self._policy: Policy | None = None
        self._closed = False

    def policy(self) -> Policy | None:
        """See `agent.ports.AllowListReader`."""
        with self._reading() as db:
            row = db.execute("SELECT epoch, version FROM list").fetchone()
            if not self._is_cached(row):
                self._policy = schema.in_one_transaction(db, lambda: schema.read_policy(db))
            return self._policy

    def find(self, credential: str) -> tuple[Holder | None, Policy | None]:
        """See `agent.ports.AllowListReader`. Raises ValueError for what is no keyed hash."""
        key = bytes.fromhex(credential)
        with self._reading() as db:
            position, holder = schema.find(db, key)
            if not self._is_cached(position):
                holder, self._policy = schema.in_one_transaction(
                    db, lambda: (schema.find(db, key)[1], schema.read_policy(db))
                )
            return holder, self._policy

    def count_cards(self) -> int:
        """See `agent.ports.AllowListReader`."""
        with self._reading() as db:
            row = db.execute("SELECT cards FROM list").fetchone()
            return int(row[0]) if row else 0

    def close(self) -> None:
        """See `agent.ports.AllowListReader`."""
        self._closed = True
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _is_cached(self, position: tuple[int, int] | None) -> bool:
        if position is None:
            self._policy = None
            return True
        return self._policy is not None and (self._policy.epoch, self._policy.version) == position

    def _open(self) -> sqlite3.Connection:
        self._inode = self._path.stat().st_ino
        self._frozen = is_frozen(self._path)
        self._db = open_reader(self._path)
        self._policy = None
        return self._db

    def _is_replaced(self) -> bool:
        """Whether another list has the name: the store set a damaged one aside. One without a name is still read."""
        thawed = self._frozen and not is_frozen(self._path)
        return thawed or inode_of(self._path) not in (self._inode, None)

    def _release(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _as_storage_error(self._path):
            if self._closed:
                raise StorageError("the allow-list is closed")
            if self._db is None or self._is_replaced():
                self._release()
                self._open()
            assert self._db is not None  # noqa: S101 - tells the type checker what `_open` did
            try:
                yield self._db
            except Exception as error:
                # Not of the database only: content that rotted fails wherever it is understood.
                self._release()
                raise StorageError(f"{self._path.name}: {error or type(error).__name__}") from error


@contextmanager
def _as_storage_error(path: Path) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{path.name}: {error}") from error


def _find_damage(path: Path) -> str | None:
    try:
        roll_back(path)
        with closing(open_reader(path)) as db:
            check(db, schema.SCHEMA_VERSION, schema.TABLES)
            if db.execute("PRAGMA user_version").fetchone()[0]:
                # Kept, it would deny every entry until the site's next list: the cloud only confirms what is held.
                schema.in_one_transaction(db, lambda: schema.read_policy(db))
    except (Damaged, ContractError, sqlite3.Error) as error:
        if isinstance(error, ContractError) or is_damage(error):
            return str(error)
        raise
    return None
