"""Opens journals for tests, and makes their disk late or refusing by holding SQLite's write lock from outside."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agent.storage.journal import SqliteJournal
from agent.storage.journal_file import JournalSettings
from agent.storage.journal_rescue import open_journal as open_file
from tests.rigs.stamps import opened, stamp

PACKED_BYTES = 100_000


def open_journal(state_dir: Path, max_events: int = 250_000, max_bytes: int = 256 << 20) -> SqliteJournal:
    """A journal of device `door-1`."""
    return SqliteJournal(state_dir, device="door-1", site="hq", stamp=stamp, max_events=max_events, max_bytes=max_bytes)


def fill(state_dir: Path, count: int, sent: int = 0) -> None:
    """A closed journal with so many events, the first `sent` acknowledged; `n` in the detail counts from 0."""
    settings = JournalSettings(state_dir, "door-1", "hq", stamp, 250_000, 256 << 20)
    with closing(open_file(settings)) as file:
        for start in range(0, count, 500):
            file.write([opened(n=number) for number in range(start, min(count, start + 500))])
        if sent:
            file.mark_sent(1, 1, sent)
            file.flush_acks()
        file.checkpoint()


def seqs(journal: SqliteJournal, max_events: int = 200) -> list[int]:
    """The seqs of the next run to send."""
    return [event.seq for event in journal.next_unsent(max_events, PACKED_BYTES)]


def drain(journal: SqliteJournal) -> list[tuple[int, int]]:
    """Send everything; epoch and seq in the order of sending."""
    sent = []
    while run := journal.next_unsent(200, PACKED_BYTES):
        sent += [(event.epoch, event.seq) for event in run]
        journal.mark_sent(run[0].epoch, run[0].seq, run[-1].seq)
    return sent


@contextmanager
def held_disk(state_dir: Path) -> Iterator[None]:
    """While this holds, no write reaches the journal: late at first, refused after a second."""
    with closing(sqlite3.connect(state_dir / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Whether the condition comes to hold in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
