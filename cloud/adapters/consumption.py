"""Takes records off the stream, so that each event counts once however often and in whatever order it comes.

The records of one device that came together are one group. Its events are written first, then who is where, then
people are told what is alarming, and only then is it noted what has arrived. So after a crash between any two of these
the group is taken as new once more, and all of its writes mean the same a second time.

A record that no registered controller may have sent is set aside and done with. A fault of the account is never taken
for an answer: the record at which it happens, and all after it that were not taken, come again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cloud.adapters.aws import AwsError
from cloud.adapters.consumption_calls import again_on_conflict, side_by_side
from cloud.adapters.consumption_outlets import AlarmTopic, RejectedRecords
from cloud.adapters.consumption_presence import PresenceWriter
from cloud.adapters.consumption_store import ConsumptionStore, in_batches
from cloud.adapters.entities import EntityStore
from cloud.contract.records import Record
from cloud.domain import keys
from cloud.domain.alarms import Alarm, rejected_alarm
from cloud.domain.delays import seconds_of
from cloud.domain.gathering import Counts, Group, NewEvent, gather
from cloud.domain.intake import Arrival, Reason, Refused, event_fields, event_key, is_device, read_record
from cloud.domain.outcome import Item
from cloud.domain.streams import Stream
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
        """Take records of one shard, each device's in their order; stops at the first fault of the account."""
        taken = Taken()
        by_device: dict[str, list[Arrival]] = {}
        for arrival in arrivals:
            by_device.setdefault(arrival.device, []).append(arrival)
        try:
            for device, theirs in by_device.items():
                self._take_device(device, theirs, taken)
        except (AwsError, Conflict) as error:
            taken.fault = error
            taken.first_left = next(arrival for arrival in arrivals if arrival.name not in taken.done)
        return taken

    def _take_device(self, device: str, arrivals: Sequence[Arrival], taken: Taken) -> None:
        item = self._entities.get(keys.device(device)) if is_device(device) else None
        if item is None:
            unknown = Refused(Reason.UNKNOWN_DEVICE, "the device is not registered")
            self._set_aside(None, [(arrival, unknown) for arrival in arrivals], taken)
            return
        group: Group = []
        refused: list[tuple[Arrival, Refused]] = []
        size = 0
        for arrival in arrivals:
            try:
                record = _read(arrival, item)
            except Refused as error:
                refused.append((arrival, error))
                continue
            if group and size + len(record.events) > MAX_EVENTS_TOGETHER:
                self._take_group(device, item, group, taken)
                group, size = [], 0
            group.append((arrival, record))
            size += len(record.events)
        if group:
            self._take_group(device, item, group, taken)
        if refused:
            self._set_aside(item, refused, taken)

    def _take_group(self, device: str, item: Item, group: Group, taken: Taken) -> None:
        taken.counts.add(again_on_conflict(lambda: self._try_group(device, item, group)))
        taken.done.update(arrival.name for arrival, _ in group)

    def _try_group(self, device: str, item: Item, group: Group) -> Counts:
        """Take records of one device; raises Conflict when somebody else took records of it meanwhile."""
        epochs = sorted({record.epoch for _, record in group})
        items = self._entities.get_many(keys.stream(device, epoch) for epoch in epochs)
        before = {epoch: Stream.read(device, epoch, items[keys.stream(device, epoch)]) for epoch in epochs}
        gathered = gather(item["site"], before, group)
        self._put_events(gathered.new)
        self._presence.move(gathered.new)
        self._seen(device, item, max(arrival.arrived_at for arrival, _ in group))
        self._alarms.tell(gathered.alarms)
        for epoch, stream in gathered.streams.items():
            if stream != before[epoch]:
                key = keys.stream(device, epoch)
                self._store.put_unchanged(key, stream.fields(), items[key])
        return gathered.counts

    def _put_events(self, new: Iterable[NewEvent]) -> None:
        items = {event_key(event): event_fields(event, arrived_at, self._keep_days) for event, arrived_at in new}
        side_by_side(self._store.put_events, in_batches(items))

    def _seen(self, device: str, item: Item, arrived_at: str) -> None:
        before = item.get("last_seen")
        if before is None or seconds_of(arrived_at) - seconds_of(before) >= SEEN_EVERY_S:
            self._store.seen(device, arrived_at)

    def _set_aside(self, item: Item | None, refused: Sequence[tuple[Arrival, Refused]], taken: Taken) -> None:
        """Keep each record; one alarm for each reason, however many there are."""
        site = None if item is None else item["site"]
        alarms: dict[Reason, Alarm] = {}
        kept: list[Rejected] = []
        for arrival, error in refused:
            kept_as = self._rejected.keep(arrival, error)
            kept.append(Rejected(arrival.name, error.reason, kept_as))
            alarm = rejected_alarm(arrival.name, site, error.reason.value, arrival.arrived_at, kept_as)
            alarms.setdefault(error.reason, alarm)
        self._alarms.tell(list(alarms.values()))
        taken.rejected += kept
        taken.counts.add(Counts(rejected=len(kept), alarms=len(alarms)))
        taken.done.update(arrival.name for arrival, _ in refused)


def _read(arrival: Arrival, device: Mapping[str, Any]) -> Record:
    try:
        return read_record(arrival, device)
    except Refused:
        raise
    except Exception as error:
        # A stranger's bytes must never stop a shard, whatever our code makes of them.
        raise Refused(Reason.FAULT, type(error).__name__) from error
