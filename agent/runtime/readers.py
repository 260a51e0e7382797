"""A reader's worker: watches the thread that calls the driver, posts the cards, replaces a thread that is stuck.

The raw card number ends here: what is posted is its keyed hash.

A call that does not return takes its thread along, never this one: the loss is reported, the heart goes on beating, and
no other reader waits. Service resumes with a new device when the call comes back. A call may also be lost while the
device has long been well, so one new device is tried even if it does not; if that gets stuck too, the worker waits.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from agent.runtime.inbox import Inbox
from agent.runtime.messages import CardPresented, CardUnreadable, ReaderChanged
from agent.runtime.readerdevice import WATCH_S, ReaderDevice
from hardware.protocols import Indication, PresentedCard, Reader

log = structlog.get_logger(__name__)

MOST_LEFT_BEHIND: Final = 2
"""Threads of one reader that may hang at once; each holds some memory and a connection."""
TRY_ANOTHER_S: Final = 10.0
"""A call that was stuck for this long on top of its limit is not just slow."""
LET_GO_S: Final = 1.2
"""What a stop grants the device: above the longest wait between two looks at `stop` (1 s, nfcpy over `udp:`), and such
that a few readers that hang leave some of the agent's 4 s to the others."""


class ReaderWorker:
    """`run` is the thread's body; all else may be used from any thread. Raises what `make_reader` raises."""

    def __init__(self, make_reader: Callable[[], Reader], hash_card: Callable[[bytes], str], inbox: Inbox) -> None:
        self._make_reader = make_reader
        self._hash_card = hash_card
        self._inbox = inbox
        self._left_behind: list[ReaderDevice] = []
        self._try_another_s = 0.0
        self._reported_lost = False
        self.reader = make_reader()
        """The driver in use; another one after a call got stuck."""
        self.ready = False

    @property
    def stuck_calls(self) -> int:
        """Calls of the driver that did not return and were left behind with their threads: a metric."""
        return sum(device.alive for device in self._left_behind)

    def indicate(self, indication: Indication) -> None:
        """Show a decision as far as the device can."""
        self.reader.indicate(indication)

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve the reader until `stop`."""
        # Run again by the supervisor, it must not touch a driver that still hangs.
        device = None if self.stuck_calls else self._start(self.reader)
        try:
            while not stop.wait(WATCH_S):
                device = self._replace(beat) if device is None else self._watch(device, beat)
        finally:
            self.ready = False
            if device is not None and not device.stop(LET_GO_S):
                log.error("reader.stuck", reader=self.reader.name)

    def _start(self, reader: Reader) -> ReaderDevice:
        return ReaderDevice(reader, on_card=self._card, on_unreadable=self._unreadable, on_change=self._changed)

    def _watch(self, device: ReaderDevice, beat: Callable[[], None]) -> ReaderDevice | None:
        """The device, or None when it got stuck. Beats for a thread that is where it belongs: in the driver."""
        if device.leave_if_stuck():
            self._left_behind.append(device)
            self._try_another_s = time.monotonic() + TRY_ANOTHER_S
            self._changed(False, "a call of the driver does not return")
            return None
        if not device.alive:
            raise RuntimeError("the device's thread ended")
        if device.in_call:
            beat()
        return device

    def _replace(self, beat: Callable[[], None]) -> ReaderDevice | None:
        """A new device once a stuck call came back, or else once; None until then."""
        beat()
        held = [device for device in self._left_behind if device.alive]
        came_back = len(held) < len(self._left_behind)
        self._left_behind = held
        if came_back or (len(held) < MOST_LEFT_BEHIND and time.monotonic() >= self._try_another_s):
            self.reader = self._make_reader()
            return self._start(self.reader)
        return None

    def _card(self, card: PresentedCard) -> None:
        credential = self._hash_card(card.uid)
        self._inbox.post(CardPresented(self.reader.name, credential, card.technology.value, card.seen_s))

    def _unreadable(self, what: str) -> None:
        self._inbox.post(CardUnreadable(self.reader.name, time.monotonic(), what))

    def _changed(self, ready: bool, what: str) -> None:
        """Report a loss once, and its end. On the device's thread, or on the worker's when that one is stuck."""
        self.ready = ready
        if ready is not self._reported_lost:
            return
        self._reported_lost = not ready
        if ready:
            log.info("reader.recovered", reader=self.reader.name)
        else:
            log.warning("reader.lost", reader=self.reader.name, error=what)
        self._inbox.post(ReaderChanged(self.reader.name, ready=ready, what=what))
