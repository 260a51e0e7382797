"""The list of lock relays that the stop hook reads (systemd/cardea-safe): one line per pin, so that the hook needs no
parser that can fail, and the pins of the process that died, whatever the configuration says by now."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.errors import StorageError
from agent.storage.files import only_writer, write_atomic
from hardware.settings import LockSettings

NAME = "locks"


@contextmanager
def lock_list(folder: Path, locks: Iterable[LockSettings]) -> Iterator[None]:
    """Write the list into the runtime directory, before any pin is driven, and hold it. It stays when this ends.

    Raises StorageError, also when another agent holds it: the list must not lose the pins that are being driven.
    """
    lines = [f"{lock.pin} {lock.active.value} {lock.name}\n" for lock in locks if lock.pin is not None]
    path = folder / NAME
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(only_writer(path))
            write_atomic(path, "".join(lines).encode(), mode=0o644)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror or error}") from error
        yield
