"""The uplink over ports in memory: order, batches, poison, state."""

import threading
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.clock import correct
from agent.errors import FailureKind, Permanent, StorageError, Transient
from agent.runtime.link import Link
from agent.runtime.retry import waits
from agent.runtime.uplink import REFUSED, Uplink
from cloud.contract.events import Event, EventType
from cloud.contract.records import unpack
from tests.rigs.memory_ports import MemoryJournal, make_event, make_events
from tests.rigs.running import eventually, running

KEY = Ed25519PrivateKey.generate()
WAITS = waits(first_s=0.001, max_s=0.01)


class Sink:
    """`agent.ports.EventSink` that keeps what `judge` does not raise on."""

    def __init__(self, judge: Callable[[Sequence[Event]], None] = lambda _: None) -> None:
        self._judge = judge
        self.batches: list[list[int]] = []
        self.events: list[Event] = []

    def put(self, record: bytes) -> None:
        events = unpack(record, [KEY.public_key()]).events
        self._judge(events)
        self.batches.append([event.seq for event in events])
        self.events += events


def make_uplink(journal: MemoryJournal, sink: Sink, online: list[bool] | None = None) -> Uplink:
    states = online if online is not None else []
    return Uplink(journal, sink, KEY, waits=WAITS, on_state=states.append)


def test_a_backlog_goes_in_full_records() -> None:
    """200 events to a record, in order, until nothing is left."""
    journal, sink = MemoryJournal(make_events(450)), Sink()
    with running(make_uplink(journal, sink).run):
        assert journal.wait_until_sent(10)
    assert [len(batch) for batch in sink.batches] == [200, 200, 50]
    assert [seq for batch in sink.batches for seq in batch] == list(range(1, 451))


def test_large_events_fill_a_record_by_bytes() -> None:
    """A record's events stay within 100 KB before compression, corrections included."""
    journal = MemoryJournal([make_event(seq, detail={"what": "x" * 1500}, clock="unsynced") for seq in range(1, 201)])
    sink = Sink()
    uplink = Uplink(
        journal, sink, KEY, waits=WAITS, on_state=lambda _: None, correct=lambda event: correct(event, "b-1", 0)
    )
    with running(uplink.run):
        assert journal.wait_until_sent(10)
    assert len(sink.batches) > 1
    for batch in sink.batches:
        stored = {event.seq: event for event in sink.events}
        assert sum(len(str(stored[seq].to_json())) for seq in batch) < 105_000
    assert all(event.at_raw is not None for event in sink.events)


def test_an_alarm_overtakes_a_batch_that_failed() -> None:
    """The attempt after a failure selects anew, so what is urgent goes first."""
    journal = MemoryJournal(make_events(400))
    failures = iter([True])

    def fail_once(_: Sequence[Event]) -> None:
        if next(failures, False):
            journal.add(make_event(500, type=EventType.DOOR_FORCED))
            raise Transient("no route", FailureKind.TRANSPORT)

    sink = Sink(fail_once)
    with running(make_uplink(journal, sink).run):
        assert journal.wait_until_sent(10)
    assert sink.batches[0] == [500]


def test_poison_is_isolated_reported_and_kept() -> None:
    """Halving finds the one event that is refused; all before it arrive, it stays unsent and the reason stands."""
    journal = MemoryJournal(make_events(300))

    def refuse_77(events: Sequence[Event]) -> None:
        if any(event.seq == 77 for event in events):
            raise Permanent("never these bytes")

    sink = Sink(refuse_77)
    uplink = make_uplink(journal, sink)
    with running(uplink.run):
        eventually(lambda: uplink.report.trouble == REFUSED and uplink.report.error == "never these bytes")
        assert [place[1] for place in journal.sent] == list(range(1, 77))
        # A person frees the journal of it: the rest goes, and nothing is degraded any more.
        journal.drop(1, 77)
        assert journal.wait_until_sent(10)
        eventually(lambda: uplink.report.trouble is None)
    assert sorted(seq for batch in sink.batches for seq in batch) == [*range(1, 77), *range(78, 301)]
    assert max(len(batch) for batch in sink.batches[-2:]) > 1, "records grow again once the poison is gone"


