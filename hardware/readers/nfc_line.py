"""What nfcpy reaches its chip through, a serial line or a USB device, made to end: no nfcpy in here, only its objects.

nfcpy waits without a limit in places: a write to a line that takes nothing, a USB transfer, a chip that acknowledges
for ever, a card that asks for more time for ever. And it leaves a PN532 at the speed that it had raised it to when it
can't say goodbye (it was killed, or the chip didn't listen), where the next one doesn't find it.
"""

import errno
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

LOOK_LIMIT_S: Final = 3.0
"""A look or an exchange takes tens of milliseconds; on a Pi's USB, whose first bytes may be late, a second or two."""
WRITE_LIMIT_S: Final = 1.0
"""A frame of at most 300 bytes takes 30 ms at the slowest speed."""

_SPEEDS: Final = (921600, 460800, 230400)
"""What nfcpy raises a PN532 to, in the order in which it tries."""
_PREAMBLE: Final = bytes(10)
"""Wakes the chip up, too."""
_ACK: Final = bytes.fromhex("0000FF00FF00")
_SET_115200: Final = bytes.fromhex("0000FF03FDD410041800")
_SPEED_SET: Final = bytes.fromhex("0000FF02FED5111A00")
_ANSWER_MS: Final = 300
"""The chip acknowledges within 15 ms; a USB adapter on a Pi adds to that."""
_LAST_ACK_S: Final = 0.002
"""The chip changes its speed 200 us after the last acknowledgement (PN532 user manual, 7.2.7)."""


class Leash:
    """Bounds the reads and writes of an nfcpy transport, None where a device has none (`udp:`)."""

    def __init__(self, transport: Any) -> None:
        self._until_s = 0.0
        if transport is None:
            return
        self._usb = transport.TYPE == "USB"
        self._read, self._write = transport.read, transport.write
        transport.read, transport.write = self.read, self.write
        if not self._usb:
            transport.tty.write_timeout = WRITE_LIMIT_S

    def start(self) -> None:
        """From now on LOOK_LIMIT_S for all reads together."""
        self._until_s = time.monotonic() + LOOK_LIMIT_S

    @property
    def used_up(self) -> bool:
        """Whether there is no time left, to the millisecond that nfcpy counts in."""
        return self._until_s - time.monotonic() < 0.002

    def read(self, timeout: int = 0) -> Any:
        """As nfcpy's, in milliseconds; 0 means without a limit there, and as long as there is time here."""
        left_ms = int((self._until_s - time.monotonic()) * 1000)
        if left_ms <= 0:
            raise OSError(errno.ETIMEDOUT, f"no end after {LOOK_LIMIT_S:g} s")
        return self._read(min(timeout or left_ms, left_ms))

    def write(self, frame: Any) -> None:
        """As nfcpy's. Not counted against the time: the last write tells the chip to give up."""
        if self._usb:
            self._write(frame, int(WRITE_LIMIT_S * 1000))
        else:
            self._write(frame)


def bring_pn532_back(open_line: Callable[[], Any], port: str) -> bool:
    """Tell a PN532 that was left at a higher speed to listen at 115200 baud again; whether there was one."""
    line = open_line()
    try:
        for speed in _SPEEDS:
            line.open(port, speed)
            line.write(_PREAMBLE + _SET_115200)
            # IndexError is how nfcpy takes less than a frame, which another speed makes of an answer.
            with suppress(OSError, IndexError):
                if line.read(_ANSWER_MS) == _ACK and line.read(_ANSWER_MS) == _SPEED_SET:
                    line.write(_ACK)
                    line.tty.flush()
                    time.sleep(_LAST_ACK_S)
                    return True
    finally:
        line.close()
    return False
