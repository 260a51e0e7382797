"""A damaged, missing or foreign journal: set aside, rescued, and told of in a new epoch."""

import hashlib
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.ports import JournalBreak
from agent.storage.journal import SqliteJournal
from agent.storage.journal_file import JournalSettings
from agent.storage.journal_rescue import open_journal as open_file
from agent.storage.journal_schema import place_of
from agent.storage.verify import verify
from cloud.contract.events import EventType
from tests.rigs.journals import drain, eventually, fill, open_journal, seqs
from tests.rigs.stamps import opened, stamp

_PAGE = 2048


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _set_aside_detail(journal: SqliteJournal) -> dict[str, object]:
    stored = journal.events(limit=1)[0]
    assert stored.event.type is EventType.JOURNAL_SET_ASIDE
    assert stored.event.seq == 1
    return dict(stored.event.detail or {})


def test_file_of_garbage_is_set_aside_and_a_new_epoch_begins(tmp_path: Path) -> None:
    """Nothing can be rescued; the file is kept, and the first event says so."""
    fill(tmp_path, 5)
    (tmp_path / "journal.db").write_bytes(b"garbage" * 4000)
    with open_journal(tmp_path) as journal:
        assert journal.stats().epoch == 2
        detail = _set_aside_detail(journal)
        assert (detail["rescued"], detail["reason"]) == (0, "file is not a database")
    assert (tmp_path / "set-aside" / "1" / "journal.db").read_bytes().startswith(b"garbage")


def test_damaged_pages_cost_their_own_rows_only(tmp_path: Path) -> None:
    """Every row on a sound page is rescued, and what was unsent is delivered under its old epoch."""
    fill(tmp_path, 2000, sent=300)
    path = tmp_path / "journal.db"
    pages = path.stat().st_size // _PAGE
    chance = random.Random(7)
    for page in chance.sample(range(12, pages), 6):
        _overwrite(path, page * _PAGE, b"\x00" * _PAGE)
    with open_journal(tmp_path) as journal:
        detail = _set_aside_detail(journal)
        rescued = int(str(detail["rescued"]))
        # A row takes about 460 bytes: eight to a page, and each page may cost the pages between it and the next.
        assert 1900 <= rescued < 2000
        assert detail["last_epoch"] == 1
        assert journal.stats().unsent >= rescued - 300
        journal.append(opened(), 5)
        sent = drain(journal)
        assert sent[0] == (2, 1)
        old = [seq for epoch, seq in sent if epoch == 1]
        assert old == sorted(old)
        assert all(seq > 300 for seq in old)
    assert verify(path) is None


@pytest.mark.parametrize(
    ("word", "rotten"),
    [
        (b"sent (first INTEGER PRIMARY KEY, last", b"sent (first INTEGER PRIMARY KEY, lasu"),
        (b"gone (first INTEGER PRIMARY KEY, last", b"gone (first INTEGER PRIMARY KEY, lasu"),
        (b"event (place INTEGER", b"event (plabe INTEGER"),
        (b"body BLOB", b"bodx BLOB"),
        (b"hash BLOB NOT NULL", b"h\xa0sh BLOB NOT NULL"),
    ],
)
def test_table_whose_text_rots_is_damage(tmp_path: Path, word: bytes, rotten: bytes) -> None:
    """A byte of it gives a column another name, which no check of pages sees and no query survives."""
    fill(tmp_path, 20)
    path = tmp_path / "journal.db"
    data = path.read_bytes()
    assert data.count(word) == 1
    path.write_bytes(data.replace(word, rotten))
    assert verify(path) == JournalBreak(0, 0, "its tables are not those that were made")
    with open_journal(tmp_path) as journal:
        detail = _set_aside_detail(journal)
        assert (detail["rescued"], detail["reason"]) == (20, "its tables are not those that were made")
        journal.append(opened(), 5)
    assert verify(path) is None


