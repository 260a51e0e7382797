"""The journal: chain, lanes, acks, and what it does while the disk refuses."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import JournalUnavailable, StorageError
from agent.storage.journal import SqliteJournal
from agent.storage.journal_file import ACKS_TOGETHER
from agent.storage.verify import verify
from cloud.contract.events import GENESIS, EventType
from tests.rigs.journals import PACKED_BYTES, drain, eventually, fill, held_disk, open_journal, seqs
from tests.rigs.stamps import forced, opened, stamp


def test_append_seals_a_chain_that_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Seq counts on and prev is the hash of the event before, over a restart too."""
    with open_journal(tmp_path) as journal:
        first, second = (journal.append(opened(), 5) for _ in range(2))
    with open_journal(tmp_path) as journal:
        third = journal.append(opened(), 5)
        assert [stored.event for stored in journal.events()] == [first, second, third]
    assert [event.seq for event in (first, second, third)] == [1, 2, 3]
    assert [event.prev for event in (first, second, third)] == [GENESIS, first.chain_hash(), second.chain_hash()]
    assert verify(tmp_path / "journal.db") is None


def test_parallel_appends_share_the_chain(tmp_path: Path) -> None:
    """Events of many threads get every seq once, without a gap."""
    with open_journal(tmp_path) as journal:
        got: list[int] = []

        def work() -> None:
            got.extend(journal.append(opened(), 10).seq for _ in range(50))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == list(range(1, 301))
    assert verify(tmp_path / "journal.db") is None


def test_backlog_goes_oldest_first_and_live_events_pass_it(tmp_path: Path) -> None:
    """What was there at the start waits behind what happens now."""
    with open_journal(tmp_path) as journal:
        for _ in range(10):
            journal.append(opened(), 5)
    with open_journal(tmp_path) as journal:
        assert seqs(journal, 4) == [1, 2, 3, 4]
        journal.append(opened(), 5)
        assert seqs(journal, 4) == [11]
        journal.mark_sent(1, 11, 11)
        assert seqs(journal, 4) == [1, 2, 3, 4]


def test_alarm_goes_before_everything(tmp_path: Path) -> None:
    """An alarm in the middle of a backlog goes first, with what follows it."""
    with open_journal(tmp_path) as journal:
        for number in range(10):
            journal.append(forced() if number == 5 else opened(), 5)
    with open_journal(tmp_path) as journal:
        journal.append(opened(), 5)
        assert seqs(journal)[0] == 6
        journal.mark_sent(1, 6, 11)
        assert seqs(journal) == [1, 2, 3, 4, 5]


def test_long_outage_turns_the_live_lane_into_backlog(tmp_path: Path) -> None:
    """After more than one run has piled up, the next event passes all of it."""
    with open_journal(tmp_path) as journal:
        for _ in range(25):
            journal.append(opened(), 5)
        assert seqs(journal, 10) == list(range(1, 11))
        journal.append(opened(), 5)
        assert seqs(journal, 10) == [26]


def test_trickle_of_live_events_does_not_starve_the_backlog(tmp_path: Path) -> None:
    """With a live event always waiting, the backlog still gets its turn."""
    with open_journal(tmp_path) as journal:
        for _ in range(30):
            journal.append(opened(), 5)
    with open_journal(tmp_path) as journal:
        sent = []
        for _ in range(20):
            journal.append(opened(), 5)
            run = seqs(journal, 10)
            sent.append(run)
            journal.mark_sent(1, run[0], run[-1])
        assert [run for run in sent if run[0] <= 30] == [list(range(1, 11)), list(range(11, 21))]


def test_run_keeps_within_bytes_but_is_never_empty(tmp_path: Path) -> None:
    """max_bytes bounds a run; one event is handed out whatever its size."""
    with open_journal(tmp_path) as journal:
        size = len(journal.append(opened(), 5).canonical())
        for _ in range(9):
            journal.append(opened(), 5)
        assert len(journal.next_unsent(200, size * 3 + 10)) == 3
        assert len(journal.next_unsent(200, 1)) == 1


def test_acks_survive_a_restart_and_are_shown(tmp_path: Path) -> None:
    """What was acknowledged is not sent again, and `events` says so."""
    with open_journal(tmp_path) as journal:
        for _ in range(6):
            journal.append(opened(), 5)
        journal.mark_sent(1, 2, 3)
        journal.mark_sent(1, 5, 5)
        assert journal.stats().unsent in {3, 6}
    with open_journal(tmp_path) as journal:
        assert [stored.sent for stored in journal.events()] == [False, True, True, False, True, False]
        assert journal.stats().unsent == 3
        assert drain(journal) == [(1, 1), (1, 4), (1, 6)]
        assert not journal.wait_for_unsent(0.05)


