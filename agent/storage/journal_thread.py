"""The journal's own thread: the only one that touches the file. Groups commits, outlives a disk that refuses.

While the disk refuses, callers are told at once and their events wait in memory; the file is opened anew after a
growing wait until it works. A commit whose outcome is unknown is looked up then, so that nothing is written twice;
and the log is flushed through before anything is believed, because after a failed fsync the kernel calls lost pages
clean.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol

from agent.core.events import EventDraft
from agent.errors import StorageError
from agent.ports import JournalStats
from agent.storage.database import Damaged, is_damage
from agent.storage.journal_file import ACKS_TOGETHER, JournalFile, JournalSettings
from agent.storage.journal_mailbox import Lost, Mailbox, Question, Waiting, Work
from agent.storage.journal_rescue import open_journal
from cloud.contract.events import EventType

_FLUSH_ACKS_S: Final = 30.0
"""An ack that no event has carried to the disk is written after this: one that a crash takes is a harmless resend."""
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
"""Between attempts to open a file that the disk refused; a person who frees space sees it heal at once."""
_IDLE_S: Final = 60.0
_OPENING: Final = "it is being opened"
_Detail = dict[str, str | int | float | bool | None]
_LATE: Final = "an event was not on disk in time"


class Opener(Protocol):
    """How the thread gets an open file: `open_journal`."""

    def __call__(self, settings: JournalSettings, damage: str | None = None, *, check: bool = True) -> JournalFile:
        """The journal, ready to be written."""


@dataclass(slots=True)
class _Doubt:
    """A commit whose outcome is not known, from the moment that its events are nowhere else."""

    epoch: int
    seq: int
    """Of the newest event before it."""
    events: list[Waiting]
    own: list[Waiting] = field(default_factory=list)
    lost: Lost | None = None

    @property
    def size(self) -> int:
        return len(self.own) + (self.lost is not None) + len(self.events)


class JournalThread:
    """Owner of the open file; see the module."""

    def __init__(
        self,
        settings: JournalSettings,
        mailbox: Mailbox,
        monotonic: Callable[[], float],
        opener: Opener = open_journal,
    ) -> None:
        self._settings = settings
        self._mailbox = mailbox
        self._monotonic = monotonic
        self._open = opener
        self._checked = False
        self._file: JournalFile | None = None
        self._stats = JournalStats(0, 0, 0, None, 0, 0, None)
        self._trouble: str | None = _OPENING
        self._told = False
        """Whether `journal.degraded` was made for the present trouble."""
        self._own: list[Waiting] = []
        """Events of the journal's own, to be written before what waits."""
        self._doubt: _Doubt | None = None
        self._damage: tuple[str, int] | None = None
        """What is wrong with the file, and its inode: a new file in its place is not damaged."""
        self._wait_s = 0.0
        self._retry_at = 0.0
        self._flush_at: float | None = None
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        mailbox.refuse(_OPENING)

    def start(self, wait_s: float) -> None:
        """Begin, and give the first attempt to open the file so much time."""
        self._thread.start()
        self._opened.wait(wait_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False when the disk hangs."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stats(self) -> JournalStats:
        """The measure as of the last change; any thread."""
        doubt = self._doubt
        waiting = self._mailbox.waiting + (len(doubt.events) if doubt else 0)
        return replace(self._stats, waiting=waiting, degraded=self._trouble or (_LATE if self._mailbox.late else None))

    def _run(self) -> None:
        self._guard(self._reopen)
        self._opened.set()
        while True:
            work = self._mailbox.take(self._timeout_s(), events=self._file is not None)
            self._guard(partial(self._do, work))
            if self._file is None and (work.closing or self._monotonic() >= self._retry_at):
                self._guard(self._reopen)
            if work.closing and (self._file is None or not (self._mailbox.waiting or self._own)):
                break
        self._guard(self._finish)

    def _timeout_s(self) -> float:
        if self._file is None:
            return max(0.0, self._retry_at - self._monotonic())
        if self._own:
            return 0.0
        return _IDLE_S if self._flush_at is None else max(0.0, self._flush_at - self._monotonic())

    def _do(self, work: Work) -> None:
        file = self._file
        if file is not None:
            self._guard(partial(self._carry_out, file, work))
        for question in work.questions:
            self._answer(question)

    def _carry_out(self, file: JournalFile, work: Work) -> None:
        # First of all: whatever fails from here on, what was taken out of the mailbox must not vanish.
        self._doubt = doubt = _Doubt(file.epoch, file.seq, work.events)
        for ack in work.acks:
            file.mark_sent(*ack)
        self._write(file, doubt)
        self._flush_when_due(file)
        self._publish()

    def _write(self, file: JournalFile, doubt: _Doubt) -> None:
        self._doubt = doubt
        doubt.own, self._own = self._own, doubt.own
        doubt.lost = self._mailbox.take_lost()
        batch = [*doubt.own, *([] if doubt.lost is None else [self._gap(doubt.lost)]), *doubt.events]
        if batch or file.notice() is not None:
            sealed = file.write([waiting.stamped for waiting in batch])
            self._doubt = None
            try:
                # First, so that whoever has an event also finds it in the measure. The sender is told later: the relay
                # waits for these events, and both would be after the same lock of Python's.
                self._stats = file.stats()
            finally:
                for waiting, event in zip(batch, sealed, strict=True):
                    waiting.written(event)
            self._after_commit()
        self._doubt = None

    def _after_commit(self) -> None:
        late = self._mailbox.late
        self._mailbox.accept()
        if late and self._trouble is None:
            self._begin_trouble(_LATE)
        elif not late and self._trouble is not None and not self._mailbox.waiting and not self._own:
            self._own.append(self._make(EventType.JOURNAL_RECOVERED, {"reason": self._trouble}))
            self._trouble, self._told = None, False

    def _answer(self, question: Question) -> None:
        if self._file is None:
            question.error = StorageError(f"the journal can't be read: {self._trouble}")
        else:
            try:
                question.answer = question.ask(self._file)
                self._publish()
            except (sqlite3.Error, Damaged) as error:
                question.error = StorageError(f"the journal can't be read: {error}")
                self._fail(error)
        question.done.set()

    def _flush_when_due(self, file: JournalFile) -> None:
        now_s = self._monotonic()
        if file.acks >= ACKS_TOGETHER or (self._flush_at is not None and now_s >= self._flush_at):
            file.flush_acks()
        if not file.acks:
            self._flush_at = None
        elif self._flush_at is None:
            self._flush_at = now_s + _FLUSH_ACKS_S

    def _reopen(self) -> None:
        path, damage = self._settings.path, None
        if self._damage is not None and path.exists() and path.stat().st_ino == self._damage[1]:
            damage = self._damage[0]
        # Reading every page again at each attempt would keep a large journal on a full disk busy with nothing else.
        file = self._file = self._open(self._settings, damage, check=not self._checked)
        self._damage, self._checked = None, True
        self._settle(file)
        if self._trouble == _OPENING:
            self._trouble = None
            self._mailbox.accept()
        self._write(file, _Doubt(file.epoch, file.seq, []))
        self._wait_s = 0.0
        self._publish()

    def _settle(self, file: JournalFile) -> None:
        """Find out whether the commit in doubt was made."""
        doubt = self._doubt
        if doubt is None:
            return
        # What the log seems to hold may never have reached the disk: written into the file, and flushed, it has.
        file.checkpoint()
        made = doubt.size and file.holds(doubt.epoch, doubt.seq + doubt.size)
        self._doubt = None
        if not made:
            self._own[:0] = doubt.own
            self._mailbox.put_back(doubt.events, doubt.lost)

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the thread's boundary: reported as `degraded` and as an event
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if is_damage(error):
            with suppress(OSError):
                self._damage = str(error), self._settings.path.stat().st_ino
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()
        self._wait_s = min(max(_FIRST_WAIT_S, self._wait_s * 2), _LONGEST_WAIT_S)
        self._retry_at = self._monotonic() + self._wait_s
        self._flush_at = None
        why = f"{type(error).__name__}: {error}"[:200]
        if self._trouble is None or self._trouble in (_OPENING, _LATE):
            self._begin_trouble(why)
        self._mailbox.refuse(why)
        if self._doubt is not None:
            for waiting in self._doubt.events:
                waiting.refuse(why)

    def _begin_trouble(self, why: str) -> None:
        self._trouble = why
        if not self._told:
            self._told = True
            self._own.append(self._make(EventType.JOURNAL_DEGRADED, {"reason": why}))

    def _gap(self, lost: Lost) -> Waiting:
        detail: _Detail = {
            "reason": "memory",
            "count": lost.count,
            "first_at": lost.first_at,
            "last_at": lost.last_at,
        }
        return self._make(EventType.JOURNAL_GAP, detail)

    def _make(self, kind: EventType, detail: _Detail) -> Waiting:
        return Waiting(self._settings.stamp(EventDraft(type=kind, detail=detail)))

    def _publish(self) -> None:
        if self._file is not None:
            self._stats = self._file.stats()
            self._mailbox.publish_unsent(self._stats.unsent)

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.flush_acks()
            with suppress(StorageError):
                file.checkpoint()
            file.close()