@pytest.mark.parametrize(
    ("rot", "reason"),
    [
        ("UPDATE meta SET name = 'epocx' WHERE name = 'epoch'", "it does not say its epoch"),
        ("UPDATE meta SET value = 'x' WHERE name = 'epoch'", "it does not say its epoch"),
        ("UPDATE meta SET value = 1 << 60 WHERE name = 'epoch'", "it does not say its epoch"),
        ("INSERT INTO sent VALUES (1099511627777, 'x')", "what it holds makes no sense: "),
    ],
)
def test_row_that_rots_is_damage(tmp_path: Path, rot: str, reason: str) -> None:
    """Pages and tables are sound and a row is not: the journal would never open again."""
    fill(tmp_path, 20)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as db:
        db.execute(rot)
    with open_journal(tmp_path) as journal:
        detail = _set_aside_detail(journal)
        assert detail["rescued"] == 20
        assert str(detail["reason"]).startswith(reason)
        journal.append(opened(), 5)
    assert verify(tmp_path / "journal.db") is None


def test_break_is_an_epoch_that_is_not_told(tmp_path: Path) -> None:
    """Whoever checks the file beside the agent hears of it too."""
    fill(tmp_path, 20)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as db:
        db.execute("DELETE FROM meta WHERE name = 'epoch'")
    assert verify(tmp_path / "journal.db") == JournalBreak(0, 0, "it does not say its epoch")


