"""Looks for events that did not come although later ones did, and tells of each hole once.

The index that leads here lags behind, so it only says where to look; what is decided is read from the table itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloud.adapters.consumption_outlets import AlarmTopic
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore
from cloud.domain import keys
from cloud.domain.alarms import missing_alarm
from cloud.domain.keys import OWNER_INDEX
from cloud.domain.outcome import Item
from cloud.domain.streams import HOLES, Stream, overdue, settled
from cloud.errors import Conflict

WAIT_S: Final = 900.0
"""A backlog that is being delivered makes its holes smaller all the time; a door retries much more often than this."""


STREAMS: Final = "STREAM#"
"""What the sort keys of a device's streams begin with."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look came to."""

    devices: int = 0
    """That have a hole which nobody was told of."""
    told: int = 0
    explained: int = 0

    def __add__(self, other: "Watched") -> "Watched":
        return Watched(self.devices + other.devices, self.told + other.told, self.explained + other.explained)


class GapWatch:
    """Raises AwsError. What it was told before it failed is noted, so the next look goes on from there."""

    def __init__(
        self, entities: EntityStore, store: ConsumptionStore, alarms: AlarmTopic, *, wait_s: float = WAIT_S
    ) -> None:
        self._entities = entities
        self._store = store
        self._alarms = alarms
        self._wait_s = wait_s

    def look(self) -> Watched:
        """Look at every device that has a hole."""
        found = self._entities.query_all(OWNER_INDEX, HOLES)
        watched = Watched()
        for device in sorted({item["device"] for item in found}):
            watched += self._look_at(device)
        return watched

    def _look_at(self, device: str) -> Watched:
        partition, owner = keys.device(device)
        registered = self._entities.get((partition, owner))
        if registered is None:
            return Watched()
        items = self._entities.query_all(None, partition, prefix=STREAMS)
        streams = [Stream.read(device, item["epoch"], item) for item in items]
        watched = Watched(devices=1)
        for stream, item in zip(streams, items, strict=True):
            watched += self._settle(registered["site"], stream, item, streams)
        return watched

    def _settle(self, site: str, stream: Stream, item: Item, streams: Sequence[Stream]) -> Watched:
        """Tell first, note it then: a crash in between tells once more, under the same id."""
        due = [(hole, parts) for of, hole, parts in overdue(streams, self._wait_s) if of.epoch == stream.epoch]
        if not due:
            return Watched()
        newest = max(other.arrived_at for other in streams)
        missing = [parts for _, parts in due if parts]
        self._alarms.tell([missing_alarm(site, stream.device, stream.epoch, parts, newest) for parts in missing])
        try:
            noted = settled(stream, [hole for hole, _ in due])
            self._store.put_unchanged(keys.stream(stream.device, stream.epoch), noted.fields(), item)
        except Conflict:
            # More has arrived meanwhile, perhaps what is missing: the next look decides on that.
            return Watched()
        return Watched(told=len(missing), explained=len(due) - len(missing))
