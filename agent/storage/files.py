"""Plain files that survive a power cut, and moving a damaged database aside. Must never delete what it can't read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.errors import StorageError

SET_ASIDE: Final = "set-aside"
"""Folder beside the databases; damaged ones stay there until a person takes them."""
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file: a crash at any instant leaves the old or the new content, whole. Raises OSError."""
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private(path: Path) -> None:
    """Create a file that only its owner can read, unless it is there; SQLite gives its -wal and -shm the same mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def set_aside(database: Path) -> Path:
    """Move a closed database with its side files into `set-aside/<n>/`; returns that folder. Raises OSError."""
    root = database.parent / SET_ASIDE
    root.mkdir(mode=0o700, exist_ok=True)
    taken = [int(entry.name) for entry in root.iterdir() if entry.name.isdecimal()]
    folder = root / str(max(taken, default=0) + 1)
    folder.mkdir(mode=0o700)
    # The main file goes last: as long as it is in place, the next start finds the damage again and finishes the move.
    for suffix in reversed(_SUFFIXES):
        side = database.with_name(database.name + suffix)
        with suppress(FileNotFoundError):
            side.rename(folder / side.name)
    for directory in (folder, root, database.parent):
        sync_directory(directory)
    return folder


def remove_database(database: Path) -> None:
    """Delete an unfinished database of our own making and its side files."""
    for suffix in _SUFFIXES:
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def inode_of(path: Path) -> int | None:
    """What tells a file from another one of the same name; None when there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def rollback_journal(database: Path) -> Path:
    """What lies beside a database while a transaction outside WAL is not committed."""
    return database.with_name(database.name + "-journal")


@contextmanager
def only_writer(database: Path) -> Iterator[None]:
    """Hold a database for this process; raises StorageError when another one holds it."""
    descriptor = os.open(database.with_name(database.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"{database} is in use by another process") from None
        yield
    finally:
        os.close(descriptor)
