"""The fast path on the real local AWS: events in, and what the table, the bucket and the topic then hold."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud.adapters.consumption_gaps import MAX_SETTLED, MAX_STREAMS, Watched
from cloud.adapters.consumption_outlets import RejectedRecords
from cloud.contract.canonical import canonical_bytes
from cloud.contract.events import EventType, parse_event
from cloud.contract.records import MAX_UNPACKED_BYTES, pack, unpack
from cloud.contract.signing import sign
from cloud.domain import keys
from cloud.domain.gathering import Counts
from cloud.domain.intake import Reason, Refusal
from cloud.domain.streams import MAX_RUNS, Stream, merge
from cloud.domain.times import moment_text
from cloud.errors import CloudError
from cloud.handlers import gaps
from cloud.local.server import LocalAws
from tests.rigs.bombs import bomb, peak_mib
from tests.rigs.broken_calls import Breaker, BrokenAccess
from tests.rigs.consumption import FastPath, fast_path
from tests.rigs.histories import Device
from tests.rigs.journals import PACKED_BYTES, open_journal
from tests.rigs.stamps import opened
from tests.rigs.wire import KEY, OTHER_KEY

pytestmark = pytest.mark.system


@pytest.fixture
def path(local_aws: LocalAws) -> Iterator[FastPath]:
    """A fast path of its own for each test, with one site."""
    with fast_path(local_aws) as made:
        made.build_site()
        yield made


@pytest.fixture
def lobby(path: FastPath) -> Device:
    """A registered controller at the door lobby."""
    return path.register(Device("d-lobby"))


# ---- what is kept -----------------------------------------------------------------------------------------------


def test_entry_shows_in_presence_occupancy_and_both_histories(path: FastPath, lobby: Device) -> None:
    """One granted tap is seen everywhere that people look."""
    tap = lobby.grant("ada")
    taken = path.take(path.arrival(lobby, lobby.record()))
    presence = path.presence("ada")
    assert presence is not None
    assert (presence["building"], presence["area"], presence["door"]) == ("main", "hall", "lobby")
    assert path.occupancy() == ["ada"]
    assert path.usage("ada") == path.door_events() == [tap.to_json()]
    assert parse_event(path.door_events()[0]) == tap
    assert (taken.counts.events, taken.counts.alarms, taken.first_left) == (1, 0, None)


def test_leaving_ends_the_occupancy(path: FastPath, lobby: Device) -> None:
    """Who left is in no list of an evacuation."""
    lobby.grant("ada")
    lobby.grant("bob")
    lobby.grant("ada", "out")
    path.take(path.arrival(lobby, lobby.record()))
    assert path.occupancy() == ["bob"]


def test_denial_is_history_and_moves_nobody(path: FastPath, lobby: Device) -> None:
    """A refused card leaves its trace at the door and with its holder, who stays where they were."""
    lobby.add(EventType.ACCESS_DENIED, person="ada", direction="in")
    path.take(path.arrival(lobby, lobby.record()))
    assert path.presence("ada") is None
    assert [event["type"] for event in path.usage("ada")] == ["access.denied"]


def test_door_that_leads_nowhere_moves_nobody(path: FastPath) -> None:
    """A vending machine's reader, or a door that nobody described, takes no one out of the building they are in."""
    device = path.register(Device("d-1"), ("lobby", "snacks"))
    device.grant("ada")
    device.grant("ada", "out", door="snacks")
    path.take(path.arrival(device, device.record()))
    assert path.occupancy() == ["ada"]
    assert len(path.door_events("snacks")) == 1


def test_late_event_never_overwrites_a_newer_presence(path: FastPath, lobby: Device) -> None:
    """An entry that was stored at one door arrives after the exit by another door, and brings nobody back."""
    yard = path.register(Device("d-yard"), ("yard",))
    path.build_site(doors=("yard",))
    lobby.grant("ada")
    yard.grant("ada", "out", door="yard", at_s=yard.start_s + 30)
    path.take(path.arrival(yard, yard.record()))
    taken = path.take(path.arrival(lobby, lobby.record(), after_s=90_000))
    assert path.occupancy() == []
    assert [event["device"] for event in path.usage("ada")] == ["d-lobby", "d-yard"]
    assert {delay.value: number for delay, number in taken.counts.late.items()} == {
        "online": 0,
        "grace": 0,
        "offline": 1,
    }


