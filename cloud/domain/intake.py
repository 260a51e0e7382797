"""What a record off the stream is worth, pure: refused with a reason, or its events, and what each of them says.

A record is trusted only as far as its signature reaches: it is of the controller whose registered key signed it, about
that controller's site and doors, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.contract.checks import ID
from cloud.contract.errors import ContractError, SignatureInvalidError, UnknownVersionError
from cloud.contract.events import Event, EventType
from cloud.contract.records import Frame, Record, open_frame, read_frame
from cloud.domain import keys
from cloud.domain.delays import delay_of
from cloud.domain.keys import Key
from cloud.domain.presence import Fact, FactKind
from cloud.domain.times import moment_s

_DAY_S: Final = 86_400
_REGISTERED: Final = "registered"
"""Status of a controller that may send (cloud.domain.rules.entities.DeviceStatus)."""


class Reason(StrEnum):
    """Why a record was refused."""

    MALFORMED = "malformed"
    """Not a record, or above a limit."""
    UNKNOWN_DEVICE = "unknown_device"
    RETIRED_DEVICE = "retired_device"
    BAD_SIGNATURE = "bad_signature"
    """None, or made by no registered key of this device."""
    UNKNOWN_VERSION = "unknown_version"
    """Of a later release, or an event in it is: replay it once this one is updated."""
    OTHER_DEVICE = "other_device"
    """Signed by this device, in the name of another."""
    OTHER_SITE = "other_site"
    OTHER_DOOR = "other_door"
    """About a door that this device is not registered for."""
    FAULT = "fault"
    """Our own code failed on it: a defect."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record is not taken: what may be kept of a Refused, whose traceback holds all that was made of it."""

    reason: Reason
    detail: str


class Refused(Exception):  # noqa: N818 - named for what happened
    """A record is not taken, and never will be by trying again."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

    @property
    def refusal(self) -> Refusal:
        """Reason and text alone."""
        return Refusal(self.reason, str(self))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as it lies on the stream."""

    shard: str
    sequence: str
    device: str
    """The partition key: who it claims to be from."""
    data: bytes
    arrived_at: str
    """RFC 3339 UTC with milliseconds."""

    @property
    def name(self) -> str:
        """What tells it from all other records of the stream."""
        return f"{self.shard}-{self.sequence}"


def is_device(name: str) -> bool:
    """Whether this can be the name of a device at all: strangers choose it."""
    return ID.fullmatch(name) is not None


def read_record(arrival: Arrival, device: Mapping[str, Any]) -> Record:
    """The record, checked against the registered device of its partition key; raises Refused."""
    return believed(opened(arrival.data), arrival.device, device)


def opened(data: bytes) -> Frame:
    """A record of which nothing is believed yet; raises Refused."""
    try:
        return open_frame(data)
    except ContractError as error:
        raise Refused(Reason.MALFORMED, str(error)) from error


def believed(frame: Frame, name: str, device: Mapping[str, Any]) -> Record:
    """The record, if the registered device of this name may have sent it; raises Refused."""
    if device.get("status") != _REGISTERED:
        raise Refused(Reason.RETIRED_DEVICE, "the device left")
    trusted = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)) for key in device.get("keys") or ()]
    try:
        record = read_frame(frame, trusted)
    except SignatureInvalidError as error:
        raise Refused(Reason.BAD_SIGNATURE, str(error)) from error
    except UnknownVersionError as error:
        raise Refused(Reason.UNKNOWN_VERSION, str(error)) from error
    except ContractError as error:
        raise Refused(Reason.MALFORMED, str(error)) from error
    if record.device != name:
        raise Refused(Reason.OTHER_DEVICE, "the record is in the name of another device")
    if any(event.site != device["site"] for event in record.events):
        raise Refused(Reason.OTHER_SITE, "an event is of another site")
    doors = {event.door for event in record.events} - {None, *(device.get("doors") or ())}
    if doors:
        raise Refused(Reason.OTHER_DOOR, f"the device is not registered for door {min(map(str, doors))}")
    return record


def event_key(event: Event) -> Key:
    """Where an event lies."""
    return keys.event(event.site, event.door, event.device, event.at, event.epoch, event.seq)


def event_fields(event: Event, arrived_at: str, keep_days: int) -> dict[str, Any]:
    """The fields of an event's item, index keys included; not pk and sk. It never changes, so it has no `rev`.

    `event` is the event as it was sent, in canonical JSON: its chain can be checked from it.
    """
    fields: dict[str, Any] = {
        "v": 1,
        "event": event.wire().decode("utf-8"),
        "arrived_at": arrived_at,
        "delay": delay_of(event.at, arrived_at).value,
        "expires": int(moment_s(arrived_at)) + keep_days * _DAY_S,
    }
    if event.person is not None:
        fields["g1pk"], fields["g1sk"] = used_by(event.site, event.person), event_key(event)[1]
    return fields


def used_by(site: str, person: str) -> str:
    """The partition of the owner index that holds the events of a person."""
    return f"USE#{site}#{person}"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a door, as far as it is known; empty: outside of all, or not known."""

    area: str = ""
    building: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """What lies on the two sides of a door."""

    inside: Side
    outside: Side


def passage(door: Mapping[str, Any] | None, areas: Mapping[str, Mapping[str, Any] | None]) -> Passage | None:
    """The two sides of a door's item, by the items of its areas; None for a door that leads from nowhere to nowhere.

    The building of the door itself stands for that of an inside without an area.
    """
    if door is None:
        return None
    inside = _side(door.get("inside"), areas)
    found = Passage(Side(inside.area, inside.building or door.get("building") or ""), _side(door.get("outside"), areas))
    return None if found == Passage(Side(), Side()) else found


def _side(area: str | None, areas: Mapping[str, Mapping[str, Any] | None]) -> Side:
    if area is None:
        return Side()
    return Side(area, (areas.get(area) or {}).get("building") or "")


def concerns_presence(event: Event) -> bool:
    """Whether an event says where somebody is."""
    return (
        event.type in (EventType.ACCESS_GRANTED, EventType.ACCESS_NOT_TAKEN)
        and None not in (event.person, event.door, event.direction)
    )  # fmt: skip


def movement(event: Event, arrived_at: str, sides: Passage | None) -> Fact | None:
    """What such an event says; None where the door leads nowhere that is known: the person stays where they were.

    It happened when it arrived, at the latest: a clock that is ahead must not outweigh all that other doors say later.
    """
    if sides is None or event.door is None or event.direction is None:
        return None
    side = sides.inside if event.direction == "in" else sides.outside
    kind = FactKind.GRANTED if event.type is EventType.ACCESS_GRANTED else FactKind.NOT_TAKEN
    return Fact(
        min(event.at, arrived_at),
        event.device,
        event.epoch,
        event.seq,
        kind.value,
        event.door,
        event.direction,
        side.area,
        side.building,
    )