def test_acks_reach_the_disk_together(tmp_path: Path) -> None:
    """Not each with a page of its own, and never more than these few to send again after a crash."""
    with open_journal(tmp_path) as journal:
        for seq in range(1, ACKS_TOGETHER):
            journal.append(opened(), 5)
            journal.mark_sent(1, seq, seq)
        journal.append(opened(), 5)
        assert _stored_acks(tmp_path) == []
        journal.mark_sent(1, ACKS_TOGETHER, ACKS_TOGETHER)
        journal.append(opened(), 5)
        assert _stored_acks(tmp_path) == [(1, ACKS_TOGETHER)]


def test_acks_of_a_backlog_reach_the_disk_without_an_event(tmp_path: Path) -> None:
    """A drain that is killed goes on close to where it was."""
    fill(tmp_path, 3 * ACKS_TOGETHER)
    with open_journal(tmp_path) as journal:
        for seq in range(1, ACKS_TOGETHER + 1):
            journal.mark_sent(1, seq, seq)
        assert eventually(lambda: _stored_acks(tmp_path) == [(1, ACKS_TOGETHER)], 5)


def test_newest_gap_event_explains_all_that_was_given_up(tmp_path: Path) -> None:
    """Through an outage of many times the bound, what is missing lies in gap events that are still there."""
    with open_journal(tmp_path, max_events=40) as journal:
        for _ in range(300):
            journal.append(opened(), 5)
        stored = [place.event for place in journal.events()]
        assert len(stored) <= 40
        gaps = [event.detail for event in stored if event.type is EventType.JOURNAL_GAP and event.detail]
        assert (gaps[-1]["first"], gaps[-1]["last"]) == (1, stored[0].seq - 1)
        assert gaps[-1]["count"] == stored[0].seq - 1


def test_acknowledged_gap_is_not_told_again(tmp_path: Path) -> None:
    """Once the cloud knows of a loss, the next gap event tells of later ones only."""
    with open_journal(tmp_path, max_events=40) as journal:
        for _ in range(100):
            journal.append(opened(), 5)
        drain(journal)
        known = journal.stats().seq
        for _ in range(100):
            journal.append(opened(), 5)
        gap = [place.event.detail for place in journal.events() if place.event.type is EventType.JOURNAL_GAP][-1]
        assert gap is not None
        assert int(str(gap["first"])) > known


def test_sent_events_go_before_unsent_ones(tmp_path: Path) -> None:
    """At the bound, what the cloud has makes room first: nothing is lost, no gap is told."""
    with open_journal(tmp_path, max_events=40) as journal:
        for _ in range(30):
            journal.append(opened(), 5)
        journal.mark_sent(1, 11, 30)
        for _ in range(30):
            journal.append(opened(), 5)
        stored = [place.event.seq for place in journal.events()]
        assert set(range(1, 11)) <= set(stored)
        assert journal.stats().seq == 60


def test_bound_in_bytes_holds(tmp_path: Path) -> None:
    """The file stops growing at its bound, give or take a block and the pages it is made in."""
    with open_journal(tmp_path, max_events=100_000, max_bytes=400_000) as journal:
        _append_many(journal, 3000)
        assert journal.stats().bytes <= 400_000 + 3 * 100 * 2048
        assert journal.stats().unsent < 1500
    assert verify(tmp_path / "journal.db") is None


def test_an_ack_alone_reaches_the_disk_after_a_while(tmp_path: Path) -> None:
    """It does not wait for others for ever: a killed process keeps it."""
    now_s = [0.0]
    with SqliteJournal(tmp_path, device="door-1", site="hq", stamp=stamp, monotonic=lambda: now_s[0]) as journal:
        journal.append(opened(), 5)
        journal.mark_sent(1, 1, 1)
        journal.events()
        assert _stored_acks(tmp_path) == []
        now_s[0] = 31.0
        journal.events()
        assert _stored_acks(tmp_path) == [(1, 1)]


def test_wait_for_unsent_wakes_on_an_event(tmp_path: Path) -> None:
    """A sender that waits is woken by the append, and not by an ack."""
    with open_journal(tmp_path) as journal:
        assert not journal.wait_for_unsent(0.01)
        woken: list[bool] = []
        thread = threading.Thread(target=lambda: woken.append(journal.wait_for_unsent(10)))
        thread.start()
        journal.append(opened(), 5)
        thread.join(10)
        assert woken == [True]


def test_events_are_found_by_door_and_place(tmp_path: Path) -> None:
    """`since`, `door` and `limit` narrow the answer, over more rows than one slice."""
    with open_journal(tmp_path) as journal:
        _append_many(journal, 2500)
        journal.append(opened("back"), 5)
        journal.append(opened("back"), 5)
        assert [stored.event.seq for stored in journal.events(door="back")] == [2501, 2502]
        assert [stored.event.seq for stored in journal.events(since=2499, limit=2)] == [2500, 2501]
        assert len(journal.events(limit=2300)) == 2300


