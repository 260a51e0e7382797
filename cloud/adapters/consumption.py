"""Takes records off the stream, so that each event counts once however often and in whatever order it comes.

Records that came together are one group, so that few requests do for many. Its events are written first, then who is
where, then people are told what is alarming, and only then is it noted what has arrived. So after a crash between any
two of these the group is taken as new once more, and all of its writes mean the same a second time.

A record that no registered controller may have sent is set aside and done with. A fault of the account is never taken
for an answer: the group in which it happens, and all records after it, come again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cloud.adapters.aws import AwsError
from cloud.adapters.consumption_calls import Calls, again_on_conflict
from cloud.adapters.consumption_outlets import AlarmTopic, RejectedRecords, place_of
from cloud.adapters.consumption_presence import PresenceWriter
from cloud.adapters.consumption_store import ConsumptionStore, in_batches
from cloud.adapters.entities import EntityStore
from cloud.contract.records import Record
from cloud.domain import keys
from cloud.domain.alarms import Alarm, rejected_alarm
from cloud.domain.gathering import (
    Counts,
    Group,
    NewEvent,
    StreamName,
    compare,
    gather,
    rewind,
    stream_names,
    to_compare,
)
from cloud.domain.intake import Arrival, Reason, Refusal, Refused, event_fields, event_key, is_device, read_record
from cloud.domain.keys import Key
from cloud.domain.outcome import Item
from cloud.domain.streams import Stream
from cloud.domain.times import moment_s
from cloud.errors import CloudError, Conflict

MAX_EVENTS_TOGETHER: Final = 2000
"""Of a group: what was taken is noted at least this often, so a long backlog never has to be done in one go."""
SEEN_EVERY_S: Final = 60.0
"""A device's item is not written for each record: its `last_seen` may be so much behind."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was set aside, for the log."""

    name: str
    reason: Reason
    kept_as: str


@dataclass(slots=True)
class Taken:
    """How far a batch was taken."""

    counts: Counts = field(default_factory=Counts)
    rejected: list[Rejected] = field(default_factory=list)
    first_left: Arrival | None = None
    """From here on the records must come again; None: all are done."""
    fault: CloudError | None = None
    """Why."""
    done: set[str] = field(default_factory=set)
    """Names of the records that are."""


Devices = Mapping[str, Item]
"""Registered devices by name."""
_RefusedOnes = Sequence[tuple[Arrival, Refusal]]


