"""What a group of records comes to, pure: the events that are new, what to tell, and what has arrived then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloud.contract.events import Event
from cloud.contract.records import Record
from cloud.domain.alarms import Alarm, event_alarm, finding_alarm
from cloud.domain.delays import Delay, delay_of
from cloud.domain.intake import Arrival, event_key
from cloud.domain.keys import Key
from cloud.domain.outcome import Item
from cloud.domain.streams import ChainBroken, Stream, held_before, merge, rewound

Group = list[tuple[Arrival, Record]]
"""Records in the order of the stream."""
StreamName = tuple[str, int]
"""Device and epoch."""
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
    """The outcome."""

    streams: Mapping[StreamName, Stream]
    """With the records in them."""
    new: tuple[NewEvent, ...]
    doubtful: tuple[NewEvent, ...]
    """At or below the floor of their stream: only what lies in the table tells whether they are new. See `compare`."""
    alarms: tuple[Alarm, ...]
    counts: Counts


def stream_names(group: Group) -> list[StreamName]:
    """The streams that the records belong to, each once."""
    return list(dict.fromkeys((record.device, record.epoch) for _, record in group))


def to_compare(before: Mapping[StreamName, Stream], group: Group) -> dict[StreamName, NewEvent]:
    """For each stream the first event that was taken before, to be compared with what lies in the table."""
    found: dict[StreamName, NewEvent] = {}
    for arrival, record in group:
        name = (record.device, record.epoch)
        if name not in found and (event := held_before(before[name], record.events)):
            found[name] = event, arrival.arrived_at
    return found


def rewind(
    before: Mapping[StreamName, Stream], others: Mapping[StreamName, NewEvent]
) -> tuple[dict[StreamName, Stream], list[Alarm]]:
    """The streams of events that are not what lies in their place, and what to tell of them.

    To be told and noted before any of the events is written: one that lies in the table is no other than itself.
    """
    streams = {name: rewound(before[name]) for name in others}
    alarms = [
        finding_alarm(event.site, event.device, ChainBroken(event.epoch, event.seq), arrived_at)
        for event, arrived_at in others.values()
    ]
    return streams, alarms


def gather(before: Mapping[StreamName, Stream], group: Group) -> Gathered:
    """Add the records, each of one site, to their streams."""
    streams, counts = dict(before), Counts()
    alarms: list[Alarm] = []
    new: list[NewEvent] = []
    doubtful: list[NewEvent] = []
    for arrival, record in group:
        name, site = (record.device, record.epoch), record.events[0].site
        floor = streams[name].floor
        result = merge(streams[name], record.events, arrival.arrived_at)
        streams[name] = result.stream
        for event in result.new:
            (new if event.seq > floor else doubtful).append((event, arrival.arrived_at))
        alarms += [finding_alarm(site, record.device, found, arrival.arrived_at) for found in result.findings]
        counts.holes += result.opened_hole
        counts.chain_breaks += sum(isinstance(found, ChainBroken) for found in result.findings)
        counts.duplicates += len(record.events) - len(result.new)
    alarms += _event_alarms(new)
    counts.add(_counted(new))
    counts.alarms = len(alarms)
    return Gathered(streams, tuple(new), tuple(doubtful), tuple(alarms), counts)


@dataclass(frozen=True, slots=True)
class Compared:
    """What doubtful events are."""

    absent: tuple[NewEvent, ...]
    """New ones: to be written where nothing lies."""
    known: tuple[NewEvent, ...]
    """In the table already, and when they came first. All else that follows from them may not have been done yet."""
    alarms: tuple[Alarm, ...]
    counts: Counts


def compare(doubtful: Iterable[NewEvent], lying: Mapping[Key, Item | None]) -> Compared:
    """Hold doubtful events against what lies in their places: what came first stays, whatever comes later.

    Of all events of a stream that are others than what lies there the first is told of: whoever has a controller's key
    must not be able to send people an alarm for each event.
    """
    first = {key: (item["event"], item["arrived_at"]) for key, item in lying.items() if item is not None}
    absent: list[NewEvent] = []
    known: list[NewEvent] = []
    changed: dict[StreamName, Alarm] = {}
    breaks = 0
    for event, arrived_at in doubtful:
        key, text = event_key(event), event.wire().decode("utf-8")
        if key not in first:
            first[key] = text, arrived_at
            absent.append((event, arrived_at))
        elif first[key][0] == text:
            known.append((event, first[key][1]))
        else:
            breaks += 1
            alarm = finding_alarm(event.site, event.device, ChainBroken(event.epoch, event.seq), arrived_at)
            changed.setdefault((event.device, event.epoch), alarm)
    alarms = (*changed.values(), *_event_alarms([*absent, *known]))
    counts = _counted(absent)
    counts.duplicates, counts.chain_breaks, counts.alarms = len(known), breaks, len(alarms)
    return Compared(tuple(absent), tuple(known), alarms, counts)


def _event_alarms(events: Iterable[NewEvent]) -> list[Alarm]:
    told = (event_alarm(event, delay_of(event.at, arrived_at), arrived_at) for event, arrived_at in events)
    return [alarm for alarm in told if alarm is not None]


def _counted(new: Iterable[NewEvent]) -> Counts:
    counts = Counts()
    for event, arrived_at in new:
        counts.events += 1
        counts.late[delay_of(event.at, arrived_at)] += 1
    return counts
