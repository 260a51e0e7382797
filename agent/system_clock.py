"""The real clock: the one module that asks the system for the time."""

import ctypes
import time
from pathlib import Path
from typing import Final, Literal

from agent.core.model import Now

_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 208  # sizeof(struct timex) on 64-bit Linux; 128 on 32-bit, so this is room enough
_CHECK_EVERY_S: Final = 1.0


class SystemClock:
    """`agent.ports.Clock` over the kernel.

    With trust `kernel` the wall time is known while the kernel's clock discipline says so (any NTP client tells it),
    and stays known until reboot once it was: a quartz drifts seconds a day, not hours.
    """

    def __init__(self, trust: Literal["kernel", "trusted"]) -> None:
        self._known = trust == "trusted"
        self._checked_s = float("-inf")
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()

    def now(self) -> Now:
        """Monotonic and wall time, and whether the latter is trusted."""
        mono_s = time.monotonic()
        if not self._known and mono_s - self._checked_s >= _CHECK_EVERY_S:
            self._checked_s = mono_s
            self._known = _kernel_is_synchronised()
        return Now(mono_s=mono_s, wall_s=time.time(), known=self._known)

    def boot_id(self) -> str:
        """The kernel's id of this boot."""
        return self._boot_id

    def boot_ms(self) -> int:
        """Milliseconds since boot, suspended time included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _kernel_is_synchronised() -> bool:
    """What adjtimex(2) says, reading only (modes = 0, the first field, as is the rest of the buffer)."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = libc.adjtimex(buffer)
    # struct timex: modes (int, padded to long), offset, freq, maxerror, esterror (long), status (int)
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC
