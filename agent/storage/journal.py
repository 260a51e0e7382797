"""The journal over SQLite: what the rest of the agent holds in its hands. Thread-safe; does no file work itself."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from agent.core.events import EventDraft, StampedEvent
from agent.errors import JournalUnavailable, StorageError
from agent.ports import JournalStats, StoredEvent
from agent.storage.files import only_writer
from agent.storage.journal_file import JournalFile, JournalSettings
from agent.storage.journal_mailbox import Mailbox, Question, Waiting
from agent.storage.journal_thread import JournalThread
from agent.storage.sealing import fit
from cloud.contract.events import Event

_OPEN_S: Final = 10.0
"""A check or a rescue that takes longer goes on while the doors already work."""
_ANSWER_S: Final = 30.0
_CLOSE_S: Final = 3.0
"""Of the five seconds that a stop may take."""
_T = TypeVar("_T")


class SqliteJournal:
    """`agent.ports.Journal` in `state_dir/journal.db`.

    A disk that refuses is no error here: the journal begins degraded, keeps events in memory, and heals. Raises
    StorageError when another process holds the journal.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        device: str,
        site: str,
        stamp: Callable[[EventDraft], StampedEvent],
        max_events: int = 250_000,
        max_bytes: int = 256 << 20,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stamp` gives the journal's own events (gap, set aside, degraded) their time; called on its thread."""
        self._device, self._site = device, site
        self._mailbox = Mailbox()
        settings = JournalSettings(state_dir, device, site, stamp, max_events, max_bytes)
        self._held = ExitStack()
        self._hold(settings)
        self._thread = JournalThread(settings, self._mailbox, monotonic)
        self._thread.start(_OPEN_S)

    def _hold(self, settings: JournalSettings) -> None:
        try:
            settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held.enter_context(only_writer(settings.path))
        except StorageError:
            raise
        except OSError:
            # The disk takes nothing: the thread reports it and tries on.
            return

    def append(self, stamped: StampedEvent, timeout_s: float) -> Event:
        """See `agent.ports.Journal`. Raises ContractError for an event that no consumer could read."""
        waiting = Waiting(fit(stamped, self._device, self._site))
        self._mailbox.put_event(waiting)
        if not waiting.done.wait(timeout_s):
            self._mailbox.gave_up(waiting, timeout_s)
        if waiting.event is None:
            raise JournalUnavailable(waiting.refused or "the journal ended")
        return waiting.event

    def next_unsent(self, max_events: int, max_bytes: int) -> Sequence[Event]:
        """See `agent.ports.Journal`; at least one event, however large. Raises StorageError."""
        return self._ask(lambda file: file.next_unsent(max_events, max_bytes))

    def mark_sent(self, epoch: int, first: int, last: int) -> None:
        """See `agent.ports.Journal`. Takes effect before any later `next_unsent`; reaches the disk in half a minute."""
        if not 1 <= first <= last:
            raise ValueError(f"no run from {first} to {last}")
        self._mailbox.put_ack(epoch, first, last)

    def wait_for_unsent(self, timeout_s: float) -> bool:
        """See `agent.ports.Journal`."""
        return self._mailbox.wait_for_unsent(timeout_s)

    def events(self, *, since: int = 0, door: str | None = None, limit: int = 1000) -> Sequence[StoredEvent]:
        """See `agent.ports.Journal`. Raises StorageError."""
        found: list[StoredEvent] = []
        after: int | None = since
        # In slices, so that a long search never keeps an append waiting.
        while after is not None and len(found) < limit:
            some, after = self._ask(partial(JournalFile.events, since=after, door=door, limit=limit - len(found)))
            found += some
        return found

    def stats(self) -> JournalStats:
        """See `agent.ports.Journal`."""
        return self._thread.stats()

    def alive(self) -> bool:
        """Whether its thread runs; one that hangs with the disk does."""
        return not self._thread.join(0.0)

    def close(self) -> None:
        """See `agent.ports.Journal`. Gives a hanging disk three seconds."""
        self._mailbox.close()
        if self._thread.join(_CLOSE_S):
            self._held.close()

    def __enter__(self) -> "SqliteJournal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, ask: Callable[[JournalFile], _T]) -> _T:
        question = Question(ask)
        self._mailbox.put_question(question)
        if not question.done.wait(_ANSWER_S):
            raise StorageError(f"the journal did not answer within {_ANSWER_S:g} s")
        if question.error is not None:
            raise question.error
        answer: _T = question.answer
        return answer
