"""Packed, signed records on the stream."""

import gzip
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.contract.canonical import canonical_bytes
from cloud.contract.errors import ContractError, SignatureInvalidError, UnknownVersionError
from cloud.contract.events import GENESIS, MAX_EVENT_BYTES, Event, EventType, event_id, read_event
from cloud.contract.records import (
    GZIP_ABOVE_BYTES,
    MAX_EVENTS,
    MAX_PACKED_BYTES,
    MAX_UNPACKED_BYTES,
    Record,
    pack,
    unpack,
)
from cloud.contract.signing import sign
from tests.rigs.wire import KEY, OTHER_KEY, json_values, mangled, nested, only_contract_errors, runs, signed

KEYS = [KEY.public_key()]


def event(seq: int, *, device: str = "d-1", epoch: int = 1, boot: str = "b") -> Event:
    return Event(
        id=event_id(device, epoch, seq),
        device=device,
        site="hq",
        epoch=epoch,
        seq=seq,
        prev=GENESIS,
        type=EventType.DOOR_OPENED,
        at="2026-03-01T08:00:00.000Z",
        clock="synced",
        boot=boot,
        mono_ms=seq,
        online=True,
    )


def body(*events: Event, **changes: Any) -> dict[str, Any]:
    """An unsigned record document, as `pack` makes it."""
    first, last = events[0], events[-1]
    return {
        "v": 1, "device": first.device, "epoch": first.epoch, "first": first.seq, "last": last.seq,
        "events": [each.to_json() for each in events], **changes,
    }  # fmt: skip


@given(run=runs())
def test_a_record_survives_the_stream(run: list[Event]) -> None:
    """What was packed is unpacked, and the same events make the same bytes."""
    data = pack(run, KEY)
    assert unpack(data, KEYS) == Record(device="d-1", epoch=1, events=tuple(run))
    assert unpack(data, None) == unpack(data, KEYS)
    assert pack(run, KEY) == data


@given(run=runs())
def test_a_record_is_the_canonical_form_of_its_document(run: list[Event]) -> None:
    """However its bytes are put together; events that were read from the journal make the same ones."""
    document = body(*run)
    plain = canonical_bytes({**document, "sig": sign(document, KEY)})
    data = pack(run, KEY)
    assert (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data) == plain
    assert pack([read_event(each.wire()) for each in run], KEY) == data


def test_a_changed_copy_of_what_was_read_is_checked_again() -> None:
    """Only the very bytes that were found right need no second look."""
    with pytest.raises(ContractError, match="id does not follow"):
        pack([replace(read_event(event(1).wire()), id="x")], KEY)


def test_a_full_record_fits() -> None:
    """The largest number of events, and the largest events."""
    many = [event(seq) for seq in range(1, MAX_EVENTS + 1)]
    data = pack(many, KEY)
    assert data[:2] == b"\x1f\x8b"
    assert unpack(data, KEYS).events == tuple(many)
    size = len(event(1, boot="").canonical())
    large = [event(seq, boot="b" * (MAX_EVENT_BYTES - size)) for seq in range(1, 10)]
    assert unpack(pack(large, KEY), KEYS).events == tuple(large)


def test_a_short_record_is_plain_json() -> None:
    """Below the limit gzip would only cost time."""
    data = pack([event(1)], KEY)
    assert len(data) <= GZIP_ABOVE_BYTES
    assert data.startswith(b'{"device":"d-1"')


@pytest.mark.parametrize(
    ("what", "events"),
    [
        ("0 events", []),
        (f"{MAX_EVENTS + 1} events", [event(seq) for seq in range(1, MAX_EVENTS + 2)]),
        ("not the next", [event(1), event(3)]),
        ("not the next", [event(2), event(1)]),
        ("not the next", [event(1), event(1), event(2)]),
        ("not the next", [event(1), event(2, device="d-2")]),
        ("not the next", [event(1), event(2, epoch=2)]),
        ("bytes, 2048 fit", [event(1, boot="b" * 3000)]),
        (f"{MAX_PACKED_BYTES} fit", [event(seq, boot="b" * 1500) for seq in range(1, 100)]),
        ("detail", [replace(event(1), detail={"a": float("nan")})]),
        ("id does not follow", [replace(event(1), id="x")]),
    ],
)
def test_pack_refuses_what_unpack_would_refuse(what: str, events: list[Event]) -> None:
    """A record that nobody can read must not be sent: it would be lost where nobody looks."""
    with pytest.raises(ContractError, match=what):
        pack(events, KEY)


def test_the_key_of_another_device_is_refused() -> None:
    """One door cannot write another door's history."""
    data = pack([event(1)], OTHER_KEY)
    with pytest.raises(SignatureInvalidError):
        unpack(data, KEYS)
    with pytest.raises(SignatureInvalidError):
        unpack(data, [])
    assert unpack(data, [*KEYS, OTHER_KEY.public_key()]).events == (event(1),)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("events is not a list", body(event(1), events=[])),
    ("events is not a list", body(event(1), events=None)),
    ("events is not a list", body(event(1), events={"0": 1})),
    ("event: not a JSON object", body(event(1), events=[1])),
    ("first and last do not match", body(event(1), last=2)),
    ("first and last do not match", body(event(2), first=1)),
    ("whole numbers", body(event(1), first=True, last=True)),
    ("whole numbers", body(event(1), epoch=1.0)),
    ("not the next", body(event(1), device="d-2")),
    ("not the next", body(event(1), epoch=2)),
    ("not the next", body(event(1), event(3))),
]


