"""Delivers the journal to the cloud: one signed record in flight, what was acknowledged is marked as sent.

A record goes at once when nothing is in flight; what happens while one is waits for its answer and goes together.
That is the whole batching: no timer. Every attempt selects anew, so an alarm never waits behind a failed backlog.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
import tenacity
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.errors import FailureKind, Permanent, StorageError, UplinkError
from agent.ports import EventSink, Journal
from agent.runtime.calls import SLICE_S, Stopped, call, pause
from agent.runtime.link import Link, LinkReport
from agent.runtime.retry import Waits, attempts, failed_with
from cloud.contract.errors import ContractError
from cloud.contract.events import Event
from cloud.contract.records import AT_RAW_BYTES, MAX_EVENTS, MAX_PACKED_BYTES, pack

log = structlog.get_logger(__name__)

REFUSED: Final = "uplink_refused"
"""Degraded reason: the stream refuses an event for good."""
_MAX_BATCH_BYTES: Final = MAX_PACKED_BYTES - MAX_EVENTS * AT_RAW_BYTES
_MAX_REFUSED: Final = 64
"""Refused events that are remembered; past that the oldest is forgotten and merely tried once more in between."""
_ANSWERED: Final = (None, FailureKind.THROTTLED, FailureKind.POISON, FailureKind.MENDED)
"""With these the way to the cloud is open."""

Place = tuple[int, int]
"""Epoch and seq."""


def _as_it_is(event: Event) -> Event:
    return event


class Uplink:
    """`run` is the thread's body; `report` may be read from any thread.

    A batch that the stream refuses for good is halved until the event at fault stands alone. That event is kept and
    tried again at the longest wait, and the degraded reason `uplink_refused` stands meanwhile. It is not skipped: the
    stream does not look into records, so what it refuses for good is in practice its own name or a limit, and a
    hole in the history would cover that up. Whatever the journal puts before it goes on being sent.

    Args:
        journal: What to send; thread-safe.
        sink: Where to.
        key: The device's own; signs every record.
        waits: By kind of failure, see retry.
        on_state: Told when the way to the cloud opens or closes; must only enqueue.
        begin: Called before the first record is packed, as a delivery is tried: again until it does not raise.
        correct: Applied to every event before it is packed: puts right the time of those made without one.
    """

    def __init__(
        self,
        journal: Journal,
        sink: EventSink,
        key: Ed25519PrivateKey,
        *,
        waits: Waits,
        on_state: Callable[[bool], None],
        begin: Callable[[], None] | None = None,
        correct: Callable[[Event], Event] = _as_it_is,
    ) -> None:
        self._journal = journal
        self._sink = sink
        self._key = key
        self._waits = waits
        self._on_state = on_state
        self._begin = begin
        self._correct = correct
        self._limit = MAX_EVENTS
        self._refused: dict[Place, None] = {}
        self.report = LinkReport()

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Deliver until `stop`. A record that is in flight then is left behind and sent again after the next start."""
        deliver = attempts(
            self._waits,
            sleep=partial(pause, stop=stop, beat=beat, until=partial(self._overtaken, stop)),
            failed=self._failed,
        )
        self.report = replace(self.report, state=Link.OFFLINE)
        try:
            while not stop.is_set():
                beat()
                if self._journal.wait_for_unsent(SLICE_S):
                    deliver(self._send_next, stop, beat)
                elif self._refused:
                    # Nothing is left to send: what was refused had to make room in the journal.
                    self._refused.clear()
                    self.report = replace(self.report, trouble=None)
        except Stopped:
            pass
        finally:
            self._turn(Link.OFF)

    def _send_next(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Send one record and mark it; halves it for as long as it is refused."""
        if self._begin is not None:
            call(self._begin, name="uplink-begin", stop=stop, beat=beat)
            self._begin = None
        while True:
            # Always asked for a full record, and cut here: what the journal gives depends on what it is asked for.
            batch = self._journal.next_unsent(MAX_EVENTS, _MAX_BATCH_BYTES)[: self._limit]
            if not batch:
                return
            try:
                record = self._pack(batch)
                call(partial(self._sink.put, record), name="uplink-put", stop=stop, beat=beat)
            except Permanent as error:
                if len(batch) == 1:
                    self._refuse(batch[0], error)
                    raise
                self._limit = len(batch) // 2
                log.warning("uplink.batch_halved", events=len(batch), error=str(error))
                continue
            self._journal.mark_sent(batch[0].epoch, batch[0].seq, batch[-1].seq)
            self._sent(batch, len(record))
            return

    def _pack(self, batch: Sequence[Event]) -> bytes:
        try:
            return pack([self._correct(event) for event in batch], self._key)
        except ContractError as error:
            raise Permanent(f"can't be packed: {error}") from error

    def _sent(self, batch: Sequence[Event], record_bytes: int) -> None:
        for event in batch:
            self._refused.pop((event.epoch, event.seq), None)
        self._limit = min(MAX_EVENTS, self._limit * 2)
        recovered = self.report.attempts > 0
        self._turn(Link.ONLINE)
        self.report = replace(
            self.report,
            last_ok_s=time.monotonic(),
            attempts=0,
            error=None,
            trouble=REFUSED if self._refused else None,
        )
        (log.info if recovered else log.debug)(
            "uplink.batch_sent", epoch=batch[0].epoch, first=batch[0].seq, last=batch[-1].seq, bytes=record_bytes
        )

    def _refuse(self, event: Event, error: Permanent) -> None:
        place = (event.epoch, event.seq)
        if place not in self._refused:
            log.error("uplink.event_refused", epoch=event.epoch, seq=event.seq, type=event.type, error=str(error))
            self._refused[place] = None
        if len(self._refused) > _MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        self.report = replace(self.report, trouble=REFUSED)

    def _overtaken(self, stop: threading.Event, wait_s: float) -> bool:
        """Wait; whether the journal meanwhile puts something before the event that was refused."""
        stop.wait(wait_s)
        if not self._refused:
            return False
        try:
            ahead = self._journal.next_unsent(MAX_EVENTS, _MAX_BATCH_BYTES)
        except StorageError:
            return False  # the next attempt meets it too, and waits for it
        return bool(ahead) and (ahead[0].epoch, ahead[0].seq) not in self._refused

    def _failed(self, state: tenacity.RetryCallState) -> None:
        error = failed_with(state)
        kind = error.kind if isinstance(error, UplinkError) else None
        if kind not in _ANSWERED:
            self._turn(Link.OFFLINE)
        # The first failure in a row is told; an outage must not fill the log.
        (log.warning if state.attempt_number == 1 else log.debug)(
            "uplink.attempt_failed", kind=kind, error=str(error), wait_s=round(state.upcoming_sleep, 1)
        )
        self.report = replace(self.report, attempts=state.attempt_number, error=str(error))

    def _turn(self, link: Link) -> None:
        was, self.report = self.report.state, replace(self.report, state=link)
        if (was is Link.ONLINE) != (link is Link.ONLINE):
            self._on_state(link is Link.ONLINE)
