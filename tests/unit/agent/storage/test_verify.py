"""verify finds every break and takes no explained hole for one."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.ports import JournalBreak
from agent.storage.journal_schema import place_of
from agent.storage.verify import verify
from tests.rigs.journals import fill, open_journal
from tests.rigs.stamps import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of 40 events."""
    fill(tmp_path, 40)
    return tmp_path / "journal.db"


def _execute(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql, values)
        db.commit()


def test_whole_journal_verifies_with_progress(path: Path) -> None:
    """No break, and the caller hears how far it is."""
    heard: list[tuple[int, int]] = []
    assert verify(path, lambda done, total: heard.append((done, total))) is None
    assert heard == [(40, 40)]


def test_missing_event_is_a_break(path: Path) -> None:
    """A row taken out is named."""
    _execute(path, "DELETE FROM event WHERE place = ?", place_of(1, 17))
    assert verify(path) == JournalBreak(1, 18, "event 17 is missing")


def test_missing_first_event_is_a_break(path: Path) -> None:
    """The head may only be missing when the file says that it was dropped."""
    _execute(path, "DELETE FROM event WHERE place = ?", place_of(1, 1))
    assert verify(path) == JournalBreak(1, 2, "event 1 is missing")


def test_event_exchanged_with_its_hash_breaks_the_chain(path: Path) -> None:
    """Who rewrites an event and its hash is caught by the next event's prev."""
    with closing(sqlite3.connect(path)) as db:
        (body,) = db.execute("SELECT body FROM event WHERE place = ?", (place_of(1, 9),)).fetchone()
    body = body.replace(b'"front"', b'"other"')
    hashed = hashlib.sha256(body).digest()
    _execute(path, "UPDATE event SET body = ?, hash = ? WHERE place = ?", body, hashed, place_of(1, 9))
    assert verify(path) == JournalBreak(1, 10, "prev is not the hash of the event before it")


def test_event_at_another_place_is_a_break(path: Path) -> None:
    """A row can't be moved."""
    _execute(path, "DELETE FROM event WHERE place = ?", place_of(1, 40))
    _execute(path, "UPDATE event SET place = ? WHERE place = ?", place_of(1, 40), place_of(1, 39))
    _execute(path, "UPDATE event SET place = ? WHERE place = ?", place_of(1, 39), place_of(1, 40))
    assert verify(path) is None
    _execute(path, "DELETE FROM event WHERE place = ?", place_of(1, 20))
    _execute(path, "UPDATE event SET place = ? WHERE place = ?", place_of(1, 20), place_of(1, 21))
    assert verify(path) == JournalBreak(1, 20, "the event belongs to another place")


def test_end_cut_off_after_an_ack_is_a_break(tmp_path: Path) -> None:
    """What was acknowledged existed."""
    fill(tmp_path, 30, sent=30)
    path = tmp_path / "journal.db"
    _execute(path, "DELETE FROM event WHERE place > ?", place_of(1, 25))
    assert verify(path) == JournalBreak(1, 26, "events up to 30 were cut off")


def test_dropped_head_is_checked_across_the_hole(tmp_path: Path) -> None:
    """Events dropped at the bound are no break; another hash in their place is."""
    with open_journal(tmp_path, max_events=50) as journal:
        for _ in range(200):
            journal.append(opened(), 5)
        journal.mark_sent(1, 1, journal.stats().seq)
        for _ in range(100):
            journal.append(opened(), 5)
    path = tmp_path / "journal.db"
    assert verify(path) is None
    _execute(path, "UPDATE gone SET hash = ?", b"\x00" * 32)
    found = verify(path)
    assert found is not None
    assert found.what == "prev is not the hash of the event before it"


def test_verify_may_run_beside_the_agent(tmp_path: Path) -> None:
    """A journal in use verifies, and goes on being used."""
    with open_journal(tmp_path) as journal:
        for _ in range(20):
            journal.append(opened(), 5)
        assert verify(tmp_path / "journal.db") is None
        assert journal.append(opened(), 5).seq == 21


def test_verify_changes_nothing(path: Path) -> None:
    """Looking leaves every byte of the file as it was."""
    before = path.read_bytes()
    verify(path)
    assert path.read_bytes() == before


def test_garbage_is_a_break_and_no_file_is_an_error(tmp_path: Path) -> None:
    """Both are answers, told apart."""
    (tmp_path / "bad.db").write_bytes(b"nonsense" * 1000)
    assert verify(tmp_path / "bad.db") == JournalBreak(0, 0, "file is not a database")
    with pytest.raises(StorageError, match="there is no journal"):
        verify(tmp_path / "none.db")
