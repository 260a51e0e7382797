"""What has arrived of one device's events in one epoch: a set of runs, pure. Must never take a hole for delivered.

Records come in any order and more than once: alarms before what happens now, that before a backlog. So what has
arrived is kept as runs of consecutive events; between two runs, and before the first, is a hole. Each run remembers the
`prev` of its first event and the hash of its last, so that the chain is checked also where two records meet.

The bound is MAX_RUNS runs. When there is one too many, the hole that lies lowest is given up: its two neighbours become
one run, what lies below its end is from then on looked for in the table whenever it comes, and it is a finding, so a
person hears of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Self

from cloud.contract.events import GENESIS, Event, EventType
from cloud.domain.losses import Explained, Explanations, explained_by, united
from cloud.domain.times import moment_s

MAX_RUNS: Final = 128
"""An item of 128 runs is 25 KB. A backlog makes one run of each group of alarms in it, until it is delivered."""
HOLES: Final = "HOLES"
"""Partition of the owner index with all streams that have a hole which is not settled."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive events that have arrived, and what is known of the hole below them, if there is one."""

    first: int
    last: int
    first_prev: str
    last_hash: str
    since: str
    """When the hole below was first seen, or last became smaller: while it does, a backlog is on its way."""
    settled: bool = False
    """Somebody was told of the hole below, or it was explained."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Events that have not arrived although later ones have."""

    first: int
    last: int
    since: str
    settled: bool


@dataclass(frozen=True, slots=True)
class ChainBroken:
    """The event at this place does not follow on the one before, or is not the one that arrived earlier."""

    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class GivenUp:
    """There were too many holes: what is missing in this one is no longer known."""

    epoch: int
    first: int
    last: int


Finding = ChainBroken | GivenUp


@dataclass(frozen=True, slots=True)
class Stream:
    """All that has arrived of one device and epoch."""

    device: str
    epoch: int
    runs: tuple[Run, ...] = ()
    explained: tuple[Explained, ...] = ()
    floor: int = 0
    """Up to here it is not known what has arrived: holes were given up, or places were used twice."""
    after_loss: bool = False
    """The journal before this epoch was set aside: what is missing of earlier epochs is known to be lost."""
    arrived_at: str = ""
    """Of the newest record."""

    @property
    def holes(self) -> tuple[Hole, ...]:
        """What is missing, lowest first."""
        ends = (0, *(run.last for run in self.runs))
        return tuple(
            Hole(end + 1, run.first - 1, run.since, run.settled)
            for end, run in zip(ends, self.runs, strict=False)
            if run.first > end + 1
        )

    @classmethod
    def read(cls, device: str, epoch: int, item: Mapping[str, Any] | None) -> Self:
        """The stream of an item; an empty one when there is none."""
        if item is None:
            return cls(device, epoch)
        return cls(
            device,
            epoch,
            tuple(Run(*values) for values in item["runs"]),
            tuple(Explained(*values) for values in item["explained"]),
            item["floor"],
            item["after_loss"],
            item["arrived_at"],
        )

    def fields(self) -> dict[str, Any]:
        """The fields of its item, index keys included; not pk, sk, `v`, `rev`."""
        fields: dict[str, Any] = {
            "device": self.device,
            "epoch": self.epoch,
            "runs": [[run.first, run.last, run.first_prev, run.last_hash, run.since, run.settled] for run in self.runs],
            "explained": [[loss.epoch, loss.first, loss.last] for loss in self.explained],
            "floor": self.floor,
            "after_loss": self.after_loss,
            "arrived_at": self.arrived_at,
        }
        if any(not hole.settled and unexplained(self.epoch, hole, [self]) for hole in self.holes):
            fields["g1pk"], fields["g1sk"] = HOLES, f"{self.device}#{self.epoch:010d}"
        return fields


@dataclass(frozen=True, slots=True)
class Merged:
    """What a record came to."""

    stream: Stream
    new: tuple[Event, ...]
    """Events that had not arrived, as far as is known: of those up to the floor of the stream before, nothing is."""
    findings: tuple[Finding, ...]
    opened_hole: bool
    """It came before others that lie below it."""


def merge(stream: Stream, events: Sequence[Event], arrived_at: str) -> Merged:
    """Add the consecutive events of one record of this device and epoch."""
    inside = [_holds(stream.runs, event.seq) for event in events]
    new = tuple(event for event, held in zip(events, inside, strict=True) if not held or event.seq <= stream.floor)
    findings: list[Finding] = []
    hashes: dict[int, str] = {}
    if new:
        hashes = {event.seq: event.chain_hash() for event in events}
        findings += _inner_breaks(events, hashes, {event.seq for event in new})
    findings += _rewritten(stream, events, hashes)
    runs = list(stream.runs)
    opened_hole = events[0].seq > (runs[-1].last if runs else 0) + 1
    for first, last in _groups(event.seq for event, held in zip(events, inside, strict=True) if not held):
        fresh = Run(first, last, events[first - events[0].seq].prev, hashes[last], arrived_at)
        runs, broken = _inserted(runs, fresh)
        findings += [ChainBroken(stream.epoch, seq) for seq in broken]
    merged = replace(stream, runs=tuple(runs), arrived_at=max(stream.arrived_at, arrived_at))
    merged = _told_by_device(merged, new)
    while len(merged.runs) > MAX_RUNS:
        merged, given_up = _without_lowest_hole(merged)
        findings.append(given_up)
    return Merged(merged, new, tuple(dict.fromkeys(findings)), opened_hole)


