"""A reader's thread: opens the device, waits for cards, posts them, opens it again when it was lost.

The raw card number ends here: what is posted is its keyed hash.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
import tenacity

from agent.runtime.inbox import Inbox
from agent.runtime.messages import CardPresented, CardUnreadable, ReaderChanged
from hardware.errors import CardError, DeviceLost, OpenError
from hardware.protocols import Reader

log = structlog.get_logger(__name__)

WAIT_S: Final = 0.5
"""How long one wait for a card lasts, so that the heartbeat goes on."""
REOPEN: Final = tenacity.wait_random_exponential(multiplier=0.2, max=2.0)
"""A reader that was plugged in again works within a few seconds; one that is gone costs a try every two."""


class ReaderWorker:
    """`run` is the thread's body; `ready` may be read from any thread."""

    def __init__(self, reader: Reader, hash_card: Callable[[bytes], str], inbox: Inbox) -> None:
        self._reader = reader
        self._hash_card = hash_card
        self._inbox = inbox
        self._reported_lost = False
        self.ready = False

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve the reader until `stop`."""
        try:
            while not stop.is_set():
                if not self._open(stop, beat):
                    return
                try:
                    self._serve(stop, beat)
                except DeviceLost as error:
                    self._lost(str(error))
                    self._reader.close()
        finally:
            self.ready = False
            self._reader.close()

    def _open(self, stop: threading.Event, beat: Callable[[], None]) -> bool:
        """Open the device, trying until it works; False when stopped."""

        def failed(attempt: tenacity.RetryCallState) -> None:
            beat()
            if attempt.outcome is not None:
                self._lost(str(attempt.outcome.exception()))

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((OpenError, DeviceLost)),
            wait=REOPEN,
            stop=tenacity.stop_when_event_set(stop),
            sleep=tenacity.sleep_using_event(stop),
            before_sleep=failed,
        )
        try:
            attempts(self._reader.open)
        except tenacity.RetryError:
            return False
        beat()
        self.ready = True
        if self._reported_lost:
            self._reported_lost = False
            log.info("reader.recovered", reader=self._reader.name)
            self._inbox.post(ReaderChanged(self._reader.name, ready=True, what="open"))
        return True

    def _serve(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        while not stop.is_set():
            beat()
            try:
                card = self._reader.wait_for_card(WAIT_S)
            except CardError as error:
                self._inbox.post(CardUnreadable(self._reader.name, time.monotonic(), str(error)))
                continue
            if card is not None:
                credential = self._hash_card(card.uid)
                self._inbox.post(CardPresented(self._reader.name, credential, card.technology.value, card.seen_s))

    def _lost(self, what: str) -> None:
        self.ready = False
        if not self._reported_lost:
            self._reported_lost = True
            log.warning("reader.lost", reader=self._reader.name, error=what)
            self._inbox.post(ReaderChanged(self._reader.name, ready=False, what=what))
