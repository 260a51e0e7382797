"""What groups of records come to: one outcome, however the histories of several devices are split and mixed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.events import Event, EventType
from cloud.contract.records import Record
from cloud.domain.delays import Delay
from cloud.domain.gathering import Group, StreamName, gather, stream_names, to_compare
from cloud.domain.intake import Arrival, Passage, Side, concerns_presence, event_key, movement
from cloud.domain.presence import merged
from cloud.domain.streams import Stream
from tests.rigs.histories import Device

AT = "2026-03-01T09:00:00.000Z"
SIDES = Passage(Side("hall", "main"), Side())
MOVES = (EventType.ACCESS_GRANTED, EventType.ACCESS_NOT_TAKEN, EventType.DOOR_OPENED, EventType.DOOR_FORCED)


@dataclass
class Memory:
    """What the table would hold."""

    streams: dict[StreamName, Stream] = field(default_factory=dict)
    events: dict[tuple[str, str], Event] = field(default_factory=dict)
    presence: dict[str, dict[str, Any]] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)

    def take(self, group: Group) -> None:
        before = {name: self.streams.get(name, Stream(*name)) for name in stream_names(group)}
        gathered = gather(before, group)
        for event, arrived_at in gathered.new:
            self.events[event_key(event)] = event
            if concerns_presence(event) and event.person and (fact := movement(event, arrived_at, SIDES)):
                known = self.presence.get(event.person)
                self.presence[event.person] = merged("hq", event.person, known, [fact])
        self.alarms = sorted([*self.alarms, *(alarm.id for alarm in gathered.alarms)])
        self.streams.update(gathered.streams)


@st.composite
def histories(draw: st.DrawFn) -> list[Device]:
    devices = [Device("d-1"), Device("d-2"), Device("d-1", epoch=2)]
    for device in devices:
        for _ in range(draw(st.integers(1, 15))):
            device.add(
                draw(st.sampled_from(MOVES)),
                door=draw(st.sampled_from(["north", "south"])),
                person=draw(st.sampled_from(["ada", "bob"])),
                direction=draw(st.sampled_from(["in", "out"])),
                at_s=device.start_s + draw(st.integers(0, 30)),
            )
    return devices


def entry(events: Sequence[Event]) -> tuple[Arrival, Record]:
    name = f"{events[0].epoch}-{events[0].seq}-{len(events)}"
    record = Record(events[0].device, events[0].epoch, tuple(events))
    return Arrival("shard", name, events[0].device, b"", AT), record


@given(histories(), st.data())
def test_any_order_repetition_and_split_give_the_same(devices: list[Device], data: st.DataObject) -> None:
    """Presence, history, alarms and what has arrived: with grants that were not taken, and epochs."""
    straight = Memory()
    straight.take([entry(device.events) for device in devices])
    spans = [
        entry(device.run(first, last))
        for device in devices
        for first, last in data.draw(_spans(len(device.events)), label=device.name)
    ]
    mixed = Memory()
    left = data.draw(st.permutations(spans))
    while left:
        size = data.draw(st.integers(1, len(left)))
        mixed.take(list(left[:size]))
        left = left[size:]
    assert mixed == straight


def _spans(count: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Spans that cover all events, some of them more than once."""
    cuts = st.lists(st.integers(1, count), max_size=6).map(lambda ends: sorted({*ends, count}))
    whole = cuts.map(lambda ends: list(zip([1, *(end + 1 for end in ends[:-1])], ends, strict=True)))
    more = st.lists(st.tuples(st.integers(1, count), st.integers(1, count)).map(lambda two: (min(two), max(two))))
    return st.tuples(whole, more).map(lambda both: both[0] + both[1][:6])


def test_events_are_counted_by_their_delay() -> None:
    """What happens now, after a short outage, and after a long one."""
    device = Device("d-1")
    for before_s in (10, 3600, 100_000):
        device.add(at_s=device.start_s + 3600 - before_s)
    gathered = gather({("d-1", 1): Stream("d-1", 1)}, [entry(device.events)])
    assert gathered.counts.late == {Delay.ONLINE: 1, Delay.GRACE: 1, Delay.OFFLINE: 1}
    assert (gathered.counts.events, gathered.counts.duplicates, gathered.counts.holes) == (3, 0, 0)


def test_only_what_was_taken_in_an_earlier_group_is_compared() -> None:
    """The first of each stream; none whose time may have been corrected."""
    device = Device("d-1")
    device.many(4)
    device.events[0] = replace(device.events[0], clock="unsynced")
    name, fresh = ("d-1", 1), {("d-1", 1): Stream("d-1", 1)}
    group = [entry(device.run(1, 3)), entry(device.run(1, 4))]
    assert to_compare(fresh, group) == {}
    after = gather(fresh, group[:1]).streams
    assert to_compare(after, group) == {name: (device.events[1], AT)}


def test_device_that_uses_places_twice_is_told_and_all_is_taken() -> None:
    """What lies in the table is another event: from then on known places are taken for new."""
    device = Device("d-1")
    device.many(4)
    name = ("d-1", 1)
    before = gather({name: Stream(*name)}, [entry(device.events)]).streams
    gathered = gather(before, [entry(device.run(2, 3))], {name: (device.events[1], AT)})
    assert [alarm.id for alarm in gathered.alarms] == ["stream.chain_broken/d-1/1/2"]
    assert [event.seq for event, _ in gathered.new] == [2, 3]
    assert gather(gathered.streams, [entry(device.run(2, 3))]).alarms == ()
