"""What a disk may hold after a power cut: everything that was synced, and any part of what was not.

Content and names are apart, as on a file system. Of a file, each 512-byte sector of an unsynced write is kept or lost
on its own, whatever was written before or after it; the last of a torn write may be cut at any byte, and what was
being written may come out as garbage. Nothing beside the written bytes is touched. Names (a file made, renamed or
removed, a folder made) are kept in their order, as every journaling file system keeps them: a cut keeps a beginning
of them. A sync of a file does not keep its name; only a sync of the folder does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import Final

SECTOR: Final = 512
_KEPT: Final = (0.0, 0.2, 0.5, 0.8, 1.0)
"""How likely an unsynced write of a file is kept; one is drawn per file and cut, so that extremes meet."""
_TORN: Final = 0.2
_GARBAGE: Final = 0.05
_PENDING_MOST: Final = 20_000
"""Unsynced operations beyond this would slow each cut down: a workload that never syncs is cut short."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes on their way into a file."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A new size of a file, smaller or larger."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """All of a file's content is on the disk when it returns."""

    file: int


@dataclass(frozen=True, slots=True)
class Make:
    """A new name: of a file, or of a folder (None)."""

    path: str
    file: int | None


@dataclass(frozen=True, slots=True)
class Remove:
    """A name goes away."""

    path: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A name changes, and replaces what had it, in one step."""

    path: str
    to: str


@dataclass(frozen=True, slots=True)
class SyncFolder:
    """All names in a folder, and all that changed before the last of them, are on the disk when it returns."""

    path: str


Naming = Make | Remove | Rename
Operation = Write | Truncate | Sync | Make | Remove | Rename | SyncFolder
Names = dict[str, int | None]
Image = dict[str, bytes | None]
"""What a disk holds: content by path, None for a folder."""


@dataclass(slots=True)
class Disk:
    """The durable part and the unsynced rest, as operations go by."""

    files: dict[int, bytearray] = field(default_factory=dict)
    names: Names = field(default_factory=dict)
    unsynced: dict[int, list[Write | Truncate]] = field(default_factory=dict)
    unsynced_names: list[Naming] = field(default_factory=list)

    def do(self, operation: Operation) -> None:
        """One more operation has ended."""
        match operation:
            case Write() | Truncate():
                pending = self.unsynced.setdefault(operation.file, [])
                pending.append(operation)
                assert len(pending) < _PENDING_MOST
            case Sync(file):
                content = self.files.setdefault(file, bytearray())
                for pending_one in self.unsynced.pop(file, ()):
                    _put(content, pending_one)
            case SyncFolder(path):
                touching = (n for n, naming in enumerate(self.unsynced_names, 1) if path in _folders(naming))
                kept = max(touching, default=0)
                for naming in self.unsynced_names[:kept]:
                    _name(self.names, naming)
                del self.unsynced_names[:kept]
            case _:
                self.unsynced_names.append(operation)

    def cut(self, chance: Random, during: Operation | None) -> Image:
        """What may be left when the power goes now, or in the midst of the operation that is next."""
        names = dict(self.names)
        namings: list[Naming] = list(self.unsynced_names)
        if isinstance(during, Naming):
            namings.append(during)
        kept = len(namings) if chance.random() < 0.5 else chance.randint(0, len(namings))
        for naming in namings[:kept]:
            _name(names, naming)
        image: Image = {}
        for path, file in names.items():
            image[path] = None if file is None else self._content(file, chance, during)
        return image

    def _content(self, file: int, chance: Random, during: Operation | None) -> bytes:
        content = bytearray(self.files.get(file, b""))
        likely = chance.choice(_KEPT)
        for operation in self.unsynced.get(file, ()):
            _keep_some(content, operation, likely, chance)
        if isinstance(during, Write) and during.file == file:
            _tear(content, during, chance)
        elif isinstance(during, Truncate) and during.file == file and chance.random() < 0.5:
            _put(content, during)
        return bytes(content)


def write_image(image: Image, folder: Path) -> None:
    """Put what is left into a real folder."""
    for path, content in sorted(image.items()):
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


def read_image(folder: Path) -> Image:
    """All of a real folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith("-shm")
    }


def disk_of(image: Image) -> tuple[Disk, Names]:
    """A disk that holds this and nothing unsynced; and the same names once more, for whoever follows them."""
    disk = Disk()
    for number, (path, content) in enumerate(image.items()):
        disk.names[path] = None if content is None else number
        if content is not None:
            disk.files[number] = bytearray(content)
    return disk, dict(disk.names)


def _put(content: bytearray, operation: Write | Truncate) -> None:
    match operation:
        case Write(_, offset, data):
            _grow(content, offset)
            content[offset : offset + len(data)] = data
        case Truncate(_, size):
            _grow(content, size)
            del content[size:]


def _grow(content: bytearray, size: int) -> None:
    if len(content) < size:
        content.extend(bytes(size - len(content)))


def _keep_some(content: bytearray, operation: Write | Truncate, likely: float, chance: Random) -> None:
    if isinstance(operation, Write) and chance.random() < _TORN:
        _tear(content, operation, chance)
    elif chance.random() < likely:
        _put(content, operation)


def _tear(content: bytearray, write: Write, chance: Random) -> None:
    """Each sector on its own; one of them only in part, or as garbage."""
    for start, data in _sectors(write):
        fate = chance.random()
        if fate < _GARBAGE:
            _put(content, Write(write.file, start, chance.randbytes(len(data))))
        elif fate < 0.15:
            _put(content, Write(write.file, start, data[: chance.randint(0, len(data))]))
        elif fate < 0.6:
            _put(content, Write(write.file, start, data))


def _sectors(write: Write) -> Iterator[tuple[int, bytes]]:
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, write.data[start - write.offset : stop - write.offset]
        start = stop


def _name(names: Names, naming: Naming) -> None:
    match naming:
        case Make(path, file):
            names[path] = file
        case Remove(path):
            names.pop(path, None)
        case Rename(path, to):
            names[to] = names.pop(path)


def _folders(naming: Naming) -> set[str]:
    paths = [naming.path, naming.to] if isinstance(naming, Rename) else [naming.path]
    return {str(PurePosixPath(path).parent) for path in paths}
