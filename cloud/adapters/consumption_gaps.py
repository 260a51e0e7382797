"""Looks for events that did not come although later ones did, and tells of each hole once.

The index that leads here lags behind, so it only says where to look; what is decided is read from the table itself.
A controller may begin as many epochs as it likes: what is looked at of one is bounded, and a fault that one meets
keeps no other from being looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cloud.adapters.consumption_outlets import AlarmTopic
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore
from cloud.domain import keys
from cloud.domain.alarms import missing_alarm
from cloud.domain.keys import OWNER_INDEX
from cloud.domain.losses import Part
from cloud.domain.outcome import Item
from cloud.domain.streams import HOLES, Hole, Stream, overdue, settled
from cloud.errors import CloudError, Conflict

WAIT_S: Final = 900.0
"""A backlog that is being delivered makes its holes smaller all the time; a door retries much more often than this."""
MAX_STREAMS: Final = 256
"""Of one device, read at once: it begins a new one only when its journal was set aside, a few times in its life."""
MAX_SETTLED: Final = 100
"""Holes of one device in one look: with a call or two for each that is some seconds of the minute."""
STREAMS: Final = "STREAM#"
"""What the sort keys of a device's streams begin with."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look came to."""

    devices: int = 0
    """That have a hole which nobody was told of."""
    told: int = 0
    explained: int = 0
    crowded: tuple[str, ...] = ()
    """Devices that have more streams or holes than one look takes: what is left of them is for the next ones."""
    failed: tuple[tuple[str, str], ...] = ()
    """Devices that could not be looked at, and why."""

    def __add__(self, other: "Watched") -> "Watched":
        return Watched(
            self.devices + other.devices,
            self.told + other.told,
            self.explained + other.explained,
            self.crowded + other.crowded,
            self.failed + other.failed,
        )


_Due = list[tuple[Hole, list[Part]]]
"""Holes of one stream that are to be settled, and what of each nobody explains."""


class GapWatch:
    """Raises AwsError when it can't find out where to look.

    What it told of before a fault is noted, so the next look goes on from there.
    """

    def __init__(
        self, entities: EntityStore, store: ConsumptionStore, alarms: AlarmTopic, *, wait_s: float = WAIT_S
    ) -> None:
        self._entities = entities
        self._store = store
        self._alarms = alarms
        self._wait_s = wait_s

    def look(self) -> Watched:
        """Look at every device that has a hole."""
        watched = Watched()
        for device in self._devices():
            try:
                watched += self._look_at(device)
            except CloudError as error:
                watched += Watched(failed=((device, str(error)),))
            except Exception as error:  # noqa: BLE001 - whatever one device's items do must not hide others' gaps: reported
                watched += Watched(failed=((device, type(error).__name__),))
        return watched

    def _devices(self) -> Iterator[str]:
        """Each device that has a hole, once: of one that fills a page all the rest is skipped."""
        items, more = self._entities.query(OWNER_INDEX, HOLES)
        while items:
            yield from dict.fromkeys(item["device"] for item in items)
            if more is None:
                return
            # "$" comes after the "#" that ends a name, and before all that a name consists of; "~" after all.
            items, more = self._entities.query(OWNER_INDEX, HOLES, between=(f"{items[-1]['device']}$", "~"))

    def _look_at(self, device: str) -> Watched:
        partition, owner = keys.device(device)
        registered = self._entities.get((partition, owner))
        if registered is None:
            return Watched()
        items, is_crowded = self._streams(device, partition)
        streams = {epoch: Stream.read(device, epoch, item) for epoch, item in sorted(items.items())}
        newest = max((stream.arrived_at for stream in streams.values()), default="")
        found = overdue(list(streams.values()), self._wait_s)
        due: dict[int, _Due] = {}
        for stream, hole, parts in found[:MAX_SETTLED]:
            due.setdefault(stream.epoch, []).append((hole, parts))
        watched = Watched(devices=1, crowded=(device,) if is_crowded or len(found) > MAX_SETTLED else ())
        for epoch, holes in due.items():
            watched += self._settle(registered["site"], streams[epoch], items[epoch], holes, newest)
        return watched

    def _streams(self, device: str, partition: str) -> tuple[dict[int, Item], bool]:
        """A device's streams by epoch, and whether there are more: then the highest, which explain what is missing of
        others, and the lowest that have a hole."""
        items = {item["epoch"]: item for item in self._entities.query_last(partition, STREAMS, MAX_STREAMS + 1)}
        if len(items) <= MAX_STREAMS:
            return items, False
        with_holes, _ = self._entities.query(OWNER_INDEX, HOLES, prefix=f"{device}#", limit=MAX_STREAMS)
        named = [keys.stream(device, item["epoch"]) for item in with_holes if item["epoch"] not in items]
        return items | {item["epoch"]: item for item in self._entities.get_many(named).values() if item}, True

    def _settle(self, site: str, stream: Stream, item: Item, due: _Due, newest: str) -> Watched:
        """Tell first, note it then: a crash in between tells once more, under the same id."""
        missing = [parts for _, parts in due if parts]
        self._alarms.tell([missing_alarm(site, stream.device, stream.epoch, parts, newest) for parts in missing])
        try:
            noted = settled(stream, [hole for hole, _ in due])
            self._store.put_unchanged(keys.stream(stream.device, stream.epoch), noted.fields(), item)
        except Conflict:
            # More has arrived meanwhile, perhaps what is missing: the next look decides on that.
            return Watched()
        return Watched(told=len(missing), explained=len(due) - len(missing))
