"""Stamps what the core drafted and makes it durable, waiting a bounded time. Must never raise: a door does not stop
because a disk does."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from agent.core.events import EventDraft, StampedEvent
from agent.errors import JournalUnavailable
from agent.ports import Clock, Journal
from cloud.contract.errors import ContractError
from cloud.contract.events import Event

log = structlog.get_logger(__name__)

COMMIT_WAIT_S: Final = 0.25
"""How long a person at the door waits for the disk: a worn SD card takes some 100 ms at its worst, and a door that
answers within a quarter of a second feels immediate."""


class Recorder:
    """The controller's way to the journal. One thread."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._degraded = False
        self.online = False
        """Whether the uplink is up; goes into each event."""

    def stamp(self, draft: EventDraft) -> StampedEvent:
        """Add the time."""
        return stamp(draft, self._clock, online=self.online)

    def record(self, draft: EventDraft) -> Event | None:
        """The sealed event; None while the disk does not take it (it waits in memory and is written later)."""
        try:
            return self._append(draft)
        except (ContractError, TypeError) as error:
            # A text of a peer that no reader of events would take must not cost the event.
            log.error("event.unfit", type=draft.type.value, error=str(error))
            return self._append(replace(draft, detail={"unfit": type(error).__name__}))

    def _append(self, draft: EventDraft) -> Event | None:
        try:
            # Once the disk was late, nobody waits for it again until it has caught up.
            event = self._journal.append(self.stamp(draft), 0.0 if self._degraded else COMMIT_WAIT_S)
        except JournalUnavailable as error:
            self._degrade(str(error))
            return None
        self._recover()
        return event

    def check(self) -> None:
        """Notice that the journal has caught up while nothing was recorded."""
        if self._degraded and self._journal.stats().degraded is None:
            self._recover()

    @property
    def degraded(self) -> bool:
        """Whether events wait in memory."""
        return self._degraded

    def _degrade(self, why: str) -> None:
        if self._degraded:
            return
        self._degraded = True
        # The journal itself records the trouble, ahead of what waits, once the disk takes events again.
        log.error("journal.degraded", why=why, remedy="check the disk: full, worn or read-only")

    def _recover(self) -> None:
        if self._degraded and self._journal.stats().degraded is None:
            self._degraded = False
            log.info("journal.recovered")


def stamp(draft: EventDraft, clock: Clock, *, online: bool) -> StampedEvent:
    """The draft with the time that the clock tells."""
    now = clock.now()
    at = datetime.fromtimestamp(now.wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return StampedEvent(
        draft=draft,
        at=at,
        clock="synced" if now.known else "unsynced",
        boot=clock.boot_id(),
        mono_ms=clock.boot_ms(),
        online=online,
    )
