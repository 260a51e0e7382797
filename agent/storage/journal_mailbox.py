"""What other threads hand to the journal's thread: events, acks, questions. Bounded; the only lock of the journal.

Full of events (1,000): the oldest is lost and counted, so that a dying disk costs history and never memory.
Full of questions (64): the next one is refused at once.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from agent.core.events import StampedEvent
from agent.errors import JournalUnavailable, StorageError
from agent.storage.journal_file import JournalFile
from cloud.contract.events import Event

RING_EVENTS: Final = 1000
_QUESTIONS: Final = 64
BATCH_EVENTS: Final = 100
"""Events that share one commit at most."""


@dataclass(eq=False, slots=True)
class Waiting:
    """An event on its way to the disk, and whoever waits for it."""

    stamped: StampedEvent
    done: threading.Event = field(default_factory=threading.Event)
    event: Event | None = None
    refused: str | None = None

    def refuse(self, why: str) -> None:
        """Tell the caller that it is not on disk; it stays in the ring. Only the first answer counts."""
        if not self.done.is_set():
            self.refused = why
            self.done.set()

    def written(self, event: Event) -> None:
        """Tell the caller that it is on disk."""
        if not self.done.is_set():
            self.event = event
            self.done.set()


@dataclass(eq=False, slots=True)
class Question:
    """Something to ask the open file, and its answer."""

    ask: Callable[[JournalFile], Any]
    done: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """Events that the ring had no room for."""

    count: int
    first_at: str
    last_at: str

    def plus(self, other: "Lost") -> "Lost":
        """Both losses as one."""
        first, last = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        return Lost(self.count + other.count, first, last)


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do."""

    events: list[Waiting]
    acks: list[tuple[int, int, int]]
    questions: list[Question]
    closing: bool


class Mailbox:
    """See the module."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        """For the journal's thread."""
        self._news = threading.Condition(lock)
        """For the sender: one that wakes up with each event would only be in the way of its commit."""
        self._events: deque[Waiting] = deque()
        self._acks: list[tuple[int, int, int]] = []
        self._questions: deque[Question] = deque()
        self._lost: Lost | None = None
        self._unsent = 0
        self._acks_taken = False
        """Acks were taken that `_unsent` does not show yet."""
        self._closing = False
        self._late = False
        self._refusing: str | None = None

    @property
    def waiting(self) -> int:
        """Number of events that the disk has not taken."""
        return len(self._events)

    @property
    def late(self) -> bool:
        """Whether a caller gave up waiting since the last commit."""
        return self._late

    def put_event(self, waiting: Waiting) -> None:
        """Hand over an event; refused at once, but kept, while the disk refuses. Raises JournalUnavailable: closed."""
        with self._work:
            if self._closing:
                raise JournalUnavailable("the journal is closed")
            self._events.append(waiting)
            self._drop_surplus()
            if self._refusing is not None:
                waiting.refuse(self._refusing)
            self._work.notify_all()

    def put_ack(self, epoch: int, first: int, last: int) -> None:
        """Hand over an ack. One run is in flight at a time, so these are few. Raises StorageError: closed."""
        with self._work:
            if self._closing:
                raise StorageError("the journal is closed")
            self._acks.append((epoch, first, last))
            self._work.notify_all()

    def put_question(self, question: Question) -> None:
        """Hand over a question. Raises StorageError: closed, or too many are open."""
        with self._work:
            if self._closing:
                raise StorageError("the journal is closed")
            if len(self._questions) >= _QUESTIONS:
                raise StorageError(f"{_QUESTIONS} questions to the journal are open: its disk is slow")
            self._questions.append(question)
            self._work.notify_all()

    def gave_up(self, waiting: Waiting, timeout_s: float) -> bool:
        """A caller's time is over: True unless the answer came in this very moment."""
        with self._work:
            if waiting.done.is_set():
                return False
            self._late = True
            waiting.refuse(f"not on disk within {timeout_s:g} s")
            return True

    def close(self) -> None:
        """Let nothing more in."""
        with self._work:
            self._closing = True
            self._work.notify_all()
            self._news.notify_all()

    def wait_for_unsent(self, timeout_s: float) -> bool:
        """Block until something is unsent and no ack waits that could change that; False after `timeout_s`."""
        with self._news:
            return self._news.wait_for(self._something_to_send, timeout_s) and not self._closing

    def _something_to_send(self) -> bool:
        return self._unsent > 0 and not self._acks and not self._acks_taken

    # The rest is for the journal's own thread.

    def take(self, timeout_s: float, *, events: bool) -> Work:
        """Wait for something to do. Without `events` (the disk refuses) events and acks stay where they are."""
        with self._work:
            self._work.wait_for(
                lambda: self._closing or self._questions or (events and (self._events or self._acks)), timeout_s
            )
            taken = [self._events.popleft() for _ in range(min(len(self._events), BATCH_EVENTS))] if events else []
            acks = self._acks if events else []
            if events:
                self._acks = []
                self._acks_taken = bool(acks)
            questions = list(self._questions)
            self._questions.clear()
            return Work(taken, acks, questions, self._closing)

    def put_back(self, events: Iterable[Waiting], lost: Lost | None) -> None:
        """What could not be written goes first again, and what could not be told is still to tell."""
        with self._work:
            self._events.extendleft(reversed(list(events)))
            if lost is not None:
                self._lost = lost if self._lost is None else lost.plus(self._lost)
            self._drop_surplus()

    def refuse(self, why: str) -> None:
        """The disk refuses: answer everyone who waits, and everyone who comes, at once."""
        with self._work:
            self._refusing = why
            for waiting in self._events:
                waiting.refuse(why)

    def accept(self) -> None:
        """The disk takes events again."""
        with self._work:
            self._refusing = None
            self._late = False

    def take_lost(self) -> Lost | None:
        """What the ring lost since the last call."""
        with self._work:
            lost, self._lost = self._lost, None
            return lost

    def publish_unsent(self, count: int) -> None:
        """Wake those who wait for something to send."""
        with self._news:
            self._unsent = count
            self._acks_taken = False
            self._news.notify_all()

    def _drop_surplus(self) -> None:
        while len(self._events) > RING_EVENTS:
            oldest = self._events.popleft()
            oldest.refuse(f"lost: {RING_EVENTS} events wait for the disk")
            at, known = oldest.stamped.at, self._lost
            self._lost = known.plus(Lost(1, at, at)) if known else Lost(1, at, at)