def test_an_alarm_overtakes_a_refused_event_without_its_wait() -> None:
    """The longest wait is for the event that is refused, not for what the journal puts before it."""
    journal = MemoryJournal([make_event(1)])

    def refuse_1(events: Sequence[Event]) -> None:
        if events[0].seq == 1:
            raise Permanent("never")

    sink = Sink(refuse_1)
    uplink = Uplink(journal, sink, KEY, waits=waits(0.001, 600.0), on_state=lambda _: None)
    with running(uplink.run):
        eventually(lambda: uplink.report.trouble == REFUSED)
        journal.add(make_event(9, type=EventType.DOOR_FORCED))
        eventually(lambda: sink.batches == [[9]])
        assert uplink.report.trouble == REFUSED, "the refused event is still there"


def test_a_run_that_is_none_is_split() -> None:
    """A journal that hands out events that do not belong together does not stop the uplink."""

    class Careless(MemoryJournal):
        def next_unsent(self, max_events: int, max_bytes: int) -> Sequence[Event]:
            return [*super().next_unsent(1, max_bytes), make_event(99)][:max_events]

    journal, sink = Careless(make_events(3)), Sink()
    with running(make_uplink(journal, sink).run):
        assert journal.wait_until_sent(10)
    assert sink.batches == [[1], [2], [3]]


def test_state_follows_the_cloud() -> None:
    """Online with the first acknowledgement, offline with a failure of the way, told once for each turn."""
    journal, online = MemoryJournal([make_event(1)]), list[bool]()
    down = threading.Event()

    def judge(_: Sequence[Event]) -> None:
        if down.is_set():
            raise Transient("no route", FailureKind.TRANSPORT)

    uplink = make_uplink(journal, Sink(judge), online)
    assert uplink.report.state is Link.OFF
    with running(uplink.run):
        eventually(lambda: uplink.report.state is Link.ONLINE)
        down.set()
        journal.add(make_event(2))
        eventually(lambda: uplink.report.attempts > 3)
        assert (uplink.report.state, uplink.report.error) == (Link.OFFLINE, "no route")
        assert uplink.report.last_ok_s is not None
        down.clear()
        eventually(lambda: uplink.report.state is Link.ONLINE)
        assert (uplink.report.attempts, uplink.report.error) == (0, None)
    assert uplink.report.state is Link.OFF
    assert online == [True, False, True, False]


def test_a_throttled_uplink_stays_online() -> None:
    """Who asks us to slow down is there."""
    journal, online = MemoryJournal([make_event(1)]), list[bool]()
    limits = iter([False] + [True] * 5)

    def judge(_: Sequence[Event]) -> None:
        if next(limits, False):
            raise Transient("slow down", FailureKind.THROTTLED)

    with running(make_uplink(journal, Sink(judge), online).run):
        assert journal.wait_until_sent(10)
        journal.add(make_event(2))
        assert journal.wait_until_sent(10)
    assert online == [True, False]


def test_a_journal_that_can_not_be_read_is_tried_again() -> None:
    """A disk that refuses for a moment costs waits, not the worker."""

    class Flaky(MemoryJournal):
        refusals = 3

        def next_unsent(self, max_events: int, max_bytes: int) -> Sequence[Event]:
            if self.refusals:
                self.refusals -= 1
                raise StorageError("the disk is busy")
            return super().next_unsent(max_events, max_bytes)

    journal, sink = Flaky(make_events(3)), Sink()
    with running(make_uplink(journal, sink).run):
        assert journal.wait_until_sent(10)
    assert sink.batches == [[1, 2, 3]]