def test_two_events_of_one_instant_are_both_kept(path: FastPath, lobby: Device) -> None:
    """The place in the device's order, not time alone, tells events apart."""
    for person in ("ada", "ada", "bob"):
        lobby.grant(person, at_s=lobby.start_s)
    path.take(path.arrival(lobby, lobby.record()))
    assert [event["seq"] for event in path.door_events()] == [1, 2, 3]
    assert len(path.usage("ada")) == 2


def test_events_without_a_door_lie_with_their_device(path: FastPath, lobby: Device) -> None:
    """The controller's own life is history too, and expires."""
    lobby.add(EventType.AGENT_STARTED, door=None)
    path.take(path.arrival(lobby, lobby.record()))
    (item,) = path.entities.query_all(None, "DEVICE#d-lobby", prefix="EVENT#")
    assert json.loads(item["event"])["type"] == "agent.started"
    assert (item["delay"], item["arrived_at"]) == ("online", "2026-03-01T08:01:00.000Z")
    assert item["expires"] == 1772352060 + 90 * 86_400


def test_device_is_seen_at_most_once_a_minute(path: FastPath, lobby: Device) -> None:
    """Its item is not written for each record, and its revision is left alone."""
    lobby.many(3)
    seen = []
    for seq, after_s in ((1, 60), (2, 90), (3, 120)):
        path.take(path.arrival(lobby, lobby.record(seq, seq), after_s=after_s))
        item = path.entities.get(keys.device("d-lobby"))
        assert item is not None
        seen.append((item["last_seen"][11:19], item["rev"]))
    assert seen == [("08:01:00", 1), ("08:01:00", 1), ("08:02:00", 1)]


# ---- again and in any order -------------------------------------------------------------------------------------


def test_record_that_comes_again_changes_nothing(path: FastPath, lobby: Device) -> None:
    """Delivery is at least once; the account is of exactly once."""
    lobby.grant("ada")
    lobby.add(EventType.DOOR_FORCED)
    arrival = path.arrival(lobby, lobby.record())
    path.take(arrival)
    before, told = path.dump(), path.alarms()
    again = path.take(arrival, arrival)
    assert (again.counts.events, again.counts.duplicates, again.counts.alarms) == (0, 4, 0)
    assert (path.dump(), path.alarms()) == (before, told)


def test_any_order_gives_the_same_table(local_aws: LocalAws) -> None:
    """Records backwards, one at a time and overlapping, leave what they leave in order and all at once."""
    device = Device("d-lobby")
    for number in range(12):
        device.grant(f"p-{number % 3}", "in" if number % 2 else "out")
    device.add(EventType.ACCESS_NOT_TAKEN, person="p-2", direction="in")
    tables = []
    for plan in (
        [[(1, 13)]],
        [[(seq, seq)] for seq in range(13, 0, -1)],
        [[(7, 13), (1, 4)], [(3, 9)], [(7, 13), (2, 2)]],
    ):
        with fast_path(local_aws) as path:
            path.build_site()
            path.register(device)
            for batch in plan:
                path.take(*(path.arrival(device, device.record(*span)) for span in batch))
            tables.append(path.dump())
    assert tables[0] == tables[1] == tables[2]


def test_two_consumers_of_one_device_lose_nothing(path: FastPath, lobby: Device) -> None:
    """Whoever notes last what has arrived does so on what the other noted."""
    lobby.many(40)
    first, second = path.consumption(), path.consumption()
    for seq in range(1, 41, 2):
        first.take([path.arrival(lobby, lobby.record(seq, seq))])
        second.take([path.arrival(lobby, lobby.record(seq + 1, seq + 1))])
    item = path.entities.get(keys.stream("d-lobby", 1))
    assert item is not None
    assert [run[:2] for run in item["runs"]] == [[1, 40]]


