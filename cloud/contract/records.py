"""How events travel on Kinesis: one packed, signed record holds consecutive events of one device."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cloud.contract.canonical import canonical_bytes, parse_canonical
from cloud.contract.checks import check_version, is_whole
from cloud.contract.errors import ContractError
from cloud.contract.events import Event, check_event, parse_sized_event
from cloud.contract.inflating import inflate
from cloud.contract.signing import sign_bytes, verify

RECORD_VERSION: Final = 1
MAX_EVENTS: Final = 200
MAX_PACKED_BYTES: Final = 100_000
"""Of the events' canonical bytes: a tenth of the stream's default record limit of 1 MiB."""
GZIP_ABOVE_BYTES: Final = 1024
AT_RAW_BYTES: Final = 40
"""What a corrected event is longer by than the one that was journaled, which is what MAX_PACKED_BYTES counts."""
_FRAME_BYTES: Final = 1024
"""What stands around the events: their commas, a device's name, numbers of up to 16 digits and a signature are 500."""
MAX_UNPACKED_BYTES: Final = MAX_PACKED_BYTES + MAX_EVENTS * AT_RAW_BYTES + _FRAME_BYTES
"""A reader stops inflating here, where no record that `pack` makes gets to: strangers' bytes must not fill its memory,
and JSON of this size may still become some 4 MB of objects."""
_GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Record:
    """A batch of consecutive events of one device and epoch."""

    device: str
    epoch: int
    events: tuple[Event, ...]


def pack(events: Sequence[Event], key: Ed25519PrivateKey) -> bytes:
    """One record's bytes; raises ContractError for what `unpack` would refuse.

    The events must be of one device and epoch, consecutive, 1 to MAX_EVENTS, up to MAX_PACKED_BYTES together.
    """
    if not 1 <= len(events) <= MAX_EVENTS:
        raise ContractError(f"record: {len(events)} events, 1 to {MAX_EVENTS} fit")
    # What was read from its bytes was checked then.
    size = sum(check_event(event) if event.written is None else len(event.canonical()) for event in events)
    if size > MAX_PACKED_BYTES:
        raise ContractError(f"record: {size} bytes of events, {MAX_PACKED_BYTES} fit")
    frame: dict[str, Any] = {
        "v": RECORD_VERSION,
        "device": events[0].device,
        "epoch": events[0].epoch,
        "first": events[0].seq,
        "last": events[-1].seq,
        "events": [],
    }
    _check_run(events, frame)
    body = b",".join([event.wire() for event in events])
    frame["sig"] = sign_bytes(_framed(frame, body), key)
    data = _framed(frame, body)
    # mtime=0: the same events make the same bytes.
    return gzip.compress(data, 6, mtime=0) if len(data) > GZIP_ABOVE_BYTES else data


@dataclass(frozen=True, slots=True)
class Frame:
    """A record that was opened, of which nothing is believed yet."""

    document: dict[str, Any]

    @property
    def device(self) -> str:
        """Who it claims to be from: whose keys it must be checked with. Empty when it names nobody."""
        name = self.document.get("device")
        return name if isinstance(name, str) else ""


def unpack(data: bytes, keys: Sequence[Ed25519PublicKey] | None) -> Record:
    """Read one record and check its signature (None: do not); raises ContractError and its kinds.

    Whose keys these are is the caller's to know: `device` of the result must be the one that they belong to.
    """
    return read_frame(open_frame(data), keys)


def open_frame(data: bytes) -> Frame:
    """Inflate and parse a record, for who must know its device before the keys; raises ContractError."""
    if data[:2] == _GZIP_MAGIC:
        data = inflate(data, MAX_UNPACKED_BYTES, "record")
    elif len(data) > MAX_UNPACKED_BYTES:
        raise ContractError(f"record: above {MAX_UNPACKED_BYTES} bytes")
    return Frame(parse_canonical(data, "record"))


def read_frame(frame: Frame, keys: Sequence[Ed25519PublicKey] | None) -> Record:
    """The second half of `unpack`."""
    document = frame.document
    if keys is not None:
        verify(document, keys)
    # After the signature: an unsigned stranger does not get to say "newer version".
    check_version(document, RECORD_VERSION, "record")
    raw = document.get("events")
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_EVENTS:
        raise ContractError(f"record: events is not a list of 1 to {MAX_EVENTS}")
    events, size = [], 0
    for item in raw:
        event, event_bytes = parse_sized_event(item)
        events.append(event)
        size += event_bytes
    if size > MAX_PACKED_BYTES:
        raise ContractError(f"record: {size} bytes of events, {MAX_PACKED_BYTES} fit")
    _check_run(events, document)
    return Record(device=events[0].device, epoch=events[0].epoch, events=tuple(events))


def _framed(frame: dict[str, Any], body: bytes) -> bytes:
    """The canonical bytes of the record with these events in its empty list: each event is serialised but once."""
    before, _, after = canonical_bytes(frame).partition(b'"events":[]')
    return b'%b"events":[%b]%b' % (before, body, after)


def _check_run(events: Sequence[Event], document: dict[str, Any]) -> None:
    head = (document.get("device"), document.get("epoch"))
    if not all(is_whole(document.get(name), least=1) for name in ("epoch", "first", "last")):
        raise ContractError("record: epoch, first and last are not whole numbers from 1")
    if (document.get("first"), document.get("last")) != (events[0].seq, events[-1].seq):
        raise ContractError("record: first and last do not match the events")
    for place, event in enumerate(events):
        if (event.device, event.epoch) != head or event.seq != events[0].seq + place:
            raise ContractError(f"record: event {place} is not the next of this device and epoch")
