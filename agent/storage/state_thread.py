"""Small state, written by a thread of its own: whoever saves waits a bounded time, whatever the disk does.

The controller saves who is where and which door burns. It must not hang with a disk that stalls: it still has to open
for those who want to leave. What the disk refuses is tried again until it takes it: nobody saves a fire state twice.
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
"""Entries that wait for the disk; each key counts once. Full policy: the oldest is forgotten, a durable one last, which
costs memory at the next restart, never a decision now."""
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
"""Between attempts at what was refused, as the journal's; the first entry that the disk takes brings the rest along."""
_CLOSE_S: Final = 0.5
"""Of the five seconds that a stop may take."""

_Key = tuple[str, str]


@dataclass(eq=False, slots=True)
class _Entry:
    value: str | None
    durable: bool
    done: threading.Event = field(default_factory=threading.Event)
    refused: str | None = None
    """Why the disk did not take it, the last time that it was tried."""


class ThreadedStateStore:
    """`agent.ports.StateStore` over another one, which it owns from here on. Saves may come from any thread."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._pending: dict[_Key, _Entry] = {}
        self._refused: dict[_Key, _Entry] = {}
        """Entries whose callers were told that the disk refuses."""
        self._wait_s = 0.0
        self._late = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def load(self, name: str) -> Mapping[str, str]:
        """See `agent.ports.StateStore`. At the start only: while nothing is being saved."""
        return self._store.load(name)

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        """See `agent.ports.StateStore`. Raises StorageError when the disk refuses or is late: it is written later."""
        with self._changed:
            if self._closing:
                raise StorageError("the state is closed")
            former = self._pending.pop((name, key), None) or self._refused.pop((name, key), None)
            entry = _Entry(value, durable or (former is not None and former.durable))
            self._pending[name, key] = entry
            if len(self._pending) + len(self._refused) > MAX_PENDING:
                self._forget_one()
            self._changed.notify_all()
            wait_s = 0.0 if self._late else WAIT_S
        if not entry.done.wait(wait_s):
            with self._changed:
                self._late = bool(self._pending) or not entry.done.is_set()
            raise StorageError(f"not on disk within {wait_s:g} s; it is written once the disk takes it")
        if entry.refused is not None:
            raise StorageError(entry.refused)

    def alive(self) -> bool:
        """Whether its thread runs; one that hangs with the disk does."""
        return self._thread.is_alive()

    def close(self) -> None:
        """See `agent.ports.StateStore`. Gives a hanging disk half a second."""
        with self._changed:
            # Each is tried once more, and there may be time for some only.
            self._refused = dict(sorted(self._refused.items(), key=lambda item: not item[1].durable))
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_CLOSE_S)

    def _forget_one(self) -> None:
        for waiting in (self._refused, self._pending):
            for key, entry in waiting.items():
                if not entry.durable:
                    del waiting[key]
                    return
        oldest = self._refused or self._pending
        del oldest[next(iter(oldest))]

    def _run(self) -> None:
        try:
            while (taken := self._take()) is not None:
                self._write(*taken)
        finally:
            self._store.close()

    def _write(self, key: _Key, entry: _Entry) -> None:
        try:
            self._store.save(*key, entry.value, durable=entry.durable)
            self._wait_s = 0.0
        except Exception as error:
            # First: without memory even words fail.
            self._keep(key, entry)
            again, expected = entry.refused is not None, isinstance(error, StorageError)
            entry.refused = str(error) if expected else f"{type(error).__name__}: {error}"
            if not (again or expected):
                log.exception("state.failed")
        finally:
            entry.done.set()

    def _keep(self, key: _Key, entry: _Entry) -> None:
        """Try it again later, unless there is a newer one of its key; at the end nothing is tried again."""
        with self._changed:
            self._wait_s = min(max(_FIRST_WAIT_S, self._wait_s * 2), _LONGEST_WAIT_S)
            newer = self._pending.get(key)
            if newer is not None:
                newer.durable = newer.durable or entry.durable
            elif not self._closing:
                self._refused[key] = entry

    def _take(self) -> tuple[_Key, _Entry] | None:
        """The oldest entry that waits; None at the end."""
        with self._changed:
            if not self._pending:
                self._late = False
            # A new entry is as good a trial of the disk as one that it refused.
            self._changed.wait_for(lambda: self._pending or self._closing, self._wait_s if self._refused else None)
            waiting = self._pending or self._refused
            if not waiting:
                return None
            key = next(iter(waiting))
            return key, waiting.pop(key)