def unexplained(epoch: int, hole: Hole, streams: Iterable[Stream]) -> list[tuple[int, int]]:
    """What is left of a hole of this epoch after all that the device's streams explain."""
    return _explanations(list(streams)).left_of(epoch, (hole.first, hole.last))


def _explanations(streams: Sequence[Stream]) -> Explanations:
    return Explanations(
        [loss for stream in streams for loss in stream.explained],
        max((stream.epoch for stream in streams if stream.after_loss), default=0),
    )


def overdue(streams: Sequence[Stream], wait_s: float) -> list[tuple[Stream, Hole, list[tuple[int, int]]]]:
    """Holes of one device that somebody must hear of, or (with no parts) that are explained by now; none that is
    settled. The parts are what nobody explains.

    A hole must be there for so long while the controller delivers: one that is cut off is not missing anything yet.
    """
    found = []
    explanations = _explanations(streams)
    newest = max((stream.arrived_at for stream in streams), default="")
    newest_s = moment_s(newest) if newest else 0.0
    for stream in streams:
        for hole in stream.holes:
            if not hole.settled:
                parts = explanations.left_of(stream.epoch, (hole.first, hole.last))
                if not parts or newest_s - moment_s(hole.since) >= wait_s:
                    found.append((stream, hole, parts))
    return found


def settled(stream: Stream, holes: Iterable[Hole]) -> Stream:
    """The stream once these holes have been told or explained."""
    above = {hole.last + 1 for hole in holes}
    return replace(stream, runs=tuple(replace(run, settled=True) if run.first in above else run for run in stream.runs))


def held_before(stream: Stream, events: Iterable[Event]) -> Event | None:
    """The first of these that should be in the table already, just as it is; None when there is none.

    The time of an event that was made with a clock that nobody trusted may have been corrected since.
    """
    for event in events:
        if event.seq > stream.floor and event.clock == "synced" and _holds(stream.runs, event.seq):
            return event
    return None


def rewound(stream: Stream) -> Stream:
    """The stream of a device that uses its places a second time: a controller that was set back to an old copy.

    What has its place among the known ones may be new from then on: it is looked for in the table, so that nothing of
    it is lost and nothing that lies there is written over.
    """
    return replace(stream, floor=stream.runs[-1].last) if stream.runs else stream


def _holds(runs: Sequence[Run], seq: int) -> bool:
    return any(run.first <= seq <= run.last for run in runs)


def _groups(seqs: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Ascending numbers as runs of consecutive ones."""
    first = last = None
    for seq in seqs:
        if first is not None and last is not None and seq != last + 1:
            yield first, last
            first = None
        first, last = seq if first is None else first, seq
    if first is not None and last is not None:
        yield first, last


def _inner_breaks(events: Sequence[Event], hashes: Mapping[int, str], new: set[int]) -> list[Finding]:
    """Where the chain breaks between new events. Where they meet others, the runs tell."""
    return [
        ChainBroken(event.epoch, event.seq)
        for before, event in pairwise(events)
        if event.prev != hashes[before.seq] and before.seq in new and event.seq in new
    ]


def _rewritten(stream: Stream, events: Sequence[Event], hashes: Mapping[int, str]) -> list[Finding]:
    """Events that arrived before and are others now, where a run tells: at its ends."""
    found: list[Finding] = []
    start, end = events[0].seq, events[-1].seq
    for run in stream.runs:
        if start <= run.last <= end:
            event = events[run.last - start]
            if (hashes.get(event.seq) or event.chain_hash()) != run.last_hash:
                found.append(ChainBroken(stream.epoch, run.last))
        if start <= run.first <= end and events[run.first - start].prev != run.first_prev:
            found.append(ChainBroken(stream.epoch, run.first))
    return found


def _inserted(runs: list[Run], fresh: Run) -> tuple[list[Run], list[int]]:
    """The runs with a fresh one in one of their holes or above, and the places where the chain does not hold."""
    place = sum(run.last < fresh.first for run in runs)
    below, above = runs[:place], runs[place:]
    broken = []
    if above:
        fresh = replace(fresh, settled=above[0].settled)
        above[0] = replace(above[0], since=fresh.since)
    if fresh.first == 1 and fresh.first_prev != GENESIS:
        broken.append(1)
    if below and below[-1].last == fresh.first - 1:
        if below[-1].last_hash != fresh.first_prev:
            broken.append(fresh.first)
        fresh = replace(below.pop(), last=fresh.last, last_hash=fresh.last_hash)
    if above and above[0].first == fresh.last + 1:
        if above[0].first_prev != fresh.last_hash:
            broken.append(above[0].first)
        joined = above.pop(0)
        fresh = replace(fresh, last=joined.last, last_hash=joined.last_hash)
    return [*below, fresh, *above], broken


def _without_lowest_hole(stream: Stream) -> tuple[Stream, GivenUp]:
    lower, upper, *others = stream.runs
    joined = replace(lower, last=upper.last, last_hash=upper.last_hash)
    given_up = GivenUp(stream.epoch, lower.last + 1, upper.first - 1)
    return replace(stream, runs=(joined, *others), floor=max(stream.floor, upper.last)), given_up


def _told_by_device(stream: Stream, events: Iterable[Event]) -> Stream:
    """The stream with what these events say of losses."""
    losses = [loss for event in events if (loss := explained_by(event))]
    after_loss = stream.after_loss or any(event.type is EventType.JOURNAL_SET_ASIDE for event in events)
    return replace(stream, explained=united((*stream.explained, *losses)), after_loss=after_loss)