def test_evacuation_burst_is_whole_and_in_order_for_each_person(path: FastPath) -> None:
    """500 people leave through two doors within seconds: everybody is out, and everybody's history is in order."""
    people = [f"p-{number}" for number in range(500)]
    path.build_site(doors=("lobby", "yard"))
    devices = [path.register(Device(f"d-{door}"), (door,)) for door in ("lobby", "yard")]
    for number, person in enumerate(people):
        devices[number % 2].grant(person, door=("lobby", "yard")[number % 2])
    for number, person in enumerate(people):
        # By the other door than the one they came in by, ten people a second.
        door = (number + 1) % 2
        at_s = devices[0].start_s + 600 + number / 10
        devices[door].grant(person, "out", door=("lobby", "yard")[door], at_s=at_s)
    in_records = [
        path.arrival(device, device.record(1 + 125 * part, 125 + 125 * part)) for device in devices for part in (0, 1)
    ]
    assert path.take(*in_records).counts.events == 500
    assert len(path.occupancy()) == 500
    out_records = [
        path.arrival(device, device.record(251 + 50 * part, 300 + 50 * part), after_s=660)
        for part in range(5)
        for device in devices
    ]
    assert path.take(*out_records, *out_records[::3]).counts.events == 500
    assert path.occupancy() == []
    for person in people[::50]:
        assert [event["direction"] for event in path.usage(person)] == ["in", "out"]
    assert len(path.door_events("lobby")) == len(path.door_events("yard")) == 500


# ---- what is not taken ------------------------------------------------------------------------------------------


def test_poison_in_the_batch_is_set_aside_and_the_rest_taken(path: FastPath, lobby: Device) -> None:
    """What a stranger writes stops no shard; it can be replayed, and one alarm tells of each kind."""
    lobby.many(4)
    good = lobby.record(1, 1)
    stranger = Device("d-lobby", key=OTHER_KEY)
    stranger.many(1)
    elsewhere = Device("d-lobby", site="other")
    elsewhere.many(1)
    other_door = Device("d-lobby")
    other_door.add(door="vault")
    unsigned = json.loads(good)
    del unsigned["sig"]
    newer = {name: value for name, value in json.loads(good).items() if name != "sig"} | {"v": 2}
    newer["sig"] = sign(newer, KEY)
    poison = {
        "bad_signature": [stranger.record(), canonical_bytes(unsigned)],
        "malformed": [b"", b"\x00\xff junk", b"\x1f\x8bjunk", b"x" * (MAX_UNPACKED_BYTES + 1)],
        "unknown_version": [canonical_bytes(newer)],
        "other_site": [elsewhere.record()],
        "other_door": [other_door.record()],
    }
    arrivals = [path.arrival(lobby, good)]
    arrivals += [path.arrival(lobby, data) for many in poison.values() for data in many]
    arrivals += [path.arrival(lobby, lobby.record(2, 4))]
    taken = path.take(*arrivals)
    assert (taken.first_left, taken.counts.events, taken.counts.rejected) == (None, 4, 9)
    kept = path.set_aside()
    assert sorted((item["reason"], b64decode(item["data"])) for item in kept.values()) == sorted(
        (reason, data) for reason, many in poison.items() for data in many
    )
    assert all(name.startswith("rejected/dt=2026-03-01/shardId-000000000000-") for name in kept)
    alarms = path.alarms()
    assert sorted(alarm["reason"] for alarm in alarms) == sorted(poison)
    assert {alarm["kind"] for alarm in alarms} == {"record.rejected"}
    assert all(alarm["kept_as"] in kept for alarm in alarms)


