"""The BCM2711's GPIO registers for the real RPi.GPIO; the register behaviour itself is in gpiomem.c.

The file that stands for /dev/gpiomem: one page of registers, 64 bytes each of outside levels, output latches and
states as last logged, the number of log entries, the log.
"""

import mmap
import struct
from pathlib import Path
from typing import Final

from hardware.settings import Pull
from tests.rigs.gpio_libs import shared_object
from tests.rigs.gpio_rig import GpioRig, PinState

_OUTSIDE: Final = 4096
_LATCH: Final = _OUTSIDE + 64
_COUNT: Final = _LATCH + 128
_LOG: Final = _COUNT + 8
_ENTRY: Final = struct.Struct("<dIBB2x")
_MAX_ENTRIES: Final = 4000
_UNDRIVEN: Final = 2
_PULL_REGISTERS: Final = 0xE4
_CPUINFO: Final = """\
processor\t: 0
model name\t: ARMv7 Processor rev 3 (v7l)

Hardware\t: BCM2711
Revision\t: c03115
Serial\t\t: 1000000012345678
Model\t\t: Raspberry Pi 4 Model B Rev 1.5
"""


class GpiomemRig(GpioRig):
    """Registers that outlast the program, as the chip's do."""

    def __init__(self, folder: Path) -> None:
        super().__init__("rpi-gpio", folder)
        (folder / "cpuinfo").write_text(_CPUINFO)
        size = _LOG + _MAX_ENTRIES * _ENTRY.size
        with (folder / "gpiomem").open("w+b") as file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)
        self._memory[_OUTSIDE : _OUTSIDE + 64] = bytes([_UNDRIVEN]) * 64

    def _own_env(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(shared_object(Path(__file__).with_name("gpiomem.c"))),
            "GPIOMEM_FILE": str(self.folder / "gpiomem"),
            "GPIOMEM_CPUINFO": str(self.folder / "cpuinfo"),
        }

    def drive(self, pin: int, high: bool | None) -> None:
        self._memory[_OUTSIDE + pin] = _UNDRIVEN if high is None else int(high)

    def level(self, pin: int) -> bool:
        if self.is_output(pin):
            return bool(self._memory[_LATCH + pin])
        outside = self._memory[_OUTSIDE + pin]
        return self.pull(pin) is Pull.UP if outside == _UNDRIVEN else bool(outside)

    def is_output(self, pin: int) -> bool:
        return self._field(4 * (pin // 10), 3 * (pin % 10), 7) == 1

    def pull(self, pin: int) -> Pull:
        bits = self._field(_PULL_REGISTERS + 4 * (pin // 16), 2 * (pin % 16), 3)
        return {0: Pull.OFF, 1: Pull.UP, 2: Pull.DOWN}[bits]

    def transitions(self, pin: int) -> list[PinState]:
        (count,) = struct.unpack_from("<I", self._memory, _COUNT)
        if count >= _MAX_ENTRIES:
            raise AssertionError("the rig's log is full")
        entries = (_ENTRY.unpack_from(self._memory, _LOG + _ENTRY.size * place) for place in range(count))
        return [PinState(at_s, bool(high), bool(output)) for at_s, of, high, output in entries if of == pin]

    def close(self) -> None:
        self._memory.close()

    def _field(self, offset: int, shift: int, mask: int) -> int:
        (word,) = struct.unpack_from("<I", self._memory, offset)
        return int(word) >> shift & mask