def test_word_of_a_loss_that_rots_is_told_as_what_it_is(tmp_path: Path) -> None:
    """It opens the new epoch: without it no event could be written."""
    fill(tmp_path, 20)
    (tmp_path / "journal.db").write_bytes(b"\xff" * 8192)
    with open_journal(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as db:
        db.execute("DELETE FROM event")
        db.execute("UPDATE meta SET value = '{' WHERE name = 'notice'")
    with open_journal(tmp_path) as journal:
        assert _set_aside_detail(journal)["reason"] == "what was known of the loss can't be read"


def test_damage_of_the_first_table_page_still_rescues_most(tmp_path: Path) -> None:
    """The oldest rows are on the first leaf; its loss does not hide what comes after."""
    fill(tmp_path, 300)
    path = tmp_path / "journal.db"
    data = path.read_bytes()
    leaf = data.index(b'"seq":1,') // _PAGE
    rows = data[leaf * _PAGE : (leaf + 1) * _PAGE].count(b'"seq":')
    _overwrite(path, leaf * _PAGE, b"\xff" * 16)
    with open_journal(tmp_path) as journal:
        assert int(str(_set_aside_detail(journal)["rescued"])) == 300 - rows


@pytest.mark.parametrize("pages", [1, 5])
def test_damage_in_the_middle_costs_no_row_beside_it(tmp_path: Path, pages: int) -> None:
    """Reading back from beyond the damage gets the rows that the search stepped over."""
    fill(tmp_path, 1000)
    path = tmp_path / "journal.db"
    data = path.read_bytes()
    leaf = data.index(b'"seq":500,') // _PAGE
    damaged = data[leaf * _PAGE : (leaf + pages) * _PAGE]
    _overwrite(path, leaf * _PAGE, b"\xff" * len(damaged))
    with open_journal(tmp_path) as journal:
        assert int(str(_set_aside_detail(journal)["rescued"])) == 1000 - damaged.count(b'"seq":')


def test_changed_byte_in_an_event_is_found_when_it_is_read(tmp_path: Path) -> None:
    """The pages are sound and the event is not: the file is set aside while the journal runs, and heals."""
    fill(tmp_path, 50)
    path = tmp_path / "journal.db"
    data = path.read_bytes()
    _overwrite(path, data.index(b'"door":"front"'), b'"door":"frint"')
    found = verify(path)
    assert found is not None
    assert found.what == "an event is not the bytes that were written"
    with open_journal(tmp_path) as journal:
        journal.append(opened(n=50), 5)
        sent = _drain_through_damage(journal)
        assert journal.stats().epoch == 2
        assert int(str(_set_aside_detail(journal)["rescued"])) == 50
        assert len({seq for epoch, seq in sent if epoch == 1}) == 50
    assert verify(path) is None


def _crashed(tmp_path: Path, events: int) -> Path:
    """A journal as a crash leaves it: all in the log."""
    live, crashed = tmp_path / "live", tmp_path / "crashed"
    with open_journal(live) as journal:
        for number in range(events):
            journal.append(opened(n=number), 5)
        crashed.mkdir()
        for path in live.glob("journal.*"):
            if path.suffix in (".db", ".db-wal", ".epoch"):
                shutil.copy(path, crashed)
    return crashed


@pytest.mark.parametrize("seq", [2, 12, 18, 19])
def test_byte_that_went_bad_in_the_log_is_no_silent_loss(tmp_path: Path, seq: int) -> None:
    """SQLite ends its log there; the numbers of the events behind it must not be used again."""
    state_dir = _crashed(tmp_path, 20)
    log = state_dir / "journal.db-wal"
    _overwrite(log, log.read_bytes().index(b'"seq":%d,' % seq) - len("null,"), b"NULL")
    with open_journal(state_dir) as journal:
        detail = _set_aside_detail(journal)
        assert detail["reason"] == f"its log is damaged: events {seq} to 20 are lost"
        assert (detail["rescued"], detail.get("last_seq", 0)) == (seq - 1, seq - 1)
        assert journal.append(opened(), 5).epoch == 2
    assert (state_dir / "set-aside" / "1" / "journal.db-wal").exists()
    assert verify(state_dir / "journal.db") is None


def test_last_write_that_the_power_cut_is_no_damage(tmp_path: Path) -> None:
    """It was never promised: the epoch goes on."""
    state_dir = _crashed(tmp_path, 20)
    log = state_dir / "journal.db-wal"
    _overwrite(log, log.stat().st_size - 1000, bytes(1000))
    with open_journal(state_dir) as journal:
        assert (journal.stats().epoch, journal.stats().seq) == (1, 19)
        # What is left of it must not lie behind the next writes: after another cut it would pass for a lost one.
        assert log.stat().st_size == 0


def test_torn_write_with_garbage_in_it_is_no_damage(tmp_path: Path) -> None:
    """What the power cut may hold anything, also what looks like the end of a transaction before it."""
    live, crashed = tmp_path / "live", tmp_path / "crashed"
    crashed.mkdir()
    settings = JournalSettings(live, "door-1", "hq", stamp, 10_000, 1 << 28)
    live.mkdir()
    with closing(open_file(settings)) as journal:
        journal.write([opened(n=number) for number in range(5)])
        sound = (live / "journal.db-wal").stat().st_size
        journal.write([opened(n=number, filler="x" * 600) for number in range(20)])
        for path in live.glob("journal.*[!m]"):
            shutil.copy(path, crashed)
    log = crashed / "journal.db-wal"
    frame = 24 + _PAGE
    written = (log.stat().st_size - sound) // frame
    for garbage in (b"\xde\xad\xbe\xef\xb0\xd1\x80\x34", b"\x00\x00\x00\x02\x00\x00\x00\x09"):
        _overwrite(log, sound + (written // 2) * frame, garbage)
        _overwrite(log, log.stat().st_size - 1000, bytes(500))
        shutil.copytree(crashed, state_dir := tmp_path / garbage.hex())
        with open_journal(state_dir) as opened_again:
            assert (opened_again.stats().epoch, opened_again.stats().seq) == (1, 5)


def test_deleted_journal_begins_a_new_epoch(tmp_path: Path) -> None:
    """The marker outlives the file, so no epoch is used twice."""
    fill(tmp_path, 3)
    for _ in range(2):
        (tmp_path / "journal.db").unlink()
        with open_journal(tmp_path) as journal:
            assert _set_aside_detail(journal)["reason"] == "the file is missing"
            epoch = journal.stats().epoch
    assert epoch == 3


def test_lost_marker_is_written_again(tmp_path: Path) -> None:
    """The journal itself knows its epoch too; either of the two is enough."""
    fill(tmp_path, 3)
    (tmp_path / "journal.epoch").unlink()
    with open_journal(tmp_path) as journal:
        assert journal.stats().epoch == 1
    assert (tmp_path / "journal.epoch").read_text() == "1\n"


def test_unreadable_marker_never_leads_back(tmp_path: Path) -> None:
    """With journal and marker both gone, the next epoch is far above any that was used."""
    fill(tmp_path, 3)
    (tmp_path / "journal.db").unlink()
    (tmp_path / "journal.epoch").write_bytes(b"\x00\x00")
    with open_journal(tmp_path) as journal:
        assert journal.stats().epoch == (1 << 20) + 1


def test_crash_before_the_successor_takes_its_place_is_finished(tmp_path: Path) -> None:
    """The damaged file was moved away and the new one not yet put in place: the next start does it."""
    fill(tmp_path, 20)
    (tmp_path / "journal.db").rename(tmp_path / "journal.db.new")
    with open_journal(tmp_path) as journal:
        assert (journal.stats().epoch, journal.stats().seq) == (1, 20)


def test_crash_while_the_successor_is_made_begins_anew(tmp_path: Path) -> None:
    """Half a successor is no journal; the damaged file is still there and is rescued again."""
    fill(tmp_path, 20)
    _overwrite(tmp_path / "journal.db", 0, b"\x00" * 100)
    (tmp_path / "journal.db.new").write_bytes(b"half")
    with open_journal(tmp_path) as journal:
        assert journal.stats().epoch == 2
    assert (tmp_path / "set-aside" / "1" / "journal.db").exists()


def test_journal_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    """A downgrade does not set aside what it can't read: it runs degraded and says why."""
    fill(tmp_path, 2)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("PRAGMA user_version = 2")
    with open_journal(tmp_path) as journal:
        assert "later release" in str(journal.stats().degraded)
    assert not (tmp_path / "set-aside").exists()


def test_event_of_a_later_release_holds_up_no_other(tmp_path: Path) -> None:
    """An event type that this release does not know stays stored and is passed over."""
    fill(tmp_path, 3)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        (body,) = db.execute("SELECT body FROM event WHERE place = ?", (place_of(1, 2),)).fetchone()
        body = body.replace(b"door.opened", b"door.melted")
        db.execute(
            "UPDATE event SET body = ?, hash = ? WHERE place = ?",
            (body, hashlib.sha256(body).digest(), place_of(1, 2)),
        )
        db.commit()
    with open_journal(tmp_path) as journal:
        assert seqs(journal) == [1]
        journal.mark_sent(1, 1, 1)
        assert seqs(journal) == [3]
        assert [stored.event.seq for stored in journal.events()] == [1, 3]


def test_gap_of_an_old_epoch_is_told_again_when_its_event_is_given_up(tmp_path: Path) -> None:
    """Rescued events squeezed out are explained by a gap event that is still there, however many follow."""
    fill(tmp_path, 60)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        db.execute("UPDATE event SET body = x'00' WHERE place = ?", (place_of(1, 60),))
        db.commit()
    with open_journal(tmp_path, max_events=80) as journal:
        _drain_nothing(journal)
        for _ in range(400):
            journal.append(opened(), 5)
        stored = [place.event for place in journal.events(limit=500)]
        gaps = {gap["epoch"]: gap for event in stored if event.type is EventType.JOURNAL_GAP and (gap := event.detail)}
        assert (gaps[1]["first"], gaps[1]["last"], gaps[1]["count"]) == (1, 59, 59)
        assert gaps[2]["first"] == 1
        assert gaps[2]["last"] == stored[0].seq - 1
    assert verify(tmp_path / "journal.db") is None


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_never_stops_the_journal(tmp_path: Path, seed: int) -> None:
    """Whatever bytes are hit, the journal opens or heals, takes events, and its file verifies."""
    fill(tmp_path, 400, sent=100)
    path = tmp_path / "journal.db"
    chance = random.Random(seed)
    for _ in range(12):
        _overwrite(path, chance.randrange(path.stat().st_size - 64), chance.randbytes(48))
    with open_journal(tmp_path) as journal:
        assert eventually(lambda: journal.stats().degraded is None)
        event = journal.append(opened(), 5)
        sent = _drain_through_damage(journal)
        assert (event.epoch, event.seq) in sent
    assert verify(path) is None


def _drain_nothing(journal: SqliteJournal) -> None:
    """Read, without an ack, until the damaged event is met and the file set aside."""
    for _ in range(20):
        try:
            if journal.events(limit=100) and journal.next_unsent(200, 1_000_000) and journal.stats().epoch == 2:
                return
        except StorageError:
            eventually(lambda: journal.stats().degraded is None)


def _drain_through_damage(journal: SqliteJournal) -> list[tuple[int, int]]:
    sent: list[tuple[int, int]] = []
    for _ in range(20):
        try:
            sent += drain(journal)
        except StorageError:
            eventually(lambda: journal.stats().degraded is None)
        else:
            return sent
    return sent