def test_rejected_record_that_comes_again_is_told_of_once(path: FastPath, lobby: Device) -> None:
    """A consumer that was deployed anew reads a week of the stream: only what nobody saw before is news."""
    stranger = Device("d-lobby", key=OTHER_KEY)
    stranger.many(3)
    old = [path.arrival(lobby, stranger.record(1, 1)), path.arrival(lobby, b"junk", after_s=90_000)]
    assert path.take(*old).counts.rejected == 2
    before, told = path.set_aside(), path.alarms()
    assert path.take(*old).counts == Counts()
    new = path.arrival(lobby, stranger.record(2, 2), after_s=90_000)
    again = path.take(old[0], new, old[1])
    assert (again.counts.rejected, again.counts.alarms, again.first_left) == (1, 1, None)
    assert [rejected.name for rejected in again.rejected] == [new.name]
    assert before.items() < path.set_aside().items()
    (alarm,) = path.alarms()[len(told) :]
    assert (alarm["reason"], path.set_aside()[alarm["kept_as"]]["sequence"]) == ("bad_signature", new.sequence)


def test_record_that_others_set_aside_meanwhile_is_left_as_it_is(path: FastPath) -> None:
    """One object, with the reason of whoever was first."""
    rejected = RejectedRecords(path.variables["CARDEA_REJECTED_BUCKET"], path.access.s3())
    arrival = path.arrival("d-lobby", b"junk")
    for reason in (Reason.MALFORMED, Reason.FAULT):
        rejected.keep(arrival, Refusal(reason, "why"))
    assert [kept["reason"] for kept in path.set_aside().values()] == ["malformed"]


def test_bombs_fill_no_memory_and_hold_up_no_record(path: FastPath, lobby: Device) -> None:
    """Of a record that was refused only its bytes, the reason and its text are kept until it is set aside."""
    lobby.many(1)
    arrivals = [path.arrival(lobby, bomb("d-lobby")) for _ in range(100)] + [path.arrival(lobby, lobby.record())]
    taken, mib = peak_mib(lambda: path.take(*arrivals))
    assert (taken.first_left, taken.counts.events, taken.counts.rejected) == (None, 1, 100)
    assert {rejected.reason.value for rejected in taken.rejected} == {"bad_signature"}
    assert mib < 32


def test_unknown_retired_and_impersonated_devices_are_not_believed(path: FastPath, lobby: Device) -> None:
    """A key opens only its own controller's history, and that only while the controller is one of ours."""
    gone = path.register(Device("d-gone"), status="retired")
    new = Device("d-new", key=OTHER_KEY)
    for device in (lobby, gone, new):
        device.grant("ada")
    taken = path.take(
        path.arrival(new, new.record()),
        path.arrival(gone, gone.record()),
        path.arrival(lobby, Device("d-gone", events=gone.events).record()),
        path.arrival("not an id", lobby.record()),
    )
    assert [rejected.reason.value for rejected in taken.rejected] == [
        "unknown_device", "retired_device", "other_device", "unknown_device",
    ]  # fmt: skip
    assert path.presence("ada") is None
    assert path.door_events() == []


def test_record_with_an_event_of_a_later_release_is_kept_whole(path: FastPath, lobby: Device) -> None:
    """Replayed by a consumer that knows it, nothing of it will be missing."""
    lobby.many(2)
    document = json.loads(lobby.record())
    document["events"][1]["type"] = "door.sang"
    del document["sig"]
    document["sig"] = sign(document, KEY)
    taken = path.take(path.arrival(lobby, canonical_bytes(document)))
    assert [rejected.reason.value for rejected in taken.rejected] == ["unknown_version"]
    (kept,) = path.set_aside().values()
    assert json.loads(b64decode(kept["data"])) == document
    assert path.door_events() == []


def test_controller_that_was_set_back_to_an_old_copy_loses_no_event(path: FastPath, lobby: Device) -> None:
    """It uses places a second time: a person hears of it once, and both histories are kept."""
    lobby.many(20)
    path.take(path.arrival(lobby, lobby.record()))
    restored = Device("d-lobby", events=lobby.run(1, 5), start_s=lobby.start_s + 5000)
    for person in ("ada", "bob", "eve"):
        restored.grant(person)
    for seq in (6, 7, 8):
        path.take(path.arrival(restored, restored.record(seq, seq), after_s=6000))
    assert path.occupancy() == ["ada", "bob", "eve"]
    assert len(path.door_events()) == 23
    assert [(alarm["kind"], alarm["seq"]) for alarm in path.alarms()] == [("stream.chain_broken", 6)]


