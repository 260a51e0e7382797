"""The edge's ports in memory, for tests of what is built on them. Thread-safe where the port is."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.core.events import StampedEvent
from agent.ports import Applied, JournalStats, ListPosition, StoredEvent
from cloud.contract.allowlist import Delta, Head, Snapshot
from cloud.contract.events import ALARMS, GENESIS, Event, EventType, event_id

DEVICE = "hq-lobby-1"
SITE = "hq"


def make_event(seq: int, *, epoch: int = 1, type: EventType = EventType.DOOR_OPENED, **more: Any) -> Event:  # noqa: A002
    """A well-formed event; `prev` is not chained."""
    plain = Event(
        id=event_id(DEVICE, epoch, seq), device=DEVICE, site=SITE, epoch=epoch, seq=seq, prev=GENESIS, type=type,
        at="2026-03-01T08:00:00.000Z", clock="synced", boot="b-1", mono_ms=seq * 10, online=False, door="hq-lobby",
    )  # fmt: skip
    return replace(plain, **more)


def make_events(count: int, *, first: int = 1, epoch: int = 1) -> list[Event]:
    """Events of consecutive places."""
    return [make_event(seq, epoch=epoch) for seq in range(first, first + count)]


class MemoryJournal:
    """`agent.ports.Journal`, but for `append`: alarms first, then in order. `add` puts sealed events in."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._condition = threading.Condition()
        self._unsent: dict[tuple[int, int], Event] = {}
        self.sent: list[tuple[int, int]] = []
        """Places in the order in which they were marked."""
        self.add(*events)

    def add(self, *events: Event) -> None:
        """Something happened."""
        with self._condition:
            self._unsent |= {(event.epoch, event.seq): event for event in events}
            self._condition.notify_all()

    def drop(self, epoch: int, seq: int) -> None:
        """The journal was full and gave this event up."""
        with self._condition:
            del self._unsent[epoch, seq]
            self._condition.notify_all()

    def append(self, stamped: StampedEvent, timeout_s: float) -> Event:
        raise NotImplementedError("sealed events are put in by `add`")

    def next_unsent(self, max_events: int, max_bytes: int) -> Sequence[Event]:
        with self._condition:
            first = next((place for place, event in self._unsent.items() if event.type in ALARMS), None)
            first = first or min(self._unsent, default=None)
            if first is None:
                return []
            run: list[Event] = []
            size = 0
            for place in ((first[0], seq) for seq in range(first[1], first[1] + max_events)):
                event = self._unsent.get(place)
                if event is None or (run and size + len(event.canonical()) > max_bytes):
                    break
                run.append(event)
                size += len(event.canonical())
            return run

    def mark_sent(self, epoch: int, first: int, last: int) -> None:
        with self._condition:
            for seq in range(first, last + 1):
                del self._unsent[epoch, seq]
                self.sent.append((epoch, seq))
            self._condition.notify_all()

    def wait_for_unsent(self, timeout_s: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: bool(self._unsent), timeout_s)

    def wait_until_sent(self, timeout_s: float) -> bool:
        """Block until nothing is left to send; False after `timeout_s`."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._unsent, timeout_s)

    def events(self, *, since: int = 0, door: str | None = None, limit: int = 1000) -> Sequence[StoredEvent]:
        raise NotImplementedError("no test asks for it")

    def stats(self) -> JournalStats:
        with self._condition:
            oldest = self._unsent[min(self._unsent)].at if self._unsent else None
            return JournalStats(1, 0, len(self._unsent), oldest, 0, 0, None)

    def close(self) -> None:
        """Nothing to release."""


class MemoryListStore:
    """`agent.ports.AllowListStore`: keeps card ids."""

    def __init__(self) -> None:
        self.held: ListPosition | None = None
        self.cards: set[str] = set()

    def position(self) -> ListPosition | None:
        return self.held

    def apply_delta(self, delta: Delta) -> Applied:
        self.cards = _after(self.cards, delta)
        return self._now_at(delta)

    def apply_snapshot(self, snapshot: Snapshot) -> Applied:
        self.cards = _after(self.cards, snapshot)
        return self._now_at(snapshot)

    def removals(self, change: Delta | Snapshot) -> tuple[int, int]:
        return len(self.cards - _after(self.cards, change)), len(self.cards)

    def close(self) -> None:
        """Nothing to release."""

    def _now_at(self, change: Delta | Snapshot) -> Applied:
        self.held = ListPosition(change.epoch, change.version)
        return Applied(self.held, len(self.cards), ())


def _after(cards: set[str], change: Delta | Snapshot) -> set[str]:
    if isinstance(change, Snapshot):
        return {str(item["id"]) for item in change.items if item.get("kind") == "card"}
    put = {each.id for each in change.changes if each.kind == "card" and each.item is not None}
    gone = {each.id for each in change.changes if each.kind == "card" and each.item is None}
    return (cards | put) - gone


class MemoryListSource:
    """`agent.ports.ListSource`: what a test puts in; an exception in a place is raised when that place is read."""

    def __init__(self) -> None:
        self.offered: Head | Exception | None = None
        self.delta_log: Mapping[int, Delta | Exception] = {}
        self.object: Snapshot | Exception | None = None
        self.reads: list[str] = []
        """What was read, in order."""

    def head(self) -> Head | None:
        self.reads.append("head")
        if isinstance(self.offered, Exception):
            raise self.offered
        return self.offered

    def deltas(self, epoch: int, after: int, upto: int) -> Iterator[Delta]:
        self.reads.append(f"deltas {after}-{upto}")
        for version in range(after + 1, upto + 1):
            found = self.delta_log.get(version)
            if isinstance(found, Exception):
                raise found
            if found is not None:
                yield found

    def snapshot(self, head: Head) -> Snapshot:
        self.reads.append("snapshot")
        if isinstance(self.object, Exception):
            raise self.object
        assert self.object is not None
        return self.object
