"""Histories of devices as they come over the wire: chained events, packed and signed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.contract.events import GENESIS, Event, EventType, event_id
from cloud.contract.records import pack
from cloud.domain.times import moment_s, moment_text
from tests.rigs.wire import KEY

START_S = moment_s("2026-03-01T08:00:00.000Z")


@dataclass
class Device:
    """A controller that journals one event a second."""

    name: str
    site: str = "hq"
    epoch: int = 1
    key: Ed25519PrivateKey = KEY
    start_s: float = START_S
    events: list[Event] = field(default_factory=list)

    def add(
        self,
        kind: EventType = EventType.DOOR_OPENED,
        *,
        door: str | None = "lobby",
        person: str | None = None,
        direction: str | None = None,
        at_s: float | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Event:
        """The next event."""
        seq = len(self.events) + 1
        event = Event(
            id=event_id(self.name, self.epoch, seq),
            device=self.name,
            site=self.site,
            epoch=self.epoch,
            seq=seq,
            prev=self.events[-1].chain_hash() if self.events else GENESIS,
            type=kind,
            at=moment_text(self.start_s + seq if at_s is None else at_s),
            clock="synced",
            boot="boot-1",
            mono_ms=seq * 1000,
            online=True,
            door=door,
            reader=f"{door}-{direction}" if direction else None,
            direction=direction,
            person=person,
            detail=detail,
        )
        self.events.append(event)
        return event

    def many(self, count: int) -> Sequence[Event]:
        """So many more events, none of which is an alarm or concerns a person."""
        return [self.add() for _ in range(count)]

    def grant(self, person: str, direction: str = "in", **more: Any) -> Event:
        """A person is let through."""
        return self.add(EventType.ACCESS_GRANTED, person=person, direction=direction, **more)

    def run(self, first: int, last: int) -> list[Event]:
        """The events from the first seq to the last."""
        return self.events[first - 1 : last]

    def record(self, first: int = 1, last: int | None = None) -> bytes:
        """A packed record of these events, or of all."""
        return pack(self.run(first, len(self.events) if last is None else last), self.key)

    def singles(self) -> Iterable[bytes]:
        """A record for each event."""
        return [self.record(event.seq, event.seq) for event in self.events]
