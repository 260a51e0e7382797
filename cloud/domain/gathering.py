"""What a group of records of one device comes to, pure: new events, what to tell, and what has arrived then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloud.contract.events import Event
from cloud.contract.records import Record
from cloud.domain.alarms import Alarm, event_alarm, finding_alarm
from cloud.domain.delays import Delay, delay_of
from cloud.domain.intake import Arrival
from cloud.domain.streams import ChainBroken, Stream, merge

Group = list[tuple[Arrival, Record]]
"""Records of one device, in the order of the stream."""
NewEvent = tuple[Event, str]
"""An event, and when it arrived."""


@dataclass(slots=True)
class Counts:
    """What records came to."""

    events: int = 0
    """New ones."""
    duplicates: int = 0
    late: dict[Delay, int] = field(default_factory=lambda: dict.fromkeys(Delay, 0))
    """New events by the class of their delay."""
    holes: int = 0
    chain_breaks: int = 0
    alarms: int = 0
    rejected: int = 0

    def add(self, other: "Counts") -> None:
        """Count those of another too."""
        for name in ("events", "duplicates", "holes", "chain_breaks", "alarms", "rejected"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for delay in Delay:
            self.late[delay] += other.late[delay]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The outcome for one device."""

    streams: Mapping[int, Stream]
    """By epoch, with the records in them."""
    new: tuple[NewEvent, ...]
    alarms: tuple[Alarm, ...]
    counts: Counts


def gather(site: str, before: Mapping[int, Stream], group: Iterable[tuple[Arrival, Record]]) -> Gathered:
    """Add the records to the streams of their device, which are given by epoch."""
    streams, counts = dict(before), Counts()
    alarms: list[Alarm] = []
    new: list[NewEvent] = []
    for arrival, record in group:
        result = merge(streams[record.epoch], record.events, arrival.arrived_at)
        streams[record.epoch] = result.stream
        new += [(event, arrival.arrived_at) for event in result.new]
        alarms += [finding_alarm(site, record.device, found, arrival.arrived_at) for found in result.findings]
        counts.holes += result.opened_hole
        counts.chain_breaks += sum(isinstance(found, ChainBroken) for found in result.findings)
        counts.duplicates += len(record.events) - len(result.new)
    for event, arrived_at in new:
        delay = delay_of(event.at, arrived_at)
        counts.late[delay] += 1
        if alarm := event_alarm(event, delay, arrived_at):
            alarms.append(alarm)
    counts.events, counts.alarms = len(new), len(alarms)
    return Gathered(streams, tuple(new), tuple(alarms), counts)
