"""The event: what a reader takes, what it refuses, and the chain."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.canonical import canonical_bytes, parse_canonical
from cloud.contract.errors import ContractError, UnknownVersionError
from cloud.contract.events import (
    ALARMS,
    GENESIS,
    MAX_EVENT_BYTES,
    Event,
    EventType,
    check_event,
    event_id,
    parse_event,
    read_event,
)
from tests.rigs.wire import events, json_values, mangled, only_contract_errors

EVENT = Event(
    id=event_id("d-1", 1, 1),
    device="d-1",
    site="hq",
    epoch=1,
    seq=1,
    prev=GENESIS,
    type=EventType.ACCESS_GRANTED,
    at="2026-03-01T08:00:00.000Z",
    clock="synced",
    boot="b",
    mono_ms=1,
    online=True,
)


def document(**changes: Any) -> dict[str, Any]:
    return {**EVENT.to_json(), **changes}


@given(event=events())
def test_an_event_survives_the_wire(event: Event) -> None:
    """What was written is read back, type and all."""
    back = parse_event(parse_canonical(canonical_bytes(event.to_json()), "event"))
    assert back == event
    assert back.chain_hash() == event.chain_hash()
    assert isinstance(back.type, EventType)


@given(event=events())
def test_an_event_that_was_read_travels_as_it_was_written(event: Event) -> None:
    """Reading and sending it on costs no serialising, and is the same in every respect."""
    data = canonical_bytes(event.to_json())
    back = read_event(data)
    assert (back, back.wire(), back.canonical(), back.to_json()) == (event, data, event.canonical(), event.to_json())
    assert back.wire() is data


@given(event=events())
def test_a_changed_copy_of_an_event_that_was_read_is_written_anew(event: Event) -> None:
    """Otherwise a corrected time would never leave the device."""
    other = replace(read_event(canonical_bytes(event.to_json())), online=not event.online)
    assert other.wire() == canonical_bytes(other.to_json())
    assert parse_event(parse_canonical(other.wire(), "event")).online is not event.online


@pytest.mark.parametrize(
    "data",
    [
        b" " + EVENT.canonical(),
        EVENT.canonical().replace(b'"v":1', b'"v":1.0'),
        EVENT.canonical().replace(b'"v":1', b'"v":1,"v":1'),
        EVENT.canonical().replace(b'"boot":"b"', b'"boot":"\\u0062"'),
        EVENT.canonical()[:-1],
        b"",
        b"\xff",
    ],
)
def test_only_the_one_form_of_an_event_is_read(data: bytes) -> None:
    """It would go into a signed record as it is, and that must be in canonical form."""
    with pytest.raises(ContractError):
        read_event(data)


def test_an_event_too_large_is_not_read() -> None:
    """What is read is checked like everything that is parsed."""
    with pytest.raises(ContractError, match="2048 fit"):
        read_event(replace(EVENT, boot="b" * MAX_EVENT_BYTES).canonical())
    with pytest.raises(ContractError, match="id does not follow"):
        read_event(replace(EVENT, id="x").canonical())


@given(event=events(), corrected=st.datetimes())
def test_the_chain_does_not_feel_a_corrected_time(event: Event, corrected: Any) -> None:
    """`at` is corrected on sending, after the hash was journaled; `at_raw` keeps what the hash was made over."""
    journaled = replace(event, at_raw=None)
    sent = replace(journaled, at=corrected.isoformat(timespec="milliseconds") + "Z", at_raw=journaled.at)
    assert sent.chain_hash() == journaled.chain_hash()
    assert parse_event(sent.to_json()).chain_hash() == journaled.chain_hash()


@given(event=events(), other=events())
def test_the_chain_feels_everything_else(event: Event, other: Event) -> None:
    """Two events that differ in anything but the correction have different hashes."""
    assert (event.chain_hash() == other.chain_hash()) is (event.canonical() == other.canonical())
    assert replace(event, online=not event.online).chain_hash() != event.chain_hash()


def test_the_hash_of_an_event_is_what_it_always_was() -> None:
    """A change of the canonical form would break every chain there is."""
    assert EVENT.canonical() == (
        b'{"at":"2026-03-01T08:00:00.000Z","boot":"b","clock":"synced","credential":null,"device":"d-1",'
        b'"direction":null,"door":null,"epoch":1,"id":"' + EVENT.id.encode() + b'","mono_ms":1,"online":true,'
        b'"person":null,"policy":null,"prev":"' + GENESIS.encode() + b'","reader":null,"reason":null,"seq":1,'
        b'"site":"hq","type":"access.granted","v":1}'
    )
    assert EVENT.id == "7413cffb-adc9-5a2b-821e-73b194490ec3"


BAD: list[tuple[str, dict[str, Any]]] = [
    ("seq or epoch", {"seq": 0}),
    ("seq or epoch", {"epoch": 0}),
    ("seq or epoch", {"seq": 2**53}),
    ("seq is bool", {"seq": True}),
    ("seq is float", {"seq": 1.0}),
    ("mono_ms or policy", {"mono_ms": -1}),
    ("mono_ms or policy", {"policy": 2**64}),
    ("online is int", {"online": 1}),
    ("id does not follow", {"id": event_id("d-1", 1, 2)}),
    ("id does not follow", {"seq": 2}),
    ("device is not an id", {"device": ""}),
    ("device is not an id", {"device": "d/1"}),
    ("site is not an id", {"site": "h q"}),
    ("door is not an id", {"door": "\ud800"}),
    ("person is not an id", {"person": "Anna Müller"}),
    ("prev is not", {"prev": "AB" * 32}),
    ("prev is not", {"prev": GENESIS + "0"}),
    ("credential is not", {"credential": "04A1B2C3"}),
    ("clock is neither", {"clock": "maybe"}),
    ("direction is neither", {"direction": "up"}),
    ("reason is not a code", {"reason": "Because I say so"}),
    ("at is not", {"at": "2026-03-01T08:00:00Z"}),
    ("at is not", {"at": "2026-02-30T08:00:00.000Z"}),
    ("at is not", {"at": "9999-99-99T99:99:99.999Z"}),
    ("at is not", {"at": "٢٠٢٦-03-01T08:00:00.000Z"}),
    ("at is not", {"at": "2026-03-01T08:00:00.000Z\n"}),
    ("at_raw is not", {"at_raw": 7}),
    ("at_raw is not", {"at_raw": "1970"}),
    ("detail is not", {"detail": []}),
    ("detail 'a' is neither", {"detail": {"a": []}}),
    ("detail 'a' is neither", {"detail": {"a": {"b": 1}}}),
    ("detail 'a' is neither", {"detail": {"a": float("nan")}}),
    ("detail 'a' is neither", {"detail": {"a": 10**400}}),
    ("not representable", {"detail": {"a": "\ud800"}}),
    ("not representable", {"boot": "\ud800"}),
    ("name that is not a string", {"detail": {1: 1}}),
    ("unknown field 'extra'", {"extra": 1}),
    ("unknown field", {"x" * 10_000: 1}),
    ("3.* bytes, 2048 fit", {"boot": "b" * 3000}),
]


@pytest.mark.parametrize(("what", "changes"), BAD, ids=lambda value: str(value)[:40])
def test_parse_event_names_the_field_at_fault(what: str, changes: dict[str, Any]) -> None:
    """Each field by itself."""
    with pytest.raises(ContractError, match=what):
        parse_event(document(**changes))
    only_contract_errors(lambda: parse_event(document(**changes)))


@pytest.mark.parametrize("name", sorted(set(EVENT.to_json()) - {"v"}))
def test_parse_event_wants_every_field(name: str) -> None:
    """Null is written out: a field that is not there was lost."""
    partial = document()
    del partial[name]
    with pytest.raises(ContractError, match=f"{name} is missing"):
        parse_event(partial)


@pytest.mark.parametrize("version", [2, 0, None, "1", True, 1.0, [1], 10**400])
def test_another_version_is_unknown(version: Any) -> None:
    """Only the whole number 1 is version 1."""
    with pytest.raises(UnknownVersionError):
        parse_event(document(v=version))


@pytest.mark.parametrize("kind", ["door.melted", "", "ACCESS_GRANTED"])
def test_another_type_is_unknown(kind: str) -> None:
    """A newer release has more types: the event is kept out, the record is not damaged."""
    with pytest.raises(UnknownVersionError, match="type"):
        parse_event(document(type=kind))


def test_the_size_is_that_of_the_journaled_event() -> None:
    """An event that fits into the journal still fits when its time is corrected."""
    room = MAX_EVENT_BYTES - len(EVENT.canonical())
    full = replace(EVENT, boot="b" * (room + 1))
    assert check_event(full) == MAX_EVENT_BYTES
    assert check_event(replace(full, at_raw=full.at)) == MAX_EVENT_BYTES
    with pytest.raises(ContractError, match="2049 bytes"):
        check_event(replace(full, boot=full.boot + "b"))


@given(junk=json_values)
def test_parse_event_of_junk_raises_only_contract_errors(junk: Any) -> None:
    """Whatever json.loads may return."""
    assert not only_contract_errors(lambda: parse_event(junk))


@given(broken=mangled(events().map(Event.to_json)))
def test_parse_event_of_a_damaged_event_raises_only_contract_errors(broken: Any) -> None:
    """One value of a valid event replaced, dropped or renamed; what is still taken can be sent on."""
    if only_contract_errors(lambda: parse_event(broken)):
        assert parse_event(parse_event(broken).to_json()) == parse_event(broken)


def test_ids_follow_from_the_place() -> None:
    """The same place has the same id, another place has another."""
    places = [("d-1", 1, 1), ("d-1", 1, 11), ("d-1", 11, 1), ("d-11", 1, 1)]
    assert len({event_id(*place) for place in places}) == len(places)
    assert event_id("d-1", 1, 1) == event_id("d-1", 1, 1)


def test_alarms_are_what_a_person_should_act_on() -> None:
    """Going in and out is no alarm."""
    assert {EventType.DOOR_FORCED, EventType.DURESS_SIGNALLED} <= ALARMS
    assert not {kind for kind in ALARMS if kind.startswith(("access.", "rex.", "agent."))}
