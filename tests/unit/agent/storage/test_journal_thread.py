"""The journal's thread when a commit fails in ways that a real disk seldom shows."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent.core.events import StampedEvent
from agent.storage.journal_file import JournalFile, JournalSettings
from agent.storage.journal_mailbox import Mailbox, Question, Waiting
from agent.storage.journal_rescue import open_journal
from agent.storage.journal_thread import JournalThread
from agent.storage.verify import verify
from cloud.contract.events import Event, EventType
from tests.rigs.journals import eventually
from tests.rigs.stamps import opened, stamp

_Write = Callable[[JournalFile, Sequence[StampedEvent]], list[Event]]


class FakeDisk:
    """Opens real files whose next writes go through the given ones; records what was asked of `open_journal`."""

    def __init__(self, *writes: _Write) -> None:
        self.writes = list(writes)
        self.checks: list[bool] = []
        self.failing: set[str] = set()
        """Methods that fail once."""

    def fail(self, method: str) -> None:
        """If it is to."""
        if method in self.failing:
            self.failing.remove(method)
            raise MemoryError

    def __call__(self, settings: JournalSettings, damage: str | None = None, *, check: bool = True) -> JournalFile:
        self.checks.append(check)
        disk = self
        open_journal(settings, damage, check=check).close()

        class File(JournalFile):
            def write(self, batch: Sequence[StampedEvent]) -> list[Event]:
                return disk.writes.pop(0)(self, batch) if batch and disk.writes else super().write(batch)

            def mark_sent(self, epoch: int, first: int, last: int) -> None:
                disk.fail("mark_sent")
                super().mark_sent(epoch, first, last)

            def holds(self, epoch: int, seq: int) -> bool:
                disk.fail("holds")
                return super().holds(epoch, seq)

        return File(settings)


def _commit_then_fail(file: JournalFile, batch: Sequence[StampedEvent]) -> list[Event]:
    JournalFile.write(file, batch)
    raise sqlite3.OperationalError("disk I/O error")


def _fail(_file: JournalFile, _batch: Sequence[StampedEvent]) -> list[Event]:
    raise sqlite3.OperationalError("disk I/O error")


def _fault(_file: JournalFile, _batch: Sequence[StampedEvent]) -> list[Event]:
    raise RuntimeError("a fault of our own")


@pytest.mark.parametrize("write", [_commit_then_fail, _fail, _fault])
def test_commit_in_doubt_is_neither_lost_nor_repeated(tmp_path: Path, write: _Write) -> None:
    """Whether a failed commit reached the disk is looked up; each event is there once, in order."""
    disk = FakeDisk(write)
    settings = JournalSettings(tmp_path, "door-1", "hq", stamp, 1000, 1 << 24)
    mailbox = Mailbox()
    thread = JournalThread(settings, mailbox, time.monotonic, disk)
    thread.start(10)
    waiting = [Waiting(opened(n=number)) for number in range(3)]
    for one in waiting:
        mailbox.put_event(one)
    assert eventually(lambda: thread.stats().seq == 5 and thread.stats().degraded is None)
    assert thread.stats().waiting == 0
    mailbox.close()
    assert thread.join(10)
    file = open_journal(settings)
    events = [stored.event for stored in file.events(0, None, 100)[0]]
    file.close()
    assert [event.detail["n"] for event in events if event.detail and "n" in event.detail] == [0, 1, 2]
    assert [event.type for event in events].count(EventType.JOURNAL_DEGRADED) == 1
    assert events[-1].type is EventType.JOURNAL_RECOVERED
    assert disk.checks[0] is True
    assert set(disk.checks[1:]) == {False}
    assert verify(settings.path) is None


@pytest.mark.parametrize("failing", [{"mark_sent"}, {"mark_sent", "holds"}], ids=sorted)
def test_events_that_come_with_an_ack_outlive_its_failure(tmp_path: Path, failing: set[str]) -> None:
    """They are out of the mailbox by then, in no commit yet, and in no gap: they would be nowhere."""
    disk = FakeDisk()
    settings = JournalSettings(tmp_path, "door-1", "hq", stamp, 1000, 1 << 24)
    mailbox = Mailbox()
    first = Waiting(opened(n=1))
    mailbox.put_event(first)
    thread = JournalThread(settings, mailbox, time.monotonic, disk)
    thread.start(10)
    assert first.done.wait(10)
    disk.failing = set(failing)

    def put(_file: JournalFile) -> None:
        """On the journal's own thread, so that both are in one take."""
        mailbox.put_ack(1, 1, 1)
        mailbox.put_event(Waiting(opened(n=2)))

    mailbox.put_question(Question(put))
    assert eventually(lambda: thread.stats().seq == 4 and thread.stats().degraded is None)
    assert disk.failing == set()
    assert thread.stats().waiting == 0
    mailbox.close()
    assert thread.join(10)
    file = open_journal(settings)
    events = [stored.event for stored in file.events(0, None, 100)[0]]
    file.close()
    assert [event.detail["n"] for event in events if event.detail and "n" in event.detail] == [1, 2]
    assert {event.type for event in events}.isdisjoint({EventType.JOURNAL_GAP})
    assert verify(settings.path) is None
