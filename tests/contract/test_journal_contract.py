"""What every `agent.ports.Journal` does, whatever is behind it. New ones join the list of makers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.ports import Journal
from cloud.contract.events import GENESIS, event_id, parse_event
from tests.rigs.journals import PACKED_BYTES, open_journal
from tests.rigs.stamps import forced, opened

_MAKERS: dict[str, Callable[[Path], Journal]] = {"sqlite": open_journal}


@pytest.fixture(params=_MAKERS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    made = _MAKERS[request.param](tmp_path)
    yield made
    made.close()


def test_append_returns_the_sealed_event(journal: Journal) -> None:
    """Device, place, id and chain are the journal's; the rest is as it was stamped."""
    stamped = opened("back", lux=7)
    first, second = journal.append(stamped, 5), journal.append(opened(), 5)
    assert (first.device, first.epoch, first.seq, first.prev) == ("door-1", 1, 1, GENESIS)
    assert first.id == event_id("door-1", 1, 1)
    assert (first.at, first.door, first.detail) == (stamped.at, "back", {"lux": 7})
    assert (second.seq, second.prev) == (2, first.chain_hash())
    assert parse_event(first.to_json()) == first


def test_empty_journal_has_nothing_to_send(journal: Journal) -> None:
    """No run, no waiting sender woken, no oldest."""
    assert list(journal.next_unsent(200, PACKED_BYTES)) == []
    assert not journal.wait_for_unsent(0.01)
    stats = journal.stats()
    assert (stats.seq, stats.unsent, stats.oldest_unsent_at, stats.waiting, stats.degraded) == (0, 0, None, 0, None)


def test_unsent_run_is_handed_out_until_it_is_acknowledged(journal: Journal) -> None:
    """Asking twice gives the same; an ack ends it, a repeated or foreign one harms nothing."""
    events = [journal.append(opened(), 5) for _ in range(3)]
    assert journal.wait_for_unsent(1)
    assert list(journal.next_unsent(2, PACKED_BYTES)) == events[:2]
    assert list(journal.next_unsent(2, PACKED_BYTES)) == events[:2]
    for _ in range(2):
        journal.mark_sent(1, 1, 2)
    journal.mark_sent(9, 1, 50)
    assert list(journal.next_unsent(200, PACKED_BYTES)) == events[2:]
    assert journal.stats().oldest_unsent_at == events[2].at
    journal.mark_sent(1, 3, 3)
    assert not journal.wait_for_unsent(0.05)


def test_alarm_overtakes(journal: Journal) -> None:
    """An alarm is in the next run whatever waits."""
    for _ in range(5):
        journal.append(opened(), 5)
    alarm = journal.append(forced(), 5)
    assert journal.next_unsent(2, PACKED_BYTES)[0] == alarm


def test_events_are_listed_with_their_state(journal: Journal) -> None:
    """Oldest first, by place and door, sent or not."""
    events = [journal.append(opened(door), 5) for door in ("front", "back", "front")]
    journal.mark_sent(1, 1, 1)
    assert [(stored.event, stored.sent) for stored in journal.events()] == [
        (events[0], True),
        (events[1], False),
        (events[2], False),
    ]
    assert [stored.event for stored in journal.events(since=1, door="front")] == [events[2]]
    assert [stored.event for stored in journal.events(limit=1)] == [events[0]]


def test_close_is_idempotent(journal: Journal) -> None:
    """Closing twice is closing once."""
    journal.close()
    journal.close()
