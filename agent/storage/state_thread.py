"""Small state, written by a thread of its own: whoever saves waits a bounded time, whatever the disk does.

The controller saves who is where and which door burns. It must not hang with a disk that stalls: it still has to open
for those who want to leave.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from agent.errors import StorageError
from agent.ports import StateStore

log = structlog.get_logger(__name__)

WAIT_S: Final = 0.25
"""As long as the journal makes a person at the door wait for the disk. Once it was late, nobody waits until it has
caught up."""
MAX_PENDING: Final = 10_000
"""Entries that wait for the disk; each key counts once. Full policy: the oldest is forgotten, which costs memory at
the next restart, never a decision now."""
_CLOSE_S: Final = 0.5
"""Of the five seconds that a stop may take."""

_Key = tuple[str, str]


@dataclass(eq=False, slots=True)
class _Entry:
    value: str | None
    durable: bool
    done: threading.Event = field(default_factory=threading.Event)
    error: StorageError | None = None


class ThreadedStateStore:
    """`agent.ports.StateStore` over another one, which it owns from here on. Saves may come from any thread."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._pending: dict[_Key, _Entry] = {}
        self._late = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def load(self, name: str) -> Mapping[str, str]:
        """See `agent.ports.StateStore`. At the start only: while nothing is being saved."""
        return self._store.load(name)

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        """See `agent.ports.StateStore`. Raises StorageError when the disk refuses, or is late: it is written later."""
        with self._changed:
            if self._closing:
                raise StorageError("the state is closed")
            former = self._pending.pop((name, key), None)
            entry = _Entry(value, durable or (former is not None and former.durable))
            self._pending[name, key] = entry
            if len(self._pending) > MAX_PENDING:
                del self._pending[next(iter(self._pending))]
            self._changed.notify_all()
            wait_s = 0.0 if self._late else WAIT_S
        if not entry.done.wait(wait_s):
            with self._changed:
                self._late = bool(self._pending) or not entry.done.is_set()
            raise StorageError(f"not on disk within {wait_s:g} s; it is written once the disk takes it")
        if entry.error is not None:
            raise entry.error

    def alive(self) -> bool:
        """Whether its thread runs; one that hangs with the disk does."""
        return self._thread.is_alive()

    def close(self) -> None:
        """See `agent.ports.StateStore`. Gives a hanging disk half a second."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        try:
            while (taken := self._take()) is not None:
                (name, key), entry = taken
                try:
                    self._store.save(name, key, entry.value, durable=entry.durable)
                except StorageError as error:
                    entry.error = error
                except Exception as error:
                    log.exception("state.failed")
                    entry.error = StorageError(f"{type(error).__name__}: {error}")
                entry.done.set()
        finally:
            self._store.close()

    def _take(self) -> tuple[_Key, _Entry] | None:
        """The oldest entry that waits; None at the end."""
        with self._changed:
            if not self._pending:
                self._late = False
            self._changed.wait_for(lambda: self._pending or self._closing)
            if not self._pending:
                return None
            key = next(iter(self._pending))
            return key, self._pending.pop(key)
