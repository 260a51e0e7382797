"""Who holds a GPIO line, from the kernel's own books. Asks and takes nothing: no line is requested, none changes.

Struct layouts and numbers are those of the kernel's GPIO interface, version 2 (linux/gpio.h).
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CHIP_INFO: Final = struct.Struct("32s32sI")
_LINE_INFO: Final = struct.Struct("32s32sIIQ160s16x")
_GET_CHIP_INFO: Final = 0x8044B401
_GET_LINE_INFO: Final = 0xC100B405
_USED: Final = 1 << 0
_OUTPUT: Final = 1 << 3
_HEADERS: Final = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""Labels of the chips that a Raspberry Pi's 40-pin header hangs on."""
_CHIPS: Final = 16
"""Chips that are looked at; a Pi 5 has fewer than this."""


@dataclass(frozen=True, slots=True)
class LineState:
    """A line as the kernel sees it."""

    pin: int
    used: bool
    """Whether a program or a kernel driver holds it."""
    holder: str
    """What the holder calls itself; may be empty."""
    output: bool


def header_chip() -> Path | None:
    """The chip of the 40-pin header; None where there is none that this user may open."""
    for number in range(_CHIPS):
        path = Path(f"/dev/gpiochip{number}")
        try:
            with _opened(path) as chip:
                _, label, _ = _CHIP_INFO.unpack(fcntl.ioctl(chip, _GET_CHIP_INFO, bytes(_CHIP_INFO.size)))
        except OSError:
            continue
        if _text(label) in _HEADERS:
            return path
    return None


def line_states(chip: Path, pins: list[int]) -> list[LineState]:
    """The lines behind these BCM numbers. Raises OSError."""
    found = []
    with _opened(chip) as descriptor:
        for pin in pins:
            asked = _LINE_INFO.pack(b"", b"", pin, 0, 0, b"")
            _, consumer, _, _, flags, _ = _LINE_INFO.unpack(fcntl.ioctl(descriptor, _GET_LINE_INFO, asked))
            found.append(LineState(pin, bool(flags & _USED), _text(consumer), bool(flags & _OUTPUT)))
    return found


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")
