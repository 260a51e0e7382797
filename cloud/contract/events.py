"""The event, version 1: what the journal holds and every consumer sees. Must never carry a raw card number."""

import hashlib
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from cloud.contract.canonical import canonical_bytes, parse_canonical, sha256_hex
from cloud.contract.checks import CREDENTIAL, SHA256, check_id, check_version, is_whole, shown
from cloud.contract.errors import ContractError, UnknownVersionError

EVENT_VERSION: Final = 1
MAX_EVENT_BYTES: Final = 2048
"""Of the canonical bytes: what was journaled does not grow too large by a corrected `at`."""
GENESIS: Final = "0" * 64
"""`prev` of the first event of an epoch."""

# A namespace of our own, so that the id of an event follows from device, epoch and seq alone.
_NAMESPACE: Final = uuid.UUID("7b0d5a53-3ad0-5c1e-9f0a-5f6f2f1c7a11").bytes
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_REASON: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class EventType(StrEnum):
    """What happened, dotted and in the past tense."""

    ACCESS_GRANTED = "access.granted"
    ACCESS_DENIED = "access.denied"
    ACCESS_NOT_TAKEN = "access.not_taken"
    DURESS_SIGNALLED = "duress.signalled"
    """Somebody opens the door under threat. Reserved for controllers that take PINs; the backend alarms of it today."""
    DOOR_OPENED = "door.opened"
    DOOR_CLOSED = "door.closed"
    DOOR_FORCED = "door.forced"
    DOOR_HELD_WARNED = "door.held_warned"
    DOOR_HELD = "door.held"
    DOOR_UNLOCKED = "door.unlocked"
    DOOR_LOCKED = "door.locked"
    REX_PRESSED = "rex.pressed"
    INPUT_TAMPERED = "input.tampered"
    INPUT_RESTORED = "input.restored"
    FIRE_ACTIVATED = "fire.activated"
    FIRE_CLEARED = "fire.cleared"
    FIRE_RESET = "fire.reset"
    AGENT_STARTED = "agent.started"
    AGENT_STOPPED = "agent.stopped"
    WORKER_FAILED = "worker.failed"
    READER_LOST = "reader.lost"
    READER_RECOVERED = "reader.recovered"
    LOCK_FAULTED = "lock.faulted"
    ALLOWLIST_APPLIED = "allowlist.applied"
    ALLOWLIST_REFUSED = "allowlist.refused"
    ALLOWLIST_ITEM_REFUSED = "allowlist.item_refused"
    ALLOWLIST_SET_ASIDE = "allowlist.set_aside"
    STATE_SET_ASIDE = "state.set_aside"
    COMMAND_ACCEPTED = "command.accepted"
    COMMAND_REFUSED = "command.refused"
    CONFIG_RELOADED = "config.reloaded"
    JOURNAL_DEGRADED = "journal.degraded"
    JOURNAL_RECOVERED = "journal.recovered"
    JOURNAL_SET_ASIDE = "journal.set_aside"
    JOURNAL_GAP = "journal.gap"


ALARMS: Final = frozenset(
    {
        EventType.DURESS_SIGNALLED,
        EventType.DOOR_FORCED,
        EventType.DOOR_HELD,
        EventType.INPUT_TAMPERED,
        EventType.FIRE_ACTIVATED,
        EventType.LOCK_FAULTED,
        EventType.JOURNAL_DEGRADED,
        EventType.JOURNAL_SET_ASIDE,
        EventType.JOURNAL_GAP,
    }
)
"""Events that go ahead of a backlog, because a person should act on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One sealed event: its place in the device's chain is fixed."""

    id: str
    device: str
    site: str
    epoch: int
    seq: int
    prev: str
    type: EventType
    at: str
    """RFC 3339 UTC with milliseconds."""
    clock: str
    """`synced` or `unsynced`."""
    boot: str
    mono_ms: int
    online: bool
    door: str | None = None
    reader: str | None = None
    direction: str | None = None
    reason: str | None = None
    credential: str | None = None
    """Keyed hash of the card, 32 hex digits."""
    person: str | None = None
    policy: int | None = None
    """Version of the allow-list that decided."""
    detail: Mapping[str, str | int | float | bool | None] | None = None
    at_raw: str | None = None
    """What the untrusted clock said, when `at` was corrected on sending."""
    written: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """No field: the bytes that `read_event` read and found right. A copy made by `replace` has none."""

    def to_json(self) -> dict[str, Any]:
        """The event as a JSON object; `at_raw` and `detail` are left out where they do not apply."""
        document: dict[str, Any] = {"v": EVENT_VERSION}
        for name in _TYPES:
            document[name] = getattr(self, name)
        document["type"] = self.type.value
        if self.detail is not None:
            document["detail"] = dict(self.detail)
        if self.at_raw is not None:
            document["at_raw"] = self.at_raw
        return document

    def wire(self) -> bytes:
        """The canonical bytes of `to_json`, as they travel."""
        return canonical_bytes(self.to_json()) if self.written is None else self.written

    def canonical(self) -> bytes:
        """The bytes that the chain is made over: the event as it was journaled, before `at` was corrected."""
        if self.at_raw is None:
            return self.wire()
        document = self.to_json()
        document["at"] = document.pop("at_raw")
        return canonical_bytes(document)

    def chain_hash(self) -> str:
        """What the next event of this epoch holds in `prev`."""
        return sha256_hex(self.canonical())