@pytest.mark.parametrize(("what", "document"), BAD, ids=[what for what, _ in BAD])
def test_unpack_refuses_a_run_that_is_none(what: str, document: dict[str, Any]) -> None:
    """Signed by the right key, and still not consecutive events of one device and epoch."""
    with pytest.raises(ContractError, match=what):
        unpack(signed(document, sign), KEYS)


@pytest.mark.parametrize("version", [2, None, True, "1"])
def test_another_version_is_unknown_if_it_is_signed(version: Any) -> None:
    """An unsigned stranger does not get to say `newer version`."""
    document = body(event(1), v=version)
    with pytest.raises(UnknownVersionError):
        unpack(signed(document, sign), KEYS)
    with pytest.raises(SignatureInvalidError):
        unpack(canonical_bytes({**document, "sig": "AAAA"}), KEYS)


@given(run=runs(max_size=1), data=st.data())
def test_no_byte_of_a_plain_record_can_be_changed(run: list[Event], data: st.DataObject) -> None:
    """Any other value of any byte is refused."""
    document = body(*run)
    packed = bytearray(canonical_bytes({**document, "sig": sign(document, KEY)}))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    assert not only_contract_errors(lambda: unpack(bytes(packed), KEYS))


@given(data=st.data())
def test_no_byte_of_a_gzipped_record_changes_its_meaning(data: st.DataObject) -> None:
    """Only the idle fields of gzip's header (its time, its system) may change: nothing reads them."""
    run = [event(seq) for seq in range(1, 9)]
    packed = bytearray(pack(run, KEY))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    try:
        assert unpack(bytes(packed), KEYS).events == tuple(run)
    except ContractError:
        return
    assert 3 <= place <= 9


@pytest.mark.parametrize("tail", [b" ", b"x", b"\x00", gzip.compress(b"{}", mtime=0)], ids=repr)
def test_nothing_may_follow_a_record(tail: bytes) -> None:
    """Not after the JSON, nor after the gzip stream."""
    for run in ([event(1)], [event(seq) for seq in range(1, 9)]):
        with pytest.raises(ContractError):
            unpack(pack(run, KEY) + tail, KEYS)


def test_a_bomb_is_not_inflated() -> None:
    """Neither a gzip bomb nor a huge plain record gets far."""
    with pytest.raises(ContractError, match=f"above {MAX_UNPACKED_BYTES} bytes"):
        unpack(gzip.compress(bytes(MAX_UNPACKED_BYTES + 1)), KEYS)
    with pytest.raises(ContractError, match=f"above {MAX_UNPACKED_BYTES} bytes"):
        unpack(b'"' + b"x" * MAX_UNPACKED_BYTES + b'"', KEYS)


def test_largest_record_that_a_controller_may_send_is_read() -> None:
    """As many bytes of events as fit, all of them corrected, and the longest of names and numbers around them."""
    name, epoch, start = "d" * 64, 2**53 - 1, 2**53 - MAX_EVENTS
    at = "2026-03-01T08:00:00.000Z"
    run = [
        replace(event(start + place, device=name, epoch=epoch), at_raw=at, clock="unsynced")
        for place in range(MAX_EVENTS)
    ]
    room = (MAX_PACKED_BYTES - sum(len(each.canonical()) for each in run)) // MAX_EVENTS
    run = [replace(each, boot=each.boot + "b" * room) for each in run]
    size = len(gzip.decompress(data := pack(run, KEY)))
    assert unpack(data, KEYS).events == tuple(run)
    assert MAX_PACKED_BYTES + 36 * MAX_EVENTS < size < MAX_UNPACKED_BYTES


def test_record_with_more_than_a_controller_may_send_is_refused() -> None:
    """Also where it is signed, and short enough to be opened."""
    run = [event(seq, boot="b" * 1600) for seq in range(1, MAX_PACKED_BYTES // 1950 + 1)]
    document = body(*run)
    size = sum(len(each.canonical()) for each in run)
    assert MAX_PACKED_BYTES < size < MAX_UNPACKED_BYTES - 1024
    with pytest.raises(ContractError, match=f"{size} bytes of events, {MAX_PACKED_BYTES} fit"):
        unpack(signed(document, sign), KEYS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b",
        b"null",
        nested(100_000),
        gzip.compress(nested(100_000), mtime=0),
        b'{"v":1,"events":' + nested(400) + b"}",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_nonsense_is_a_contract_error(data: bytes) -> None:
    """Short, empty, deep."""
    for keys in (KEYS, None):
        with pytest.raises(ContractError):
            unpack(data, keys)


@settings(max_examples=100)
@given(
    data=st.binary(max_size=100) | json_values.map(lambda value: gzip.compress(repr(value).encode("utf-8", "replace")))
)
def test_unpack_of_junk_raises_only_contract_errors(data: bytes) -> None:
    """With and without keys."""
    assert not only_contract_errors(lambda: unpack(data, KEYS))
    assert not only_contract_errors(lambda: unpack(data, None))


@settings(max_examples=100)
@given(broken=mangled(runs(max_size=2).map(lambda run: body(*run))))
def test_unpack_of_a_damaged_record_raises_only_contract_errors(broken: Any) -> None:
    """Damaged before it was signed: the device itself is broken."""

    def read() -> None:
        record = unpack(signed(broken, sign), KEYS)
        assert unpack(pack(record.events, KEY), KEYS) == record

    only_contract_errors(read)