def test_no_event_is_written_over_after_an_alarm(path: FastPath, lobby: Device) -> None:
    """A thief's controller was heard of once; then it tells an old event anew, and an honest copy comes again."""
    for person in ("ada", "bob", "eve"):
        lobby.grant(person)
    restored = Device("d-lobby", events=lobby.run(1, 2), start_s=lobby.start_s + 500)
    restored.grant("eve")
    path.take(path.arrival(lobby, lobby.record()))
    path.take(path.arrival(restored, restored.record(3, 3), after_s=600))
    before = path.dump()
    forged = Device("d-lobby", events=[replace(lobby.events[0], person="mallory")])
    for _ in range(2):
        taken = path.take(path.arrival(forged, forged.record(), after_s=90_000))
        assert (taken.counts.events, taken.counts.chain_breaks, taken.first_left) == (0, 1, None)
    again = path.take(path.arrival(lobby, lobby.record(), after_s=90_000))
    assert (again.counts.events, again.counts.duplicates) == (0, 3)
    changed = {key for key, item in path.dump().items() if before.get(key) != item}
    assert {key[1].partition("#")[0] for key in changed} == {"STREAM", "-"}
    assert path.presence("mallory") is None
    assert [alarm["seq"] for alarm in path.alarms()] == [3, 1, 1]


def test_event_that_others_wrote_in_between_is_compared_once_more(path: FastPath, lobby: Device) -> None:
    """Below a floor nothing is written over that came after it was looked for."""
    lobby.many(3)
    path.take(path.arrival(lobby, lobby.record(3, 3)))
    restored = Device("d-lobby", events=lobby.run(1, 2), start_s=lobby.start_s + 500)
    restored.add()
    path.take(path.arrival(restored, restored.record(3, 3), after_s=600))
    mine, others = path.arrival(lobby, lobby.record(1, 1), after_s=700), path.arrival(lobby, lobby.record(1, 1))
    raced = [others]

    def race(**_: Any) -> None:
        if raced:
            path.take(raced.pop())

    class Slow(BrokenAccess):
        def dynamodb(self) -> Any:
            client = super().dynamodb()
            client.meta.events.register("before-call.dynamodb.PutItem", race)
            return client

    taken = path.consumption(Slow(path.access, Breaker())).take([mine])
    assert (taken.first_left, taken.counts.events, taken.counts.duplicates) == (None, 0, 1)
    stored = path.entities.query_all(None, "DOOR#hq#lobby")
    assert [item["arrived_at"] for item in stored if parse_event(json.loads(item["event"])).seq == 1] == [
        others.arrived_at
    ]


def test_time_that_was_corrected_since_makes_no_other_event(path: FastPath, lobby: Device) -> None:
    """A controller learns the time between two deliveries of the same event."""
    event = lobby.add(at_s=0.0)
    lobby.events[0] = replace(event, clock="unsynced")
    path.take(path.arrival(lobby, lobby.record()))
    lobby.events[0] = replace(lobby.events[0], at=event.at.replace("1970", "2026"), at_raw=event.at)
    again = path.take(path.arrival(lobby, lobby.record()))
    assert (again.counts.duplicates, again.counts.chain_breaks, path.alarms()) == (1, 0, [])


# ---- alarms -----------------------------------------------------------------------------------------------------


def test_alarm_event_is_told_once_and_names_nobody(path: FastPath, lobby: Device) -> None:
    """Who is on call reads what, where and when; who it was is for those who may ask."""
    lobby.add(EventType.DOOR_FORCED, person="ada")
    path.take(path.arrival(lobby, lobby.record()))
    (alarm,) = path.alarms()
    assert (alarm["kind"], alarm["type"], alarm["door"]) == ("event", "door.forced", "lobby")
    assert alarm["id"] == lobby.events[0].id
    assert "ada" not in json.dumps(alarm)


def test_break_of_the_chain_is_told_once(path: FastPath, lobby: Device) -> None:
    """Whatever comes again afterwards, it is one incident."""
    lobby.many(4)
    lobby.events[2:] = []
    forked = Device("d-lobby")
    forked.add(EventType.REX_PRESSED)
    forked.many(3)
    batch = [path.arrival(lobby, lobby.record(1, 2)), path.arrival(forked, forked.record(3, 4))]
    assert path.take(*batch).counts.chain_breaks == 1
    path.take(*batch)
    assert [(alarm["kind"], alarm["seq"]) for alarm in path.alarms()] == [("stream.chain_broken", 3)]


def test_gap_is_told_once_when_the_device_goes_on_without_it(path: FastPath, lobby: Device) -> None:
    """Not before a backlog had its time, and not a second time."""
    lobby.many(10)
    told = []
    for seq, after_s in ((1, 0), (5, 10), (6, 800), (7, 911), (8, 2000)):
        path.take(path.arrival(lobby, lobby.record(seq, seq), after_s=after_s))
        told.append(path.watch().look().told)
    assert told == [0, 0, 0, 1, 0]
    (alarm,) = path.alarms()
    assert (alarm["kind"], alarm["first"], alarm["last"], alarm["count"]) == ("stream.events_missing", 2, 4, 3)


def test_device_that_was_cut_off_again_misses_nothing_yet(path: FastPath, lobby: Device) -> None:
    """An alarm went ahead of the backlog and then the line broke: that is an outage, not a gap."""
    lobby.many(10)
    path.take(path.arrival(lobby, lobby.record(10, 10)))
    watched = path.watch().look()
    assert (watched.devices, watched.told) == (1, 0)


def test_loss_that_the_device_explains_is_no_gap(path: FastPath, lobby: Device) -> None:
    """Its own alarm tells of it; a second one would only add to it."""
    lobby.many(5)
    lobby.add(
        EventType.JOURNAL_GAP, door=None, detail={"epoch": 1, "first": 2, "last": 5, "count": 4, "reason": "full"}
    )
    lobby.many(1)
    path.take(path.arrival(lobby, lobby.record(1, 1)), path.arrival(lobby, lobby.record(6, 6)))
    path.take(path.arrival(lobby, lobby.record(7, 7), after_s=5000))
    assert path.watch().look().told == 0
    assert [alarm["type"] for alarm in path.alarms()] == ["journal.gap"]


def test_outage_beyond_the_bounds_of_a_real_journal_is_explained_by_it(path: FastPath, tmp_path: Path) -> None:
    """Twice: what the door gave up it tells of, in order of its alarms, and nothing else counts as missing."""
    door = path.register(Device("door-1"), ("front",))
    sent = 0
    with open_journal(tmp_path, max_events=40) as journal:
        for outage in (1, 2):
            for _ in range(150):
                journal.append(opened(), 5)
            while run := journal.next_unsent(10, PACKED_BYTES):
                path.take(path.arrival(door, pack(run, KEY), after_s=1000.0 * outage))
                journal.mark_sent(run[0].epoch, run[0].seq, run[-1].seq)
                sent += len(run)
        journal.append(opened(), 5)
        run = journal.next_unsent(10, PACKED_BYTES)
        path.take(path.arrival(door, pack(run, KEY), after_s=9000))
    item = path.entities.get(keys.stream("door-1", 1))
    assert item is not None
    holes = Stream.read("door-1", 1, item).holes
    assert sum(hole.last - hole.first + 1 for hole in holes) == run[-1].seq - sent - len(run) > 200
    assert path.watch().look().told == 0
    assert {alarm["type"] for alarm in path.alarms()} == {"journal.gap"}


