"""What a consumer of the stream concludes: which events came, in what order, and every promise that was not kept.

Fed with records in order of arrival. Promises of order, which are the lanes': a record holds consecutive events; it
begins at or before the lowest event that has not come yet, unless it begins with an alarm or with an event of the very
life that sent it (live events pass a backlog that an earlier life left).
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.contract.errors import ContractError
from cloud.contract.events import ALARMS, GENESIS, Event, EventType, event_id
from cloud.contract.records import unpack
from tests.rigs.fault_kinesis import StoredRecord

_OF_THE_JOURNAL: Final = frozenset({EventType.JOURNAL_DEGRADED, EventType.JOURNAL_RECOVERED})
MOST_PROBLEMS: Final = 50
"""Kept in words; the rest is a number."""


@dataclass(slots=True)
class Problems:
    """Promises that were not kept."""

    found: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, words: str) -> None:
        """One more."""
        self.count += 1
        if len(self.found) < MOST_PROBLEMS:
            self.found.append(words)

    def told(self) -> tuple[str, ...]:
        """All of them in words."""
        more = self.count - len(self.found)
        return (*self.found, *([f"and {more} more"] if more else []))


@dataclass(frozen=True, slots=True)
class Told:
    """A decision that the daemon told somebody."""

    life: str
    event_id: str | None
    """None: the daemon said that the event still waits for the disk, and promised nothing."""
    granted: bool
    reason: str
    door: str
    reader: str
    seq: int | None = None
    """None: it was not told."""
    credential: str | None = None
    """Of the card that was tapped; None: it is not known."""


@dataclass(frozen=True, slots=True)
class Life:
    """One run of the daemon."""

    name: str
    """Its access key id."""
    born_ms: int
    dead_ms: int
    """Since boot, of the process that watches: no event lies outside."""


class Lives:
    """All runs of the daemon, in order."""

    def __init__(self) -> None:
        self._born: list[int] = []
        self._lives: list[Life] = []

    def add(self, life: Life) -> None:
        """A life is over."""
        self._born.append(life.born_ms)
        self._lives.append(life)

    def of(self, event: Event) -> Life | None:
        """The life that made an event; None when nobody lived then."""
        place = bisect.bisect_right(self._born, event.mono_ms) - 1
        life = self._lives[place] if place >= 0 else None
        return life if life is not None and event.mono_ms <= life.dead_ms else None

    def __len__(self) -> int:
        return len(self._lives)


class Ledger:
    """See the module. One device, one epoch: a SIGKILL is no reason to begin another."""

    def __init__(self, device: str, lives: Lives, problems: Problems) -> None:
        self._device = device
        self._lives = lives
        self._problems = problems
        self._hashes: dict[int, str] = {}
        self._fresh: dict[int, Event] = {}
        """Came since the last `settle`."""
        self._lowest_missing = 1
        self._highest = 0
        self._chain = GENESIS
        self._settled = 0
        self._made_by: str | None = None
        """Name of the life that made the last settled event."""
        self.records = 0
        self.repeated = 0
        """Events that came again."""
        self.late = 0
        """Events that came for the first time after a later one."""
        self.alarms_ahead = 0
        """Records that passed the backlog for their alarm."""
        self.live_ahead = 0

    @property
    def events(self) -> int:
        """Number of different events so far."""
        return len(self._hashes)

    def take(self, records: Iterable[StoredRecord], key: Ed25519PublicKey) -> None:
        """More of the stream, in order of arrival."""
        for record in records:
            self.records += 1
            try:
                batch = unpack(record.data, [key])
            except ContractError as error:
                self._problems.add(f"record {record.sequence_number} is not what the device signed: {error}")
                continue
            if (batch.device, batch.epoch, record.partition_key) != (self._device, 1, self._device):
                self._problems.add(f"a record of {batch.device}, epoch {batch.epoch}, key {record.partition_key}")
                continue
            self._check_order(batch.events, record.sender)
            for event in batch.events:
                self._take(event)

    def settle(self, journal: Sequence[Event], decisions: Iterable[Told]) -> None:
        """All has been delivered: compare with what the journal holds of it and with what was told; then forget it."""
        highest = max(self._hashes, default=0)
        for seq in range(self._settled + 1, highest + 1):
            event = self._fresh.get(seq)
            if event is None:
                if seq not in self._hashes:
                    self._problems.add(f"event {seq} is missing on the stream")
                    self._chain = ""
                continue
            if self._chain and event.prev != self._chain:
                self._problems.add(f"event {seq} does not hold the hash of the one before it")
            self._chain = self._hashes[seq]
            self._check_life(event)
        held = {event.seq: event.chain_hash() for event in journal}
        expected = {seq: self._hashes[seq] for seq in self._fresh if seq > self._settled}
        for seq in sorted(held.keys() | expected.keys()):
            if held.get(seq) != expected.get(seq):
                where = (
                    "differs" if seq in held and seq in expected else "is extra" if seq in expected else "is missing"
                )
                self._problems.add(f"event {seq} of the journal {where} on the stream")
        by_id = {event.id: event for event in self._fresh.values()}
        for told in decisions:
            self._check_told(told, by_id)
        self._settled = highest
        self._fresh.clear()

    @property
    def settled(self) -> int:
        """The seq up to which the stream was compared."""
        return self._settled

    def _take(self, event: Event) -> None:
        hashed = event.chain_hash()
        known = self._hashes.get(event.seq)
        if known is not None:
            self.repeated += 1
            if known != hashed:
                self._problems.add(f"event {event.seq} came twice and differs")
            return
        if event.id != event_id(self._device, event.epoch, event.seq):
            self._problems.add(f"event {event.seq} has a wrong id")
        self._hashes[event.seq] = hashed
        self._fresh[event.seq] = event
        self.late += event.seq < self._highest
        self._highest = max(self._highest, event.seq)
        while self._lowest_missing in self._hashes:
            self._lowest_missing += 1

    def _check_order(self, events: Sequence[Event], sender: str) -> None:
        first = events[0]
        if first.seq <= self._lowest_missing:
            return
        life = self._lives.of(first)
        if first.type in ALARMS:
            self.alarms_ahead += 1
        elif life is not None and life.name == sender:
            self.live_ahead += 1
        else:
            self._problems.add(f"{sender} sent event {first.seq} although {self._lowest_missing} had not come")

    def _check_told(self, told: Told, by_id: Mapping[str, Event]) -> None:
        if told.event_id is None:
            return
        event = by_id.get(told.event_id)
        if event is None:
            self._problems.add(f"{told.life}: a decision at {told.reader} was told ({told.reason}) and did not arrive")
            return
        kind = EventType.ACCESS_GRANTED if told.granted else EventType.ACCESS_DENIED
        life = self._lives.of(event)
        same = (
            (event.type, event.reason, event.door, event.reader) == (kind, told.reason, told.door, told.reader)
            and told.seq in (None, event.seq)
            and told.credential in (None, event.credential)
            and life is not None
            and life.name == told.life
        )
        if not same:
            self._problems.add(f"{told.life}: what was told of event {event.seq} is not what arrived: {told}")

    def _check_life(self, event: Event) -> None:
        life = self._lives.of(event)
        if life is None:
            self._problems.add(f"event {event.seq} ({event.type}) was made when no daemon lived")
            return
        if event.type in _OF_THE_JOURNAL:
            return  # when the disk was late, these come before what waits for it
        begins = life.name != self._made_by
        if begins != (event.type is EventType.AGENT_STARTED):
            which = "the first" if begins else "not the first"
            self._problems.add(f"event {event.seq} ({event.type}) is {which} of its life")
        self._made_by = life.name
