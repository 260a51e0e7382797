"""One reader device and the thread that calls its driver; a thread that does not come back is left behind.

A driver calls a vendor's library, and such a call may never return: pcscd that is stopped answers nobody. Nothing can
end the call, so `leave_if_stuck` gives it up instead. What it brings home later is thrown away, above all a card, which
must not open a door that nobody stands at any more; the thread then closes its device and ends by itself.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
import tenacity

from hardware.errors import CardError, DeviceLost, HardwareError
from hardware.protocols import PresentedCard, Reader

log = structlog.get_logger(__name__)

T = TypeVar("T")

WATCH_S: Final = 0.25
"""How often somebody has to look at the thread: what a repaired reader waits for on top of its opening."""
WAIT_S: Final = 0.5
"""How long one wait for a card lasts, so that a thread that is stuck can be told from one that waits."""
CALL_LIMIT_S: Final = 5.0
"""The longest that a wait, or closing, may take: the wait itself, and a slow card (one that took 3 s was seen)."""
OPEN_LIMIT_S: Final = 15.0
"""nfcpy may try several chips and speeds on a serial line, each with time-outs of its own."""
CALM_S: Final = 10.0
"""A device that worked this long is opened again at once; one that fails sooner after ever longer pauses."""
REOPEN: Final = tenacity.wait_random_exponential(multiplier=0.2, max=2.0)
"""A reader that was plugged in again works within a few seconds; one that is gone costs a try every two."""


class _LeftBehind(Exception):  # noqa: N818 - no error
    """Nobody waits for this thread any more: it ends."""


class ReaderDevice:
    """Opens the reader, waits for cards, opens it again when it was lost, until `stop`; in a daemon thread of its own.

    The callbacks are called on that thread, never once it was left behind, and never inside a call of the driver: they
    may block. `on_change` is told of every success and every failure to open.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        on_card: Callable[[PresentedCard], None],
        on_unreadable: Callable[[str], None],
        on_change: Callable[[bool, str], None],
    ) -> None:
        self.reader: Final = reader
        self._on_card = on_card
        self._on_unreadable = on_unreadable
        self._on_change = on_change
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._looks_left: int | None = None
        """How often the call that is under way may still be seen; None between two calls."""
        self._left_behind = False
        self._thread = threading.Thread(target=self._run, name=f"device-{reader.name}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def in_call(self) -> bool:
        """Whether a call of the driver is under way."""
        return self._looks_left is not None

    def leave_if_stuck(self) -> bool:
        """Give up a call that should have returned by now. To be asked every WATCH_S.

        It counts how often it is asked and not the time: while the whole process or machine was stopped, no call of
        the driver's had a chance to return.
        """
        with self._lock:
            if self._looks_left is None:
                return False
            self._looks_left -= 1
            self._left_behind = self._looks_left <= 0
            if self._left_behind:
                self._stop.set()
            return self._left_behind

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end; whether it did in time. If not it ends with its call, or with the process."""
        self._stop.set()
        self.reader.interrupt()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                tenacity.Retrying(
                    retry=tenacity.retry_if_exception_type(DeviceLost),
                    wait=REOPEN,
                    stop=tenacity.stop_when_event_set(self._stop),
                    sleep=tenacity.sleep_using_event(self._stop),
                    reraise=True,
                )(self._live)
        except DeviceLost:
            pass  # reported; and told to stop
        except _LeftBehind:
            log.warning("reader.call_returned_late", reader=self.reader.name)
        finally:
            # Of a thread that was left behind, this is what lets go of the device.
            self.reader.close()

    def _live(self) -> None:
        """From opening the device to `stop`, or to its loss after a long life; raises DeviceLost after a short one."""
        started_s = time.monotonic()
        try:
            self._call(self.reader.open, OPEN_LIMIT_S)
            # That it opens proves little: pcscd lists readers that it can't talk to.
            self._look(0.0)
            self._on_change(True, "open")
            while not self._stop.is_set():
                self._look(WAIT_S)
        except HardwareError as error:
            fault, what = error, str(error)
        except _LeftBehind:
            raise
        except Exception as error:
            # A driver that breaks its promises must not cost the door more than one that loses its device.
            log.exception("reader.failed", reader=self.reader.name)
            fault, what = DeviceLost(str(error)), f"{type(error).__name__}: {error}"
        else:
            return
        self._on_change(False, what)
        self._call(self.reader.close, CALL_LIMIT_S)
        if time.monotonic() - started_s < CALM_S:
            raise DeviceLost(what) from fault

    def _look(self, wait_s: float) -> None:
        try:
            card = self._call(lambda: self.reader.wait_for_card(wait_s), CALL_LIMIT_S)
        except CardError as error:
            self._on_unreadable(str(error))
        else:
            if card is not None:
                self._on_card(card)

    def _call(self, function: Callable[[], T], limit_s: float) -> T:
        """What the driver's function returns or raises; raises _LeftBehind if it was given up meanwhile."""
        with self._lock:
            self._looks_left = int(limit_s / WATCH_S)
        try:
            return function()
        finally:
            with self._lock:
                self._looks_left = None
                left_behind = self._left_behind
            if left_behind:
                raise _LeftBehind