class Consumption:
    """The consumer of the stream. Holds nothing that a crash could lose.

    Args:
        entities: The table, for reading.
        store: The table, for writing.
        rejected: Where records go that are not taken.
        alarms: Where alarms go.
        keep_days: How long events stay in the table; the archive keeps them longer.
    """

    def __init__(
        self,
        entities: EntityStore,
        store: ConsumptionStore,
        rejected: RejectedRecords,
        alarms: AlarmTopic,
        *,
        keep_days: int,
    ) -> None:
        self._entities = entities
        self._store = store
        self._rejected = rejected
        self._alarms = alarms
        self._keep_days = keep_days
        self._presence = PresenceWriter(entities, store)

    def take(self, arrivals: Sequence[Arrival]) -> Taken:
        """Take records of one shard, in their order; stops at the first fault of the account."""
        taken = Taken()
        try:
            devices = self._devices(arrivals)
            accepted, refused = _sorted_out(arrivals, devices)
            with Calls() as calls:
                for group in _groups(accepted):
                    self._take_group(devices, group, calls, taken)
            if refused:
                self._set_aside(devices, refused, taken)
        except (AwsError, Conflict) as error:
            taken.fault = error
            taken.first_left = next(arrival for arrival in arrivals if arrival.name not in taken.done)
        return taken

    def _devices(self, arrivals: Iterable[Arrival]) -> Devices:
        names = {arrival.device for arrival in arrivals if is_device(arrival.device)}
        items = self._entities.get_many(keys.device(name) for name in names)
        return {name: item for name in names if (item := items[keys.device(name)]) is not None}

    def _take_group(self, devices: Devices, group: Group, calls: Calls, taken: Taken) -> None:
        taken.counts.add(again_on_conflict(lambda: self._try_group(devices, group, calls)))
        taken.done.update(arrival.name for arrival, _ in group)

    def _try_group(self, devices: Devices, group: Group, calls: Calls) -> Counts:
        """Raises Conflict when somebody else took records of one of the devices meanwhile."""
        names = stream_names(group)
        items, before = self._streams(names)
        counts = Counts()
        told: set[str] = set()
        if others := self._others(to_compare(before, group)):
            streams, alarms = rewind(before, others)
            self._alarms.tell(alarms)
            for name, stream in streams.items():
                self._store.put_unchanged(keys.stream(*name), stream.fields(), items[keys.stream(*name)])
            told = {alarm.id for alarm in alarms}
            counts.chain_breaks = counts.alarms = len(alarms)
            items, before = self._streams(names)
        gathered = gather(before, group)
        places = self._entities.get_many(event_key(event) for event, _ in gathered.doubtful)
        compared = compare(gathered.doubtful, places)
        self._put_events(gathered.new, calls)
        calls.each(self._put_absent, compared.absent)
        self._presence.move((*gathered.new, *compared.absent, *compared.known), calls)
        self._seen(devices, group, calls)
        self._alarms.tell([alarm for alarm in (*gathered.alarms, *compared.alarms) if alarm.id not in told])

        def note(name: StreamName) -> None:
            key = keys.stream(*name)
            self._store.put_unchanged(key, gathered.streams[name].fields(), items[key])

        calls.each(note, [name for name in names if gathered.streams[name] != before[name]])
        counts.add(gathered.counts)
        counts.add(compared.counts)
        return counts

    def _streams(self, names: Sequence[StreamName]) -> tuple[dict[Key, Item | None], dict[StreamName, Stream]]:
        items = self._entities.get_many(keys.stream(*name) for name in names)
        return items, {name: Stream.read(*name, items[keys.stream(*name)]) for name in names}

    def _others(self, held: Mapping[StreamName, NewEvent]) -> dict[StreamName, NewEvent]:
        """Those of the events that are not what lies in the table."""
        items = self._entities.get_many(event_key(event) for event, _ in held.values())
        return {
            name: (event, arrived_at)
            for name, (event, arrived_at) in held.items()
            if (items[event_key(event)] or {}).get("event") != event.wire().decode("utf-8")
        }

    def _put_events(self, new: Iterable[NewEvent], calls: Calls) -> None:
        items = {event_key(event): event_fields(event, arrived_at, self._keep_days) for event, arrived_at in new}
        calls.each(self._store.put_events, in_batches(items))

    def _put_absent(self, new: NewEvent) -> None:
        event, arrived_at = new
        self._store.put_absent(event_key(event), event_fields(event, arrived_at, self._keep_days))

    def _seen(self, devices: Devices, group: Group, calls: Calls) -> None:
        newest: dict[str, str] = {}
        for arrival, record in group:
            newest[record.device] = max(arrival.arrived_at, newest.get(record.device, ""))

        def see(device: str) -> None:
            self._store.seen(device, newest[device])

        calls.each(see, [name for name, at in newest.items() if _is_news(devices[name].get("last_seen"), at)])

    def _set_aside(self, devices: Devices, refused: _RefusedOnes, taken: Taken) -> None:
        """Keep each record; one alarm for each device and reason, however many there are.

        Records of a week come again when the consumer is deployed anew: those that were kept are no news. What lies in
        the bucket was told of, so people are told first: a crash in between tells once more.
        """
        known = self._rejected.known(arrival for arrival, _ in refused)
        new = [(arrival, refusal) for arrival, refusal in refused if arrival.name not in known]
        alarms: dict[tuple[str, Reason], Alarm] = {}
        for arrival, refusal in new:
            site = devices[arrival.device]["site"] if arrival.device in devices else None
            alarm = rejected_alarm(arrival.name, site, refusal.reason.value, arrival.arrived_at, place_of(arrival))
            alarms.setdefault((arrival.device, refusal.reason), alarm)
        self._alarms.tell(list(alarms.values()))
        taken.counts.alarms += len(alarms)
        for arrival, refusal in new:
            self._rejected.keep(arrival, refusal)
            taken.rejected.append(Rejected(arrival.name, refusal.reason, place_of(arrival)))
            taken.counts.rejected += 1
        taken.done.update(arrival.name for arrival, _ in refused)


def _sorted_out(arrivals: Iterable[Arrival], devices: Devices) -> tuple[Group, _RefusedOnes]:
    accepted: Group = []
    refused: list[tuple[Arrival, Refusal]] = []
    for arrival in arrivals:
        try:
            accepted.append((arrival, _read(arrival, devices)))
        except Refused as error:
            refused.append((arrival, error.refusal))
    return accepted, refused


def _read(arrival: Arrival, devices: Devices) -> Record:
    if arrival.device not in devices:
        raise Refused(Reason.UNKNOWN_DEVICE, "the device is not registered")
    try:
        return read_record(arrival, devices[arrival.device])
    except Refused:
        raise
    except Exception as error:
        # A stranger's bytes must never stop a shard, whatever our code makes of them.
        raise Refused(Reason.FAULT, type(error).__name__) from error


def _groups(accepted: Group) -> Iterator[Group]:
    """The records in groups of so many events that each is done soon."""
    group: Group = []
    size = 0
    for arrival, record in accepted:
        if group and size + len(record.events) > MAX_EVENTS_TOGETHER:
            yield group
            group, size = [], 0
        group.append((arrival, record))
        size += len(record.events)
    if group:
        yield group


def _is_news(last_seen: str | None, at: str) -> bool:
    return last_seen is None or moment_s(at) - moment_s(last_seen) >= SEEN_EVERY_S
