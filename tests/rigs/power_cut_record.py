"""Records every operation on the files below a folder while the real storage code runs, for `power_cut_disk` to cut.

SQLite's own come through an apsw VFS: `sqlite3.connect` opens through it while a recording runs. What Python does
itself (making, renaming, removing and syncing files) is taken at the functions of `os`. Nothing of ours is replaced.
"""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import apsw

from tests.rigs.power_cut_disk import (
    Make,
    Names,
    Operation,
    Remove,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Write,
)

_VFS: Final = "cardea-power-cut"
_SYNC_NAME: Final = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
"""Of these, SQLite on Unix syncs the folder with the first sync of the file (unixOpen: UNIXFILE_DIRSYNC)."""
_IN_FULL: Final = "synchronous = FULL"


class Recorder:
    """The operations so far, by paths relative to the folder."""

    def __init__(self, folder: Path, names: Names, synchronous: str = "FULL") -> None:
        """`names`: what is there already. `synchronous`: what a connection gets that asks for FULL."""
        self.operations: list[Operation] = []
        self.synchronous = synchronous
        self._folder = os.path.realpath(folder)
        self._names = dict(names)
        self._numbers = max((number for number in names.values() if number is not None), default=-1) + 1
        self._descriptors: dict[int, str] = {}

    def relative(self, path: object) -> str | None:
        """The path below the folder, "." for itself; None for one that is elsewhere."""
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if not isinstance(text, str) or not text.startswith(self._folder):
            return None
        return os.path.relpath(text, self._folder)

    def file(self, path: str) -> int | None:
        """The number of a known file."""
        return self._names.get(path)

    def opened(self, path: str) -> None:
        """A file is open that may be new."""
        if path not in self._names:
            self.do(Make(path, self._numbers))
            self._numbers += 1

    def do(self, operation: Operation) -> None:
        """Note an operation and follow the names."""
        self.operations.append(operation)
        match operation:
            case Make(path, file):
                self._names[path] = file
            case Remove(path):
                self._names.pop(path)
            case Rename(path, to):
                self._names[to] = self._names.pop(path)
            case _:
                pass

    @contextmanager
    def running(self) -> Iterator[None]:
        """Record what this thread does to the folder's files."""
        vfs = _Vfs(self)
        with ExitStack() as stack:
            stack.callback(vfs.unregister)
            stack.enter_context(patch.object(sqlite3, "connect", self._connect))
            for name in ("open", "close", "fsync", "rename", "replace", "unlink", "mkdir"):
                stack.enter_context(patch.object(os, name, getattr(self, f"_{name}")(getattr(os, name))))
            yield

    def _connect(self, database: str | Path, **settings: Any) -> "Connection":
        return Connection(str(database), self.synchronous, timeout_s=float(settings.get("timeout", 5.0)))

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *more: Any, **named: Any) -> int:
            descriptor = real(path, flags, *more, **named)
            name = self.relative(path)
            if name is not None:
                self._descriptors[descriptor] = name
                if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    self.opened(name)
                    if flags & os.O_TRUNC and (file := self.file(name)) is not None:
                        self.do(Truncate(file, 0))
            return descriptor

        return call

    def _close(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            self._descriptors.pop(descriptor, None)
            real(descriptor)

        return call

    def _fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            name = self._descriptors.get(descriptor)
            file = None if name is None else self.file(name)
            if file is not None:
                # A plain file is written in one piece and synced once.
                self.do(Write(file, 0, Path(self._folder, str(name)).read_bytes()))
            real(descriptor)
            if file is not None:
                self.do(Sync(file))
            elif name is not None:
                self.do(SyncFolder(name))

        return call

    def _rename(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, to: Any, **named: Any) -> None:
            real(path, to, **named)
            name, new = self.relative(path), self.relative(to)
            if name in self._names and new is not None:
                self.do(Rename(str(name), new))

        return call

    _replace = _rename

    def _unlink(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, **named: Any) -> None:
            real(path, **named)
            name = self.relative(path)
            if name in self._names:
                self.do(Remove(str(name)))

        return call

    def _mkdir(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *more: Any, **named: Any) -> None:
            real(path, *more, **named)
            name = self.relative(path)
            if name is not None:
                self.do(Make(name, None))

        return call


class _Vfs(apsw.VFS):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        super().__init__(_VFS, "")

    def xOpen(self, name: Any, flags: list[int]) -> "_File":  # noqa: N802 - SQLite's name
        return _File(self._recorder, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        path = self._recorder.relative(filename)
        if path is not None:
            self._recorder.do(Remove(path))
            if syncdir:
                self._recorder.do(SyncFolder(str(Path(path).parent)))


class _File(apsw.VFSFile):
    def __init__(self, recorder: Recorder, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._recorder = recorder
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._path = recorder.relative(text)
        self._sync_folder = bool(flags[0] & _SYNC_NAME)
        if self._path is not None:
            recorder.opened(self._path)

    def _number(self) -> int | None:
        return None if self._path is None else self._recorder.file(self._path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        super().xWrite(data, offset)
        number = self._number()
        if number is not None:
            self._recorder.do(Write(number, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        super().xTruncate(newsize)
        number = self._number()
        if number is not None:
            self._recorder.do(Truncate(number, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        number = self._number()
        if number is not None:
            self._recorder.do(Sync(number))
            if self._sync_folder:
                self._recorder.do(SyncFolder(str(Path(str(self._path)).parent)))
                self._sync_folder = False


class Connection:
    """What the storage code uses of `sqlite3.Connection`, over apsw and the recording VFS."""

    def __init__(self, database: str, synchronous: str, timeout_s: float) -> None:
        self._synchronous = synchronous
        flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        with _as_sqlite3():
            self._db = apsw.Connection(database, flags, _VFS)
            self._db.set_busy_timeout(int(timeout_s * 1000))

    @property
    def in_transaction(self) -> bool:
        """As of sqlite3."""
        return self._db.in_transaction

    def execute(self, text: str, values: Iterable[Any] = ()) -> "Cursor":
        """As of sqlite3."""
        with _as_sqlite3():
            return Cursor(self._db.execute(self._weakened(text), tuple(values)))

    def executemany(self, text: str, rows: Iterable[Iterable[Any]]) -> "Cursor":
        """As of sqlite3."""
        with _as_sqlite3():
            return Cursor(self._db.executemany(text, (tuple(row) for row in rows)))

    def executescript(self, text: str) -> "Cursor":
        """As of sqlite3: what is open is committed first."""
        with _as_sqlite3():
            if self._db.in_transaction:
                self._db.execute("COMMIT")
            cursor = self._db.execute(self._weakened(text))
            cursor.fetchall()  # apsw stops at the first row
            return Cursor(cursor)

    def close(self) -> None:
        """As of sqlite3, which hides that a reader can't lock for a last checkpoint; apsw tells of it."""
        with _as_sqlite3(), suppress(apsw.IOError):
            self._db.close()

    def _weakened(self, text: str) -> str:
        return text if self._synchronous == "FULL" else text.replace(_IN_FULL, f"synchronous = {self._synchronous}")


class Cursor:
    """What the storage code uses of `sqlite3.Cursor`."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """As of sqlite3."""
        return int(self._cursor.connection.changes())

    def fetchone(self) -> Any:
        """As of sqlite3."""
        with _as_sqlite3():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """As of sqlite3."""
        with _as_sqlite3():
            return list(self._cursor.fetchall())

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    """An error of apsw as the one that the module sqlite3 raises."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise sqlite3.OperationalError(f"Could not decode to UTF-8: {error}") from error
    except apsw.Error as error:
        kind = sqlite3.DatabaseError if isinstance(error, apsw.CorruptError | apsw.NotADBError) else None
        raised = (kind or sqlite3.OperationalError)(str(error))
        raised.sqlite_errorcode = getattr(error, "extendedresult", apsw.SQLITE_ERROR)
        raise raised from error
