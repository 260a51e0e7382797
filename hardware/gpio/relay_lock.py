"""The rules of every lock on a relay: locked from the start, bounded unlocking, no power at the end.

`GpioLock` and `EmulatedLock` are this class with different relays, so that what is tested on one holds on the other.
It must never energise or release a relay except as `Lock` promises, and never trust its caller to come back.
"""

import logging
import math
import threading
import time
from contextlib import suppress
from typing import Final, Protocol

from hardware.errors import ClosedError, HardwareError, OpenError
from hardware.settings import LockSettings

RETRY_S: Final = 0.25
"""A relay that could not be driven into the locked state is tried again this often: soon, but no busy loop."""
JOIN_S: Final = 2.0
"""The guard only ever waits for its condition, so that it ends in milliseconds; a stuck driver must not hang us."""

_log = logging.getLogger(__name__)


class Relay(Protocol):
    """A coil that has power or not."""

    def take(self, energised: bool) -> None:
        """Get hold of the relay in this state, without a pulse; raises OpenError, MissingLibrary."""

    def drive(self, energised: bool) -> None:
        """Switch; raises DeviceLost."""

    def release(self) -> None:
        """Take the power away and let go, so that nothing gives it power again; raises DeviceLost, OpenError."""


class RelayLock:
    """A `Lock` on a `Relay`, with a thread of its own that locks when an unlock's bound is over.

    The thread is what bounds an unlock when the rest of the process hangs. A relay that fails while it is to be
    locked is tried again until it obeys, is told otherwise, or the lock is closed.
    """

    def __init__(self, settings: LockSettings, relay: Relay) -> None:
        self._settings = settings
        self._relay = relay
        self._changed = threading.Condition()
        self._open = False
        self._energised = False
        self._lock_at_s: float | None = None
        self._failing = False
        self._guard: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._settings.name}>"

    @property
    def unlocked(self) -> bool:
        """What the relay is driven to now; before `open` and after `close`, what the lock is without power."""
        return self._energised == self._settings.energised_when_unlocked

    def open(self) -> None:
        """Take the relay, locked, without a pulse; raises OpenError (also when it is open already), MissingLibrary."""
        with self._changed:
            if self._open:
                raise OpenError(f"lock {self._settings.name!r} is already open")
            locked = not self._settings.energised_when_unlocked
            self._relay.take(energised=locked)
            self._energised = locked
            self._lock_at_s = None
            self._open = True
            self._guard = threading.Thread(target=self._guard_it, name=f"lock-guard-{self._settings.name}", daemon=True)
            try:
                self._guard.start()
            except RuntimeError as error:
                self._guard = None
                self._let_go()
                raise OpenError(f"lock {self._settings.name!r}: no thread for its guard: {error}") from error

    def unlock(self, for_s: float | None) -> None:
        """Unlock now; lock by itself after `for_s` seconds (> 0) unless told again. None: until told.

        Raises DeviceLost when the relay can't be driven, ClosedError when the lock is not open.
        """
        if for_s is not None and not (for_s > 0 and math.isfinite(for_s)):
            raise ValueError(f"an unlock lasts a time above 0, or None: {for_s}")
        with self._changed:
            self._check_open()
            # The bound is set first: a drive that fails half-way is taken back all the same.
            self._lock_at_s = None if for_s is None else time.monotonic() + for_s
            self._changed.notify_all()
            self._drive(unlocked=True)

    def lock(self) -> None:
        """Lock now. Raises DeviceLost when the relay can't be driven (it is then tried on), ClosedError."""
        with self._changed:
            self._check_open()
            self._lock_at_s = time.monotonic() + RETRY_S
            self._changed.notify_all()
            self._drive(unlocked=False)
            self._lock_at_s = None

    def close(self) -> None:
        """Take the relay's power away and let go of it; idempotent.

        Never raises, so that one dead relay does not keep a caller from closing the others; a failure is logged.
        """
        with self._changed:
            if not self._open:
                return
            self._let_go()
            guard, self._guard = self._guard, None
        if guard is not None:
            guard.join(JOIN_S)

    def _let_go(self) -> None:
        self._open = False
        self._lock_at_s = None
        self._changed.notify_all()
        try:
            self._relay.release()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other locks are to be closed
            self._report("lock.release_failed", error)
        else:
            self._energised = False

    def _drive(self, *, unlocked: bool) -> None:
        energised = unlocked == self._settings.energised_when_unlocked
        self._relay.drive(energised)
        self._energised = energised

    def _check_open(self) -> None:
        if not self._open:
            raise ClosedError(f"lock {self._settings.name!r} is not open")

    def _guard_it(self) -> None:
        while True:
            try:
                self._relock_when_due()
            except Exception as error:  # noqa: BLE001 - such as no memory for one more wait: it must not die
                self._report("lock.guard_failed", error)
                time.sleep(RETRY_S)
            else:
                return

    def _relock_when_due(self) -> None:
        with self._changed:
            while self._open and self._guard is threading.current_thread():
                left_s = None if self._lock_at_s is None else self._lock_at_s - time.monotonic()
                if left_s is None or left_s > 0:
                    self._changed.wait(left_s)
                else:
                    self._relock()

    def _relock(self) -> None:
        try:
            self._drive(unlocked=False)
        except Exception as error:  # noqa: BLE001 - the guard is the last to lock this door: it must not die
            self._lock_at_s = time.monotonic() + RETRY_S
            if not self._failing:
                self._report("lock.guard_failed", error)
            self._failing = True
        else:
            self._lock_at_s = None
            self._failing = False

    def _report(self, event: str, error: Exception) -> None:
        # No memory for a line in the log, or a log that fails, must cost neither the guard nor the other locks.
        with suppress(Exception):
            what = str(error) if isinstance(error, HardwareError) else repr(error)
            _log.error(event, extra={"lock": self._settings.name, "error": what})