def test_made_up_epochs_of_one_controller_hide_no_gap_of_another(path: FastPath) -> None:
    """Whoever has its key can leave a hole in as many epochs as they like: a look takes a part of them, and goes on."""
    count = 2 * MAX_STREAMS
    for epoch in range(1, count + 1):
        leave_a_hole(path, Device("d-a", epoch=epoch))
    leave_a_hole(path, Device("d-b"))
    for name in ("d-a", "d-b"):
        path.register(Device(name))
    for look in range(1, 4):
        watched = path.watch().look()
        assert (watched.devices, watched.told) == ((2, MAX_SETTLED + 1) if look == 1 else (1, MAX_SETTLED))
        assert (watched.crowded, watched.failed) == (("d-a",), ())
        told = [(alarm["device"], alarm["epoch"]) for alarm in path.alarms()]
        assert ("d-b", 1) in told
        assert len(set(told)) == look * MAX_SETTLED + 1


def test_many_holes_of_one_epoch_are_told_of_in_several_looks(path: FastPath) -> None:
    """An alarm for each of them takes its time, which the others need too."""
    device = path.register(Device("d-a"))
    holes = MAX_RUNS - 2
    device.many(2 * holes + 2)
    stream = Stream("d-a", 1)
    for seq in range(2, 2 * holes + 2, 2):
        stream = merge(stream, device.run(seq, seq), moment_text(device.start_s)).stream
    stream = merge(stream, device.run(2 * holes + 1, 2 * holes + 2), moment_text(device.start_s + 1000)).stream
    path.put(keys.stream("d-a", 1), **stream.fields())
    looks = [path.watch().look() for _ in range(3)]
    assert [watched.told for watched in looks] == [MAX_SETTLED, holes - MAX_SETTLED, 0]
    assert [watched.crowded for watched in looks] == [("d-a",), (), ()]
    assert len({alarm["id"] for alarm in path.alarms()}) == holes


def test_device_that_can_not_be_looked_at_hides_no_gap_of_another(path: FastPath) -> None:
    """Its item was broken by hand: that is an error, and all others were looked at before."""
    for name in ("d-a", "d-b"):
        leave_a_hole(path, path.register(Device(name)))
    path.put(keys.device("d-a"), device="d-a")
    with pytest.raises(CloudError, match="1 devices could not be looked at"):
        gaps.assemble(path.variables, path.access)()
    assert [alarm["device"] for alarm in path.alarms()] == ["d-b"]
    assert path.watch().look() == Watched(failed=(("d-a", "KeyError"),))


def leave_a_hole(path: FastPath, device: Device) -> None:
    """As the consumer notes it: the first event of the device's epoch is missing, and later ones came long after."""
    device.many(3)
    stream = Stream(device.name, device.epoch)
    for seq, after_s in ((2, 0), (3, 1000)):
        stream = merge(stream, device.run(seq, seq), moment_text(device.start_s + after_s)).stream
    path.put(keys.stream(device.name, device.epoch), **stream.fields())


def test_loss_that_a_later_epoch_explains_is_settled_silently(path: FastPath, lobby: Device) -> None:
    """A journal that was set aside says so in the first event of the next epoch."""
    lobby.many(9)
    path.take(path.arrival(lobby, lobby.record(5, 9)))
    later = Device("d-lobby", epoch=2)
    later.add(EventType.JOURNAL_SET_ASIDE, door=None, detail={"reason": "damaged", "rescued": 5})
    path.take(path.arrival(later, later.record(), after_s=5000))
    watched = path.watch().look()
    assert (watched.told, watched.explained) == (0, 1)
    assert path.watch().look().devices == 0
    assert [alarm["type"] for alarm in path.alarms()] == ["journal.set_aside"]


def test_record_packed_by_the_door_is_what_is_taken(path: FastPath, lobby: Device) -> None:
    """A full, compressed record of 200 events."""
    lobby.many(200)
    data = pack(lobby.events, KEY)
    assert len(unpack(data, None).events) == 200
    assert path.take(path.arrival(lobby, data)).counts.events == 200
    assert len(path.door_events()) == 200