def event_id(device: str, epoch: int, seq: int) -> str:
    """UUID of the event at this place; the same place always has the same id."""
    # RFC 4122 section 4.3, as uuid.uuid5 does it, without its objects: each event is asked for its id several times.
    name = f"{device}/{epoch}/{seq}".encode()
    digest = bytearray(hashlib.sha1(_NAMESPACE + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "id": (str,),
    "device": (str,),
    "site": (str,),
    "epoch": (int,),
    "seq": (int,),
    "prev": (str,),
    "type": (str,),
    "at": (str,),
    "clock": (str,),
    "boot": (str,),
    "mono_ms": (int,),
    "online": (bool,),
    "door": (str, type(None)),
    "reader": (str, type(None)),
    "direction": (str, type(None)),
    "reason": (str, type(None)),
    "credential": (str, type(None)),
    "person": (str, type(None)),
    "policy": (int, type(None)),
}
"""Fields that each event has, with the types that JSON gives them: true is no number."""
_KNOWN: Final = frozenset({"v", "detail", "at_raw", *_TYPES})


def parse_event(document: Any) -> Event:
    """Read one event; raises ContractError with the field at fault, UnknownVersionError for another `v` or type."""
    return parse_sized_event(document)[0]


def parse_sized_event(document: Any) -> tuple[Event, int]:
    """As `parse_event`, with the size of the event's canonical bytes."""
    event = _typed(document)
    return event, check_event(event)


def read_event(data: bytes) -> Event:
    """The event of these canonical bytes, which it keeps, so that it can travel without being written anew.

    Raises ContractError for bytes in any other form, and as `parse_event` does.
    """
    event = _typed(parse_canonical(data, "event"))
    object.__setattr__(event, "written", data)
    check_event(event)
    return event


def _typed(document: Any) -> Event:
    """An event whose fields are all there and of their types; what they say is not checked."""
    if not isinstance(document, Mapping):
        raise ContractError("event: not a JSON object")
    check_version(document, EVENT_VERSION, "event")
    values: dict[str, Any] = {}
    for name, kinds in _TYPES.items():
        if name not in document:
            raise ContractError(f"event: {name} is missing")
        value = document[name]
        if type(value) not in kinds:
            raise ContractError(f"event: {name} is {type(value).__name__}")
        values[name] = value
    for name in ("detail", "at_raw"):
        values[name] = document.get(name)
    unknown = document.keys() - _KNOWN
    if unknown:
        raise ContractError(f"event: unknown field {shown(sorted(map(str, unknown))[0])}")
    if values["type"] not in EventType._value2member_map_:
        raise UnknownVersionError(f"event: type {shown(values['type'])} is not known")
    values["type"] = EventType(values["type"])
    return Event(**values)


def check_event(event: Event) -> int:
    """Raise ContractError unless a reader would take this event; return the size of its canonical bytes."""
    check_fields(event)
    size = len(event.canonical())
    if size > MAX_EVENT_BYTES:
        raise ContractError(f"event: {size} bytes, {MAX_EVENT_BYTES} fit")
    return size


def check_fields(event: Event) -> None:
    """Raise ContractError unless each field is what a reader would take, whatever they come to together."""
    if not is_whole(event.seq, least=1) or not is_whole(event.epoch, least=1):
        raise ContractError("event: seq or epoch is not a whole number from 1")
    for name in ("device", "site"):
        check_id(getattr(event, name), f"event: {name}")
    for name in ("door", "reader", "person"):
        if getattr(event, name) is not None:
            check_id(getattr(event, name), f"event: {name}")
    if event.id != event_id(event.device, event.epoch, event.seq):
        raise ContractError("event: id does not follow from device, epoch and seq")
    if not SHA256.fullmatch(event.prev):
        raise ContractError("event: prev is not a SHA-256 in hex")
    if event.credential is not None and not CREDENTIAL.fullmatch(event.credential):
        raise ContractError("event: credential is not a keyed hash of 32 hex digits")
    _check_words(event)
    if not is_whole(event.mono_ms) or not (event.policy is None or is_whole(event.policy)):
        raise ContractError("event: mono_ms or policy is not a whole number from 0")
    for name, text in (("at", event.at), ("at_raw", event.at_raw)):
        if text is not None and not _is_instant(text):
            raise ContractError(f"event: {name} is not RFC 3339 UTC with milliseconds")
    _check_detail(event.detail)


def _check_words(event: Event) -> None:
    if event.clock not in ("synced", "unsynced"):
        raise ContractError("event: clock is neither synced nor unsynced")
    if event.direction not in (None, "in", "out"):
        raise ContractError("event: direction is neither in nor out")
    if event.reason is not None and not _REASON.fullmatch(event.reason):
        raise ContractError("event: reason is not a code of small letters")


def _check_detail(detail: object) -> None:
    if detail is None:
        return
    if not isinstance(detail, Mapping):
        raise ContractError("event: detail is not an object")
    for name, value in detail.items():
        if not isinstance(name, str):
            raise ContractError("event: detail has a name that is not a string")
        if not (value is None or isinstance(value, str | bool) or _is_number(value)):
            raise ContractError(f"event: detail {shown(name)} is neither a string, a number, true, false nor null")


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and is_whole(abs(value))


def _is_instant(text: object) -> bool:
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
