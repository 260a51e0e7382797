"""What groups of records come to: one outcome, however the histories of several devices are split and mixed."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.events import Event, EventType
from cloud.contract.records import Record
from cloud.domain.delays import Delay
from cloud.domain.gathering import Group, StreamName, compare, gather, rewind, stream_names, to_compare
from cloud.domain.intake import Arrival, Passage, Side, concerns_presence, event_key, movement
from cloud.domain.keys import Key
from cloud.domain.presence import merged
from cloud.domain.streams import Stream, rewound
from tests.rigs.histories import Device

AT = "2026-03-01T09:00:00.000Z"
LATER = "2026-03-03T09:00:00.000Z"
SIDES = Passage(Side("hall", "main"), Side())
MOVES = (EventType.ACCESS_GRANTED, EventType.ACCESS_NOT_TAKEN, EventType.DOOR_OPENED, EventType.DOOR_FORCED)


@dataclass
class Memory:
    """What the table would hold."""

    streams: dict[StreamName, Stream] = field(default_factory=dict)
    events: dict[Key, dict[str, Any]] = field(default_factory=dict)
    presence: dict[str, dict[str, Any]] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)

    def take(self, group: Group) -> None:
        before = {name: self.streams.get(name, Stream(*name)) for name in stream_names(group)}
        gathered = gather(before, group)
        compared = compare(gathered.doubtful, {event_key(event): self.lying(event) for event, _ in gathered.doubtful})
        for event, arrived_at in (*gathered.new, *compared.absent):
            assert self.lying(event) is None, "an event is written once"
            self.events[event_key(event)] = {"event": event.wire().decode("utf-8"), "arrived_at": arrived_at}
        for event, arrived_at in (*gathered.new, *compared.absent, *compared.known):
            if concerns_presence(event) and event.person and (fact := movement(event, arrived_at, SIDES)):
                known = self.presence.get(event.person)
                self.presence[event.person] = merged("hq", event.person, known, [fact])
        self.alarms = sorted([*self.alarms, *(alarm.id for alarm in (*gathered.alarms, *compared.alarms))])
        self.streams.update(gathered.streams)

    def lying(self, event: Event) -> dict[str, Any] | None:
        return self.events.get(event_key(event))


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


def entry(events: Sequence[Event], at: str = AT) -> tuple[Arrival, Record]:
    name = f"{events[0].epoch}-{events[0].seq}-{len(events)}"
    record = Record(events[0].device, events[0].epoch, tuple(events))
    return Arrival("shard", name, events[0].device, b"", at), record


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


@given(histories(), st.data())
def test_what_comes_again_below_a_floor_changes_nothing_that_lies_there(
    devices: list[Device], data: st.DataObject
) -> None:
    """Later, in any order, repetition and cut, and with other events in between: only what is missing is added."""
    memory = Memory()
    first = devices[0]
    kept = [event for event in first.events if data.draw(st.booleans(), label=f"{event.seq} comes at first")]
    memory.take([entry([event]) for event in kept] + [entry(device.events) for device in devices[1:]])
    for name in memory.streams:
        memory.streams[name] = rewound(memory.streams[name])
    before = copy.deepcopy(memory.events)
    records = [entry(first.run(*span), LATER) for span in data.draw(_spans(len(first.events)))]
    forged = [replace(event, person="eve", direction="out") for event in kept]
    records += [entry([event], LATER) for event in forged]
    memory.take(data.draw(st.permutations(records)))
    assert before.items() <= memory.events.items()
    assert len(memory.events) == sum(len(device.events) for device in devices)
    assert ("eve" in memory.presence) is False
    told = {alarm for alarm in memory.alarms if alarm.startswith("stream.chain_broken/d-1/1/")}
    assert bool(told) == bool(kept)


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
    """What lies in the table is another event: from then on known places are looked for in the table."""
    device = Device("d-1")
    device.many(4)
    name = ("d-1", 1)
    before = gather({name: Stream(*name)}, [entry(device.events)]).streams
    streams, alarms = rewind(before, {name: (device.events[1], AT)})
    assert [alarm.id for alarm in alarms] == ["stream.chain_broken/d-1/1/2"]
    gathered = gather(streams, [entry(device.run(2, 3))])
    assert gathered.alarms == ()
    assert (gathered.new, [event.seq for event, _ in gathered.doubtful]) == ((), [2, 3])
    assert gather(gathered.streams, [entry(device.run(2, 3))]).alarms == ()


def test_doubtful_event_is_new_known_or_another_than_lies_there() -> None:
    """What came first stays, also within a group; of what is another one the first is told of."""
    device = Device("d-1")
    device.many(2)
    alarming = device.add(EventType.DOOR_FORCED)
    first, second, third = device.events
    lying = {event_key(first): {"event": first.wire().decode("utf-8"), "arrived_at": AT}}
    other = [replace(event, person="eve") for event in (second, first)]
    found = compare([(event, LATER) for event in (first, second, *other, alarming, alarming)], lying)
    assert found.absent == ((second, LATER), (third, LATER))
    assert found.known == ((first, AT), (alarming, LATER))
    assert [alarm.id for alarm in found.alarms] == ["stream.chain_broken/d-1/1/2", third.id, third.id]
    assert (found.counts.events, found.counts.duplicates, found.counts.chain_breaks) == (2, 2, 2)
    assert found.counts.late[Delay.OFFLINE] == 2