def test_late_disk_raises_in_time_and_writes_once(tmp_path: Path) -> None:
    """A caller that gave up finds its event in the journal later: once, and in its order."""
    with open_journal(tmp_path) as journal:
        with held_disk(tmp_path):
            with pytest.raises(JournalUnavailable, match=r"within 0\.05 s"):
                journal.append(opened(n=1), 0.05)
            assert journal.stats().degraded is not None
        journal.append(opened(n=2), 10)
        assert eventually(lambda: journal.stats().degraded is None)
        numbers = [s.event.detail["n"] for s in journal.events() if s.event.detail and "n" in s.event.detail]
        assert numbers == [1, 2]


def test_refusing_disk_keeps_events_in_order_and_tells_of_it(tmp_path: Path) -> None:
    """Events made while the disk refuses are written when it is back, between degraded and recovered."""
    with open_journal(tmp_path) as journal:
        journal.append(opened(n=0), 5)
        with held_disk(tmp_path):
            with pytest.raises(JournalUnavailable):
                journal.append(opened(n=1), 5)
            for number in (2, 3):
                with pytest.raises(JournalUnavailable):
                    journal.append(opened(n=number), 5)
            assert journal.stats().waiting == 3
            assert "locked" in str(journal.stats().degraded)
            with pytest.raises(StorageError):
                journal.next_unsent(200, PACKED_BYTES)
        assert eventually(lambda: journal.stats().degraded is None)
        assert eventually(lambda: journal.stats().seq == 6)
        events = [stored.event for stored in journal.events()]
        assert [event.type for event in events if event.type is not EventType.DOOR_OPENED] == [
            EventType.JOURNAL_DEGRADED,
            EventType.JOURNAL_RECOVERED,
        ]
        assert [event.detail["n"] for event in events if event.detail and "n" in event.detail] == [0, 1, 2, 3]
        assert journal.stats().waiting == 0
    assert verify(tmp_path / "journal.db") is None


def test_full_ring_loses_the_oldest_and_journals_a_gap(tmp_path: Path) -> None:
    """Past 1,000 waiting events the oldest are lost, and their number and instants are told before the others."""
    with open_journal(tmp_path) as journal:
        with held_disk(tmp_path):
            for number in range(1150):
                with pytest.raises(JournalUnavailable):
                    journal.append(opened(n=number), 0.01 if number else 5)
        assert eventually(lambda: journal.stats().degraded is None and journal.stats().waiting == 0)
        events = [stored.event for stored in journal.events(limit=2000)]
        kept = [event.detail["n"] for event in events if event.detail and "n" in event.detail]
        gaps = [event.detail for event in events if event.type is EventType.JOURNAL_GAP and event.detail]
        lost = sum(int(str(gap["count"])) for gap in gaps)
        assert kept == list(range(1150 - len(kept), 1150))
        assert len(kept) + lost == 1150
        assert {gap["reason"] for gap in gaps} == {"memory"}
        assert next(event.type for event in events if event.type is not EventType.JOURNAL_DEGRADED) is (
            EventType.JOURNAL_GAP
        )


def test_journal_that_can_not_be_opened_begins_degraded(tmp_path: Path) -> None:
    """A door works without its disk; the journal heals when the disk is there."""
    blocked = tmp_path / "state"
    blocked.write_text("a file where the directory should be")
    with open_journal(blocked) as journal:
        assert journal.stats().degraded is not None
        with pytest.raises(JournalUnavailable):
            journal.append(opened(n=1), 5)
        blocked.unlink()
        assert eventually(lambda: journal.stats().degraded is None)
        assert eventually(lambda: journal.stats().seq == 3)
        assert [stored.event.type for stored in journal.events()] == [
            EventType.JOURNAL_DEGRADED,
            EventType.DOOR_OPENED,
            EventType.JOURNAL_RECOVERED,
        ]


def test_second_process_is_kept_out(tmp_path: Path) -> None:
    """Two writers would tear the chain."""
    with open_journal(tmp_path), pytest.raises(StorageError, match="in use by another process"):
        open_journal(tmp_path)


def test_closed_journal_raises(tmp_path: Path) -> None:
    """close() is idempotent; what comes after it is refused, not ignored."""
    journal = open_journal(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.append(opened(), 1)
    with pytest.raises(StorageError, match="closed"):
        journal.next_unsent(1, 1)
    with pytest.raises(StorageError, match="closed"):
        journal.mark_sent(1, 1, 1)


def _append_many(journal: SqliteJournal, count: int) -> None:
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda _: journal.append(opened(), 10), range(count)))


def _stored_acks(state_dir: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(f"file:{state_dir / 'journal.db'}?mode=ro", uri=True)) as db:
        mask = (1 << 40) - 1
        return [(first & mask, last & mask) for first, last in db.execute("SELECT first, last FROM sent")]
