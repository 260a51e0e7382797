"""The journal against a model: whatever is appended, acknowledged, reopened or squeezed out, all is explained."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.storage.journal import SqliteJournal
from agent.storage.verify import verify
from cloud.contract.events import ALARMS, Event, EventType
from tests.rigs.journals import PACKED_BYTES, open_journal
from tests.rigs.stamps import forced, opened


class JournalMachine(RuleBasedStateMachine):
    """Keeps beside the journal what was appended and what was acknowledged."""

    journal: SqliteJournal

    @initialize(bound=st.sampled_from([40, 120, 10_000]))
    def begin(self, bound: int) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cardea-journal-"))
        self.bound = bound
        self.appended: dict[int, Event] = {}
        self.acked: set[int] = set()
        self.explained: set[int] = set()
        self.journal = open_journal(self.directory, max_events=bound)

    @rule(count=st.integers(1, 30), alarm=st.booleans())
    def append(self, count: int, alarm: bool) -> None:
        for _ in range(count):
            event = self.journal.append(forced() if alarm else opened(), 10)
            assert event.seq not in self.appended
            self.appended[event.seq] = event

    @rule(most=st.integers(1, 25), keep=st.booleans())
    def send(self, most: int, keep: bool) -> None:
        run = self.journal.next_unsent(most, PACKED_BYTES)
        assert len(run) <= most
        for event in run:
            assert event.seq not in self.acked
            assert self.appended.get(event.seq, event) == event
        assert [event.seq for event in run] == list(range(run[0].seq, run[0].seq + len(run))) if run else True
        if run and keep:
            self._ack(run[0].seq, run[-1].seq)
            for event in run:
                if event.type is EventType.JOURNAL_GAP and event.detail:
                    self.explained |= set(range(int(str(event.detail["first"])), int(str(event.detail["last"])) + 1))

    @precondition(lambda self: bool(self.appended))
    @rule(data=st.data())
    def ack_any_run(self, data: st.DataObject) -> None:
        first = data.draw(st.integers(1, max(self.appended)))
        last = data.draw(st.integers(first, min(first + 12, max(self.appended))))
        if not any(self._is_gap(seq) for seq in range(first, last + 1)):
            self._ack(first, last)

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = open_journal(self.directory, max_events=self.bound)

    @invariant()
    def stored_events_are_what_was_appended(self) -> None:
        stored = self.journal.events(limit=100_000)
        assert len(stored) <= self.bound
        for place in stored:
            event = place.event
            assert self.appended.setdefault(event.seq, event) == event
            assert place.sent == (event.seq in self.acked)
        kept = [place.event.seq for place in stored]
        assert kept == sorted(kept)
        assert self.journal.stats().unsent == sum(not place.sent for place in stored)

        # Nothing unsent is lost without a gap event.
        self.are_gaps_told({place.event.seq: place.event for place in stored})

    def are_gaps_told(self, stored: dict[int, Event]) -> None:
        told = set(self.explained)
        for event in stored.values():
            if event.type is EventType.JOURNAL_GAP and event.detail:
                told |= set(range(int(str(event.detail["first"])), int(str(event.detail["last"])) + 1))
        missing = set(range(1, self.journal.stats().seq + 1)) - stored.keys() - self.acked
        assert missing <= told

    @precondition(lambda self: bool(self.appended))
    @rule()
    def an_alarm_goes_first(self) -> None:
        unsent = [place.event for place in self.journal.events(limit=100_000) if not place.sent]
        run = self.journal.next_unsent(5, PACKED_BYTES)
        assert bool(run) == bool(unsent)
        alarms = [event.seq for event in unsent if event.type in ALARMS]
        if alarms:
            assert run[0].seq == alarms[0]

    def _ack(self, first: int, last: int) -> None:
        stored = {place.event.seq for place in self.journal.events(limit=100_000)}
        self.journal.mark_sent(1, first, last)
        self.acked |= set(range(first, last + 1)) & stored

    def _is_gap(self, seq: int) -> bool:
        event = self.appended.get(seq)
        return event is None or event.type is EventType.JOURNAL_GAP

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            assert verify(self.directory / "journal.db") is None
            shutil.rmtree(self.directory)


JournalMachine.TestCase.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestJournalModel = JournalMachine.TestCase
