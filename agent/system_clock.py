"""The real clock: the one module that asks the system for the time. What is believed of it, core.timekeeping says."""

import ctypes
import threading
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, Literal

import structlog

from agent.core.model import Now
from agent.core.timekeeping import (
    SLACK_S,
    Anchor,
    Answer,
    Seen,
    Timekeeping,
    Validity,
    advance,
    answer_problem,
    certificate_problem,
    for_credentials_s,
    hear,
    to_sign_s,
)

log = structlog.get_logger(__name__)

_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 208  # sizeof(struct timex) on 64-bit Linux; 128 on 32-bit, so this is room enough
_CHECK_EVERY_S: Final = 1.0
_STEP_S: Final = 5.0
"""A jump of the told time by more is logged."""


class SystemClock:
    """`agent.ports.Clock` and `agent.ports.CloudClock` over the kernel. Any thread.

    With trust `kernel` the system's clock is believed while the kernel's clock discipline says that it is synchronised
    (any NTP client tells it), with `trusted` always. Once the time is known it stays known until reboot: it goes on
    with the boot clock, and a quartz drifts seconds a day, not hours.
    """

    def __init__(self, trust: Literal["kernel", "trusted"]) -> None:
        self._trusted = trust == "trusted"
        self._checked_s = float("-inf")
        self._lock = threading.Lock()
        self._time = Timekeeping()
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()

    def now(self) -> Now:
        """Monotonic and wall time, and whether the latter is trusted; if not, it is what the system's clock shows."""
        boot_s, told = self.boot_s(), self._current().told
        wall_s = time.time() if told is None else told.at(boot_s)
        return Now(mono_s=time.monotonic(), wall_s=wall_s, known=told is not None)

    def boot_id(self) -> str:
        """The kernel's id of this boot."""
        return self._boot_id

    def boot_ms(self) -> int:
        """Milliseconds since boot, suspended time included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def not_before(self, wall_s: float) -> None:
        """See `agent.ports.Clock`."""
        with self._lock:
            self._weigh(replace(self._time, listed_s=wall_s))

    def source(self) -> str | None:
        """Who tells the time: `system` or `cloud`; None while it is not known."""
        told = self._current().told
        return None if told is None else told.witness.value

    def disputed(self) -> bool:
        """Whether the system's clock and the cloud contradict each other."""
        return self._current().disputed

    def seen(self) -> Seen:
        """What to remember over a reboot."""
        return self._current().seen

    def remember(self, seen: Seen) -> None:
        """What was remembered."""
        with self._lock:
            self._weigh(replace(self._time, seen=seen))

    # For the way to the cloud

    def is_known(self) -> bool:
        """See `agent.ports.CloudClock`."""
        return self._current().told is not None

    def boot_s(self) -> float:
        """See `agent.ports.CloudClock`."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def hear(self, answer: Answer) -> str | None:
        """See `agent.ports.CloudClock`."""
        with self._lock:
            problem = answer_problem(self._time, answer)
            if problem is None:
                self._weigh(hear(self._time, answer))
            return problem

    def to_sign_s(self) -> float:
        """See `agent.ports.CloudClock`."""
        return to_sign_s(self._current(), self.boot_s(), time.time())

    def for_credentials_s(self) -> float:
        """See `agent.ports.CloudClock`."""
        return for_credentials_s(self._current(), self.boot_s())

    def certificate_problem(self, validity: Validity) -> str | None:
        """See `agent.ports.CloudClock`."""
        return certificate_problem(self._current(), self.boot_s(), validity)

    def system_is_right(self) -> bool:
        """See `agent.ports.CloudClock`."""
        told = self._current().told
        return told is not None and abs(told.at(self.boot_s()) - time.time()) <= SLACK_S

    def _current(self) -> Timekeeping:
        with self._lock:
            if self.boot_s() - self._checked_s >= _CHECK_EVERY_S:
                self._weigh(self._time)
            return self._time

    def _weigh(self, state: Timekeeping) -> None:
        """Take over what changed, and look at the system's clock; under the lock."""
        boot_s = self._checked_s = self.boot_s()
        before = self._time.told
        self._time = advance(state, boot_s, time.time() if self._trusted or _kernel_is_synchronised() else None)
        _tell(before, self._time.told, boot_s)


def _tell(before: Anchor | None, now: Anchor | None, boot_s: float) -> None:
    if now is None:
        if before is not None:
            log.warning("clock.lost", remedy="no witness is believed: see Without a clock in docs/decisions.md")
        return
    step_s = None if before is None else round(now.at(boot_s) - before.at(boot_s), 1)
    if before is None or before.witness is not now.witness or abs(now.at(boot_s) - before.at(boot_s)) > _STEP_S:
        log.info("clock.set", witness=now.witness.value, step_s=step_s, doubt_s=round(now.doubt_s, 2))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _kernel_is_synchronised() -> bool:
    """What adjtimex(2) says, reading only (modes = 0, the first field, as is the rest of the buffer)."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = _libc().adjtimex(buffer)
    # struct timex: modes (int, padded to long), offset, freq, maxerror, esterror (long), status (int)
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC
