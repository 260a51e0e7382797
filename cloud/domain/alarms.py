"""What a person must hear of at once, and in which words. Must never carry a person, a card or a key.

An alarm has an id that follows from what it is about: whoever is told twice can tell that it is the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from cloud.contract.canonical import canonical_bytes
from cloud.contract.events import ALARMS, Event
from cloud.domain.delays import Delay
from cloud.domain.streams import ChainBroken, Finding, GivenUp

ALARM_VERSION: Final = 1


class AlarmKind(StrEnum):
    """Where an alarm comes from."""

    EVENT = "event"
    """A door or controller sent it; `type` says what happened."""
    EVENTS_MISSING = "stream.events_missing"
    """Later events came, these did not, and the controller does not say why."""
    CHAIN_BROKEN = "stream.chain_broken"
    """An event does not follow on the one before, or is another than it was."""
    HOLES_GIVEN_UP = "stream.holes_given_up"
    """Too much is missing in too many places to keep count."""
    RECORD_REJECTED = "record.rejected"
    """Somebody wrote to the stream what no registered controller may; it was set aside."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; two with the same id are the same."""

    id: str
    kind: AlarmKind
    site: str | None
    """None: not known, since the controller is not."""
    at: str
    """When it happened, or when it was noticed."""
    facts: Mapping[str, Any]

    def message(self) -> str:
        """The alarm as JSON."""
        document = {
            "v": ALARM_VERSION,
            "id": self.id,
            "kind": self.kind.value,
            "site": self.site,
            "at": self.at,
            **self.facts,
        }
        return canonical_bytes(document).decode("utf-8")


def event_alarm(event: Event, delay: Delay, arrived_at: str) -> Alarm | None:
    """The alarm of an event; None for one that is none. A late one is an alarm too, and says that it is late."""
    if event.type not in ALARMS:
        return None
    facts = {
        "type": event.type.value,
        "device": event.device,
        "door": event.door,
        "reader": event.reader,
        "reason": event.reason,
        "epoch": event.epoch,
        "seq": event.seq,
        "delay": delay.value,
        "arrived_at": arrived_at,
    }
    return Alarm(event.id, AlarmKind.EVENT, event.site, event.at, facts)


def finding_alarm(site: str, device: str, finding: Finding, arrived_at: str) -> Alarm:
    """The alarm of what was found while a record was added to its stream."""
    match finding:
        case ChainBroken(epoch, seq):
            name = f"{AlarmKind.CHAIN_BROKEN.value}/{device}/{epoch}/{seq}"
            facts: dict[str, Any] = {"device": device, "epoch": epoch, "seq": seq}
            return Alarm(name, AlarmKind.CHAIN_BROKEN, site, arrived_at, facts)
        case GivenUp(epoch, first, last):
            name = f"{AlarmKind.HOLES_GIVEN_UP.value}/{device}/{epoch}/{first}"
            facts = {"device": device, "epoch": epoch, "first": first, "last": last}
            return Alarm(name, AlarmKind.HOLES_GIVEN_UP, site, arrived_at, facts)
        case never:
            assert_never(never)


def missing_alarm(site: str, device: str, epoch: int, parts: list[tuple[int, int]], at: str) -> Alarm:
    """The alarm of events that did not come: the parts of one hole that nobody explains, lowest first."""
    first, last = parts[0][0], parts[-1][1]
    facts = {
        "device": device,
        "epoch": epoch,
        "first": first,
        "last": last,
        "count": sum(end - start + 1 for start, end in parts),
    }
    return Alarm(f"{AlarmKind.EVENTS_MISSING.value}/{device}/{epoch}/{last}", AlarmKind.EVENTS_MISSING, site, at, facts)


def rejected_alarm(name: str, site: str | None, reason: str, arrived_at: str, kept_as: str) -> Alarm:
    """The alarm of a record that was set aside; `name` is its place on the stream, `kept_as` where it lies now."""
    facts = {"reason": reason, "kept_as": kept_as}
    return Alarm(f"{AlarmKind.RECORD_REJECTED.value}/{name}", AlarmKind.RECORD_REJECTED, site, arrived_at, facts)
