"""What a record is worth, and what its events say."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.events import EventType
from cloud.contract.records import Record
from cloud.domain.intake import (
    Arrival,
    Passage,
    Reason,
    Refused,
    Side,
    concerns_presence,
    event_fields,
    event_key,
    is_device,
    movement,
    passage,
    read_record,
)
from tests.rigs.histories import Device
from tests.rigs.wire import KEY, OTHER_KEY

AT = "2026-03-01T09:00:00.000Z"
AREAS: dict[str, dict[str, Any] | None] = {"hall": {"building": "main"}, "yard": {"building": None}}


def item(*keys: Any, **fields: Any) -> dict[str, Any]:
    hexes = [key.public_key().public_bytes_raw().hex() for key in keys or (KEY,)]
    return {"device": "d-1", "status": "registered", "site": "hq", "keys": hexes, "doors": ["lobby"], **fields}


def arrival(data: bytes) -> Arrival:
    return Arrival("shard", "1", "d-1", data, AT)


def device(**fields: Any) -> Device:
    made = Device("d-1", **fields)
    made.many(3)
    return made


def reason(data: bytes, registered: dict[str, Any]) -> Reason:
    with pytest.raises(Refused) as refused:
        read_record(arrival(data), registered)
    return refused.value.reason


def taken(data: bytes) -> Record | Reason:
    """What becomes of a record."""
    try:
        return read_record(arrival(data), item())
    except Refused as refused:
        return refused.reason


def test_record_of_either_key_is_taken() -> None:
    """Keys rotate: for a while there are two."""
    made = device()
    assert read_record(arrival(made.record()), item(OTHER_KEY, KEY)).events == tuple(made.events)


def test_device_without_a_key_is_not_believed() -> None:
    """Whoever has no key has no signature either."""
    assert reason(device().record(), item() | {"keys": []}) is Reason.BAD_SIGNATURE


def test_event_without_a_door_needs_no_registered_door() -> None:
    """A controller's own life."""
    made = Device("d-1")
    made.add(EventType.AGENT_STARTED, door=None)
    assert read_record(arrival(made.record()), item() | {"doors": []}).events == tuple(made.events)
    assert reason(device().record(), item() | {"doors": []}) is Reason.OTHER_DOOR


_RECORD = device().record()


@given(st.integers(0, len(_RECORD) - 1), st.integers(1, 255))
def test_damage_is_never_taken_for_another_event(place: int, change: int) -> None:
    """A changed byte of a record is refused, or is one of the compressed frame that says nothing."""
    data = bytearray(_RECORD)
    data[place] ^= change
    found = taken(bytes(data))
    assert found in (Reason.MALFORMED, Reason.BAD_SIGNATURE, read_record(arrival(_RECORD), item()))


def test_names_that_no_device_can_have_are_told() -> None:
    """The partition key is a stranger's to choose."""
    assert is_device("d-1")
    assert not is_device("")
    assert not is_device("a#b")
    assert not is_device("x" * 65)


def test_event_item_holds_the_event_as_it_was_sent() -> None:
    """Its chain can be checked from it, and it is found by door and by person."""
    event = Device("d-1").grant("ada")
    fields = event_fields(event, AT, 10)
    assert fields["event"].encode() == event.wire()
    assert (fields["v"], fields["arrived_at"], fields["delay"]) == (1, AT, "grace")
    assert fields["expires"] == 1772355600 + 10 * 86_400
    assert event_key(event)[0] == "DOOR#hq#lobby"
    assert (fields["g1pk"], fields["g1sk"]) == ("USE#hq#ada", event_key(event)[1])
    assert "g1pk" not in event_fields(Device("d-1").add(), AT, 10)


@pytest.mark.parametrize(
    ("door", "expected"),
    [
        (None, None),
        ({"building": None, "inside": None, "outside": None}, None),
        ({"building": "main", "inside": None, "outside": None}, Passage(Side("", "main"), Side())),
        ({"building": "main", "inside": "hall", "outside": "yard"}, Passage(Side("hall", "main"), Side("yard"))),
        ({"inside": "yard", "outside": "hall"}, Passage(Side("yard"), Side("hall", "main"))),
        ({"inside": "gone", "building": "main"}, Passage(Side("gone", "main"), Side())),
    ],
)
def test_sides_of_a_door_follow_from_its_areas(door: dict[str, Any] | None, expected: Passage | None) -> None:
    """The door's own building counts for an inside that has none."""
    assert passage(door, AREAS) == expected


def test_movement_goes_to_the_side_that_the_direction_says() -> None:
    """In to the inside, out to the outside."""
    made, sides = Device("d-1"), Passage(Side("hall", "main"), Side("yard"))
    entry, leaving = movement(made.grant("ada"), AT, sides), movement(made.grant("ada", "out"), AT, sides)
    assert entry is not None
    assert leaving is not None
    assert ((entry.area, entry.building), (leaving.area, leaving.building)) == (("hall", "main"), ("yard", ""))


def test_movement_is_not_later_than_its_arrival() -> None:
    """A controller whose clock is years ahead does not pin people where it says."""
    event = replace(Device("d-1").grant("ada"), at="2099-01-01T00:00:00.000Z")
    fact = movement(event, AT, Passage(Side("hall", "main"), Side()))
    assert fact is not None
    assert fact.at == AT


def test_door_that_leads_nowhere_moves_nobody() -> None:
    """A reader of another kind is history only."""
    assert movement(Device("d-1").grant("ada"), AT, None) is None


@pytest.mark.parametrize("kind", EventType)
def test_only_grants_and_their_lapses_concern_presence(kind: EventType) -> None:
    """And only with person, door and direction."""
    event = Device("d-1").add(kind, person="ada", direction="in")
    assert concerns_presence(event) == (kind in (EventType.ACCESS_GRANTED, EventType.ACCESS_NOT_TAKEN))
    assert not concerns_presence(replace(event, person=None))
    assert not concerns_presence(replace(event, direction=None))


def test_refusal_says_why_without_repeating_the_record() -> None:
    """The reason goes into logs and alarms."""
    with pytest.raises(Refused) as refused:
        read_record(arrival(json.dumps({"sig": "x" * 5000}).encode()), item())
    assert len(str(refused.value)) < 200
