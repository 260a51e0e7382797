"""The recorder: waits for the disk a bounded time, and never stops a door."""

from agent.core.events import EventDraft, StampedEvent
from agent.runtime.recorder import COMMIT_WAIT_S, Recorder
from cloud.contract.events import Event, EventType
from tests.rigs.fakes import FakeClock, SealingJournal

OPENED = EventDraft(type=EventType.DOOR_OPENED, door="front")


def test_an_event_is_sealed_with_the_time_and_the_uplinks_state() -> None:
    """The stamp says when, by which clock, and whether the cloud was there."""
    recorder = Recorder(SealingJournal(), FakeClock(wall_s=1_790_000_000.25, known=False))
    recorder.online = True
    event = recorder.record(OPENED)
    assert event is not None
    assert (event.at, event.clock, event.online) == ("2026-09-21T14:13:20.250Z", "unsynced", True)


def test_a_disk_that_refuses_is_waited_for_once() -> None:
    """The first event pays for finding out; nobody after it waits."""
    journal = SealingJournal()
    recorder = Recorder(journal, FakeClock())
    journal.refuses = True
    assert recorder.record(OPENED) is None
    assert recorder.record(OPENED) is None
    assert journal.waited[0] == COMMIT_WAIT_S
    assert set(journal.waited[1:]) == {0.0}
    assert recorder.degraded


def test_recovery_is_noticed_without_a_tap() -> None:
    """When the disk takes events again, the next one is waited for again."""
    journal = SealingJournal()
    recorder = Recorder(journal, FakeClock())
    journal.refuses = True
    recorder.record(OPENED)
    journal.refuses = False
    recorder.check()
    assert not recorder.degraded
    recorder.record(OPENED)
    assert journal.waited == [COMMIT_WAIT_S, COMMIT_WAIT_S]


def test_an_event_that_no_consumer_could_read_keeps_its_kind() -> None:
    """A detail of a peer that is no JSON costs the detail, not the event."""

    class Strict(SealingJournal):
        """As the real journal: refuses what does not fit."""

        def append(self, stamped: StampedEvent, timeout_s: float) -> Event:
            if (stamped.draft.detail or {}).get("what") == "\ud800":
                raise TypeError("not UTF-8")
            return super().append(stamped, timeout_s)

    journal = Strict()
    recorder = Recorder(journal, FakeClock())
    lost = EventDraft(type=EventType.READER_LOST, reader="in", detail={"what": "\ud800"})
    assert recorder.record(lost) is not None
    assert journal.drafts[0].detail == {"unfit": "TypeError"}
