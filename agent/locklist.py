"""The list of lock relays that the stop hook reads (systemd/cardea-safe): one line per pin, so that the hook needs no
parser that can fail, and the pins of the process that died, whatever the configuration says by now."""

from collections.abc import Iterable
from pathlib import Path

from agent.errors import StorageError
from agent.storage.files import write_atomic
from hardware.settings import LockSettings

NAME = "locks"


def write_lock_list(folder: Path, locks: Iterable[LockSettings]) -> None:
    """Replace the list in the runtime directory, before any pin is driven. Raises StorageError."""
    lines = [f"{lock.pin} {lock.active.value} {lock.name}\n" for lock in locks if lock.pin is not None]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / NAME, "".join(lines).encode(), mode=0o644)
    except OSError as error:
        raise StorageError(f"{folder / NAME}: {error.strerror or error}") from error
